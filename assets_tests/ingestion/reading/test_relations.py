import hashlib
from pathlib import Path

import duckdb
import pytest

from storecast.ingestion.reading.relations import FileCount
from storecast.ingestion.reading.relations import open_rows as open_stored
from storecast.ingestion.sources import Feed, Format, SourceFileError


def feed(*reads: str, **settings: str) -> Feed:
    return Feed("sellers", "sellers", "*", {}, reads, Format(**settings))


def open_rows(connection, relation: str, path: Path, name: str, feed: Feed) -> FileCount:
    """Store the file under its hash, as landing does, and open it."""
    stored = path.with_name(hashlib.sha256(path.read_bytes()).hexdigest())
    stored.write_bytes(path.read_bytes())
    return open_stored(connection, relation, stored, name, feed)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_a_csv_becomes_a_relation_in_the_files_order(connection, tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("sku,_raw,SKU\n" + "".join(f"{n},x,y\n" for n in range(120_000)))
    open_rows(connection, "raw", path, "f.csv", feed("sku"))
    assert [column[0] for column in connection.execute("SELECT * FROM raw").description] == [
        "_row_number",
        "_malformed",
        "sku",
        "_raw (2)",
        "SKU (2)",
        "_raw",
    ]
    wrong = connection.execute("SELECT count(*) FROM raw WHERE CAST(sku AS INT) + 1 <> _row_number").fetchone()
    assert wrong == (0,)
    row = connection.execute("SELECT _raw FROM raw WHERE _row_number = 1").fetchone()
    assert row == ('{"sku":"0","_raw (2)":"x","SKU (2)":"y"}',)


def test_a_parquet_file_becomes_text_in_the_files_order(connection, tmp_path: Path) -> None:
    path = tmp_path / "f[1].parquet"
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"COPY (SELECT n AS id, 0.1 * n AS price, TIMESTAMPTZ '2025-03-01 14:00:00+02' AS seen_at, "
        f"DATE '2025-03-01' AS day, NULL AS nothing FROM range(200000) AS t(n)) "
        f"TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 5000)"
    )
    open_rows(connection, "raw", path, "f.parquet", feed("id"))
    assert connection.execute("SELECT count(*) FROM raw WHERE CAST(id AS INT) + 1 <> _row_number").fetchone() == (0,)
    row = connection.execute(
        "SELECT id, price, seen_at, day, nothing, _malformed FROM raw WHERE _row_number = 4"
    ).fetchone()
    assert row == ("3", "0.3", "2025-03-01 12:00:00+00", "2025-03-01", None, None)


def test_lines_that_are_no_json_objects_are_malformed_and_kept(connection, tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    path.write_text('{"a": 1}\n{"a": \n[1]\n"x"\n{"a": "\\ud800"}\n')
    open_rows(connection, "raw", path, "f.jsonl", feed())
    assert connection.execute("SELECT line, _malformed FROM raw ORDER BY _row_number").fetchall() == [
        ('{"a": 1}', None),
        (None, '["not valid JSON","{\\"a\\": "]'),
        (None, '["not a JSON object","[1]"]'),
        (None, '["not a JSON object","\\"x\\""]'),
        (None, '["not valid JSON","{\\"a\\": \\"\\\\ud800\\"}"]'),
    ]


def test_a_missing_column_is_named_with_those_there_are_and_the_closest(connection, tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_text("Artikel,Preiß\n1,2\n")
    with pytest.raises(SourceFileError) as error:
        open_rows(connection, "raw", path, "in/f.csv", feed("Artikel", "Preis"))
    assert str(error.value) == (
        "in/f.csv (feed sellers) has no column 'Preis'; it has 'Artikel', 'Preiß'; did you mean 'Preiß'?"
    )


def test_an_empty_file_is_told_so(connection, tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_text("")
    with pytest.raises(SourceFileError) as error:
        open_rows(connection, "raw", path, "f.csv", feed("a"))
    assert str(error.value) == "f.csv (feed sellers) has no column 'a'; it has none: the file is empty"


def test_a_file_that_is_not_what_its_name_says_is_named(connection, tmp_path: Path) -> None:
    path = tmp_path / "stored"
    path.write_text("no parquet")
    with pytest.raises(SourceFileError, match=r"^f\.parquet \(feed sellers\) cannot be read as parquet: "):
        open_rows(connection, "raw", path, "f.parquet", feed("a"))
    with pytest.raises(SourceFileError, match=r"^f\.xlsx \(feed sellers\) cannot be read as excel: it is no workbook"):
        open_rows(connection, "raw", path, "f.xlsx", feed("a"))
    with pytest.raises(SourceFileError, match=r"^f\.dat: the ending '\.dat' names no format; known are \.csv"):
        open_rows(connection, "raw", path, "f.dat", feed("a"))
