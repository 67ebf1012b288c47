"""Ids: one product whatever file it comes from."""

import duckdb
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.ingestion.judging import judge
from storecast.ingestion.sources.files import files
from storecast.ingestion.values.ids import Evidence, canonical, evidence_sql


def products(export) -> list[str | None]:
    return export.read("product_id")


@pytest.mark.parametrize("written", ["TEE-RED ", "  TEE-RED", "\u00a0TEE-RED\u202f", "TEE-RED\u200b", '"TEE-RED\t"'])
def test_blanks_around_an_id_are_no_part_of_it(export, written: str) -> None:
    export.write([{"sku": written}])
    export.ingest()
    assert products(export) == ["TEE-RED"]


def test_zeros_in_front_stay(export) -> None:
    export.write([{"sku": "00420"}, {"sku": "00420 "}])
    export.ingest()
    assert products(export) == ["00420", "00420"]


@pytest.mark.parametrize("empty", ["", " ", "\u00a0"])
def test_an_empty_id_is_set_aside(export, empty: str) -> None:
    export.write([{"sku": empty}, {}])
    export.ingest()
    assert export.shop.reasons("order_lines") == {1: "product_id: missing, but required"}


def test_a_whole_number_in_a_float_column_is_the_id_that_text_and_excel_give(export) -> None:
    row = {"order": "1", "at": "2026-09-30 12:00:00", "qty": 2.0, "price": 10.0}
    pd.DataFrame([{**row, "sku": 4711.0}, {**row, "sku": None}]).to_parquet(export.shop.folder / "a.parquet")
    book = openpyxl.Workbook()
    book.active.append(["order", "at", "sku", "qty", "price"])
    book.active.append(["2", "2026-09-30 12:00:00", 4711.0, 2, 10])
    book.save(export.shop.folder / "b.xlsx")
    export.write([{"sku": "4711"}], "c.csv")
    export.write([{"sku": "4711.0"}] * 3, "d.csv")
    feeds = "".join(
        f"""
[[feeds]]
name = "feed_{name[0]}"
entity = "order_lines"
files = "{name}"
delimiter = ";"
columns = {{ order_id = "order", ordered_at = "at", product_id = "sku", quantity = "qty", unit_price = "price" }}
constants = {{ channel = "web" }}
"""
        for name in ("a.parquet", "b.xlsx", "c.csv", "d.csv")
    )
    export.ingest(feeds=feeds)
    assert products(export) == ["4711", None, "4711", "4711", "4711", "4711", "4711"]
    assert export.shop.reasons("order_lines") == {2: "product_id: missing, but required"}


def test_ids_with_decimals_keep_them(export) -> None:
    export.write([{"sku": sku} for sku in ("1.0", "1.5", "2.0")])
    export.ingest()
    assert products(export) == ["1.0", "1.5", "2.0"]


def test_a_workbooks_zeros_in_front_stay_as_the_sheet_shows_them(export) -> None:
    book = openpyxl.Workbook()
    book.active.append(["order", "at", "sku", "qty", "price"])
    book.active.append(["1", "2026-09-30 12:00:00", 420, 2, 10])
    book.active["C2"].number_format = "00000"
    book.save(export.shop.folder / "a.xlsx")
    export.ingest(pattern="*.xlsx")
    assert products(export) == ["00420"]
    assert export.numbers("quantity") == [2.0]


@settings(max_examples=100, deadline=None)
@given(
    others=st.lists(st.sampled_from(["A-1", "00123", "4711", "1E5", "12E4", "x.0", "1.5"]), max_size=30),
    place=st.integers(0, 30),
)
def test_an_id_is_the_same_in_whatever_row_it_stands(others: list[str], place: int) -> None:
    written = [*others[:place], "00123", *others[place:]]
    connection = duckdb.connect()
    connection.execute("CREATE TABLE cells AS SELECT unnest(?) AS x", [written])
    evidence = Evidence(*connection.execute(f"SELECT {evidence_sql('x')} FROM cells").fetchone())
    read = connection.execute(f"SELECT {canonical('x', evidence)} FROM cells").fetchall()
    assert [each for (each,) in read] == written


def test_a_product_of_two_spellings_is_said_once(export, now) -> None:
    export.write([{"sku": "TEE"}, {"sku": "TEE "}, {"sku": "CAP"}, {"sku": "420"}, {"sku": "00420"}])
    export.ingest()
    source = files(export.shop.folder / "my_shop.toml")
    with export.shop.warehouse.writing() as connection:
        connection.execute("UPDATE ops.loads SET contract_hash = NULL")
    said = [line for judgement in judge(export.shop.warehouse, source, now) for line in judgement.spellings]
    assert said == [
        "order_lines: products spelled in several ways and read as one: 'TEE' = 'TEE '",
        "order_lines: products spelled in several ways and kept apart: '00420' = '420'",
    ]
    assert [line for judgement in judge(export.shop.warehouse, source, now) for line in judgement.spellings] == []
