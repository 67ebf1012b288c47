from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from storecast.ingestion.reading.workbooks import WorkbookError, read_workbook


def write(path: Path, **sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_cells_become_their_shortest_text(tmp_path: Path) -> None:
    moment = datetime(2025, 3, 1, 14, 22, 5)
    path = write(
        tmp_path / "b.xlsx", S=[["a", "b", "c", "d", "e", "f"], [12.0, 12.5, moment, date(2025, 3, 1), True, "007"]]
    )
    header, rows, _ = read_workbook(path, None)
    assert header == ["a", "b", "c", "d", "e", "f"]
    assert list(rows) == [(1, None, ["12", "12.5", "2025-03-01 14:22:05", "2025-03-01 00:00:00", "true", "007"])]


def test_sheets_of_one_header_are_read_one_below_the_other_and_empty_rows_are_none(tmp_path: Path) -> None:
    path = write(
        tmp_path / "b.xlsx", A=[["x", "y"], ["1", None], [None, None], ["2", "b"]], Empty=[], B=[["x", "y"], ["3"]]
    )
    _, rows, headers = read_workbook(path, None)
    assert headers == 2
    assert list(rows) == [(1, None, ["1", None]), (2, None, ["2", "b"]), (3, None, ["3", None])]


def test_one_sheet_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path / "b.xlsx", A=[["x"], ["1"]], B=[["y"], ["2"]])
    header, rows, _ = read_workbook(path, "B")
    assert (header, list(rows)) == (["y"], [(1, None, ["2"])])
    with pytest.raises(WorkbookError, match="it has no sheet 'C'; its sheets are 'A', 'B'"):
        read_workbook(path, "C")
    with pytest.raises(WorkbookError, match="sheet 'B' has other columns than sheet 'A'; name one sheet with `sheet`"):
        read_workbook(path, None)


def test_a_cell_right_of_the_header_makes_its_row_malformed(tmp_path: Path) -> None:
    path = write(tmp_path / "b.xlsx", A=[["x"], ["1", "2"]])
    _, rows, _ = read_workbook(path, None)
    assert list(rows) == [(1, '["2 cells where the header has 1", ["1", "2"]]', (None,))]


def test_what_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    path.write_bytes(b"no zip")
    with pytest.raises(WorkbookError, match=r"it is no workbook \(File is not a zip file\); save it as .xlsx"):
        read_workbook(path, None)
