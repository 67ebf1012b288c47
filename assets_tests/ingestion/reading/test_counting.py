from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from storecast.ingestion.reading.counting import count_lines, count_parquet_rows, count_sheet_rows


@pytest.mark.parametrize(
    ("content", "lines"),
    [(b"", 0), (b"a", 1), (b"a\n", 1), (b"a\r\nb\r\n", 2), (b"a\rb", 2), (b"\n\na\n\n\nb\n", 2), (b"\r\n", 0)],
)
def test_lines_that_hold_anything_are_counted(tmp_path: Path, content: bytes, lines: int) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    assert count_lines(path, "utf-8") == lines
    path.write_bytes(content.decode().encode("utf-16"))
    assert count_lines(path, "utf-16") == lines


def test_a_line_across_two_chunks_is_one(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes((b"x" * 999 + b"\n") * 5_000)
    assert count_lines(path, "utf-8") == 5_000


def test_rows_of_parquet_and_of_workbooks_are_counted_without_their_readers(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(7)}).to_parquet(tmp_path / "f.parquet")
    assert count_parquet_rows(tmp_path / "f.parquet") == 7
    book = openpyxl.Workbook()
    for row in (["a", "b"], ["1", None], [None, None], ["x & y", 2.5]):
        book.active.append(row)
    book.create_sheet("Other <1>").append(["a"])
    book.save(tmp_path / "f.xlsx")
    assert count_sheet_rows(tmp_path / "f.xlsx", None) == 4
    assert count_sheet_rows(tmp_path / "f.xlsx", "Other <1>") == 1
