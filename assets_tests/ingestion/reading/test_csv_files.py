import csv
import io
import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storecast.ingestion.reading.counting import count_lines
from storecast.ingestion.reading.csv_files import STRAY_QUOTE, UNQUOTED, CsvFile, Dialect, read_csv

COMMAS = Dialect()
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


def rows_of(path: Path, content: bytes, delimiter: str = ",", encoding: str = "utf-8") -> tuple[list[str], list]:
    file = opened(path, content, Dialect(delimiter, encoding))
    return file.header, list(file.rows)


def opened(path: Path, content: bytes, dialect: Dialect = COMMAS) -> CsvFile:
    path.write_bytes(content)
    return read_csv(path, dialect)


def test_cells_are_neither_trimmed_nor_changed(tmp_path: Path) -> None:
    header, rows = rows_of(tmp_path / "f", b'sku,name\n0007," a, b ""c"" "\n')
    assert header == ["sku", "name"]
    assert rows == [(1, None, ["0007", ' a, b "c" '])]


def test_a_row_of_other_width_is_kept_whole_with_its_reason(tmp_path: Path) -> None:
    _, rows = rows_of(tmp_path / "f", b"a,b\n1,2\n1\n1,2,3\n4,5\n")
    assert rows == [
        (1, None, ["1", "2"]),
        (2, '["1 cells where the header has 2", ["1"]]', (None, None)),
        (3, '["3 cells where the header has 2", ["1", "2", "3"]]', (None, None)),
        (4, None, ["4", "5"]),
    ]


def test_blank_lines_are_no_rows_and_a_byte_order_mark_is_no_name(tmp_path: Path) -> None:
    header, rows = rows_of(tmp_path / "f", b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n\r\n")
    assert header == ["a", "b"]
    assert rows == [(1, None, ["1", "2"])]


def test_an_empty_file_has_neither_header_nor_rows(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "f", b"") == ([], [])


def test_bytes_that_are_no_text_make_their_row_malformed_and_no_other(tmp_path: Path) -> None:
    _, rows = rows_of(tmp_path / "f", b"a,b\n1,M\xfcller\n2,x\n")
    assert rows[0] == (1, '["bytes that are no text in the file\'s encoding", ["1", "M\\\\udcfcller"]]', (None, None))
    assert rows[1] == (2, None, ["2", "x"])


def test_another_encoding_and_delimiter_are_read(tmp_path: Path) -> None:
    _, rows = rows_of(tmp_path / "f", "a;b\n1;Müller\n".encode("cp1252"), ";", "cp1252")
    assert rows == [(1, None, ["1", "Müller"])]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(TEXT, TEXT), max_size=10))
def test_any_text_in_a_cell_comes_back_word_for_word(tmp_path: Path, cells: list[tuple[str, str]]) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *cells])
    _, rows = rows_of(tmp_path / "f", written.getvalue().encode())
    assert [tuple(row[2]) for row in rows] == cells


def swallowing(rows: int) -> bytes:
    """Return a file of which the second row's name begins with a quote that nothing closes."""
    lines = [
        "id,name,units,price",
        "1,Pot,2,3.00",
        '2,"Best pot,4,5.00',
        *(f"{n},Pot,1,3.00" for n in range(3, rows + 1)),
    ]
    return "\n".join(lines).encode() + b"\n"


def test_an_unclosed_quote_costs_its_own_line_and_no_other(tmp_path: Path) -> None:
    content = swallowing(200) + b'201,"a, quoted",1,3.00\n'
    file = opened(tmp_path / "f", content)
    rows = list(file.rows)
    assert len(rows) == 201
    assert [number for number, mark, _ in rows if mark] == [2]
    assert rows[1][1] == json.dumps([STRAY_QUOTE, '2,"Best pot,4,5.00'])
    assert rows[200] == (201, None, ["201", "a, quoted", "1", "3.00"])
    assert (file.tally.rows, file.tally.other_lines, file.note) == (201, 1, None)


def test_a_file_that_reads_cleanly_only_without_quoting_is_read_so_and_says_it(tmp_path: Path) -> None:
    file = opened(tmp_path / "f", swallowing(50))
    rows = list(file.rows)
    assert [mark for _, mark, _ in rows if mark] == []
    assert rows[1] == (2, None, ["2", '"Best pot', "4", "5.00"])
    assert file.note == UNQUOTED


def test_two_stray_quotes_that_make_one_row_of_many_are_seen_through(tmp_path: Path) -> None:
    content = b'id,name,units,price\n1,"Best pot,4,5.00\n2,Pot,1,3.00\n3,Pan 5",1,4.00\n4,"a, b",1,2.00\n'
    rows = list(opened(tmp_path / "f", content).rows)
    assert [row[2][0] for row in rows if not row[1]] == ["2", "3", "4"]
    assert [number for number, mark, _ in rows if mark] == [1]


def test_a_cell_may_go_on_over_lines_that_are_no_rows(tmp_path: Path) -> None:
    file = opened(tmp_path / "f", b'id,name,units\n1,"Two\n\nlines, ""quoted""",2\n2,x,3\n')
    assert list(file.rows) == [(1, None, ["1", 'Two\n\nlines, "quoted"', "2"]), (2, None, ["2", "x", "3"])]
    assert (file.tally.rows, file.tally.other_lines) == (2, 2)


def test_quote_and_escape_are_the_feeds_to_say(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert list(opened(path, b"a,b\n'1,2',3\n", Dialect(quote="'")).rows) == [(1, None, ["1,2", "3"])]
    assert list(opened(path, b'a,b\n"1\\"2",3\n', Dialect(escape="\\")).rows) == [(1, None, ['1"2', "3"])]
    assert list(opened(path, b'a,b\n"1,3\n', Dialect(quote=None)).rows) == [(1, None, ['"1', "3"])]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=120).map(lambda raw: raw.translate(bytes(b'a1,"\n'[n % 5] for n in range(256)))))
def test_whatever_the_quotes_no_line_is_lost(tmp_path: Path, data: bytes) -> None:
    file = opened(tmp_path / "f", data)
    list(file.rows)
    assert file.tally.rows + file.tally.other_lines == count_lines(tmp_path / "f", "utf-8")
