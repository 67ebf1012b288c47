import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storecast.ingestion.text_files import read_csv, read_json_lines

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


def rows_of(path: Path, content: bytes, delimiter: str = ",", encoding: str = "utf-8") -> tuple[list[str], list]:
    path.write_bytes(content)
    header, rows = read_csv(path, delimiter, encoding)
    return header, list(rows)


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


def test_json_lines_come_with_number_and_text_and_broken_bytes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": \xff}\n{"c": 3}')
    assert list(read_json_lines(path)) == [
        (1, None, '{"a": 1}'),
        (2, '["not UTF-8 at byte 7 of the line", "{\\"b\\": \\\\xff}"]', None),
        (3, None, '{"c": 3}'),
    ]
