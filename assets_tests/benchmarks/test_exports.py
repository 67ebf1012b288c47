"""Random exports: their truth is what other readers count, the same seed draws the same, and a wrong sum is seen."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import openpyxl
import pandas as pd
import pytest

from benchmarks.exports.counting import rows_in
from benchmarks.exports.dialects import MOMENTS
from benchmarks.exports.generator import exports
from benchmarks.exports.peers import judged, with_duckdb, with_pandas
from benchmarks.exports.playing import UNNAMED, Outcome, Played, mapping_text, shops_of
from benchmarks.exports.scoring import sha256, verdict, verdicts
from benchmarks.exports.shapes import SHAPES
from benchmarks.exports.slips import WEIGHTS, no_slip
from benchmarks.exports.truth import Export

DRAWN = 4 * len(SHAPES)
HARMLESS = {"", "blanks_around_ids", "early_end", "missing_month"}
ROWS = ["rows_silver", "rows_quarantined", "rows_duplicate", "rows_withdrawn"]


@pytest.fixture(scope="module")
def drawn() -> list[Export]:
    return exports(DRAWN, seed=3)


@pytest.fixture
def plain(drawn) -> Export:
    """An export that lies in one file of numbered lines, without a slip."""
    return next(export for export in drawn if export.shape == "numbered_lines" and not export.slip)


def read_right(export: Export) -> Played:
    """What a product that reads everything right would say of an export."""
    parts = [part for file in export.files for row in file.rows if row.fate != "goes" for part in row.parts]
    sales = pd.DataFrame([vars(part) for part in parts]).rename(
        columns={"product": "product_id", "day": "date", "units": "sold_units", "gross": "gross_revenue"}
    )
    numbers = ["sold_units", "gross_revenue", "returned"]
    sales = sales.groupby(["channel", "product_id", "date"], as_index=False)[numbers].sum()
    sales["net_revenue"] = sales["gross_revenue"] - sales["returned"]
    goes = [
        (sha256(file), number)
        for file in export.files
        for number, row in enumerate(file.rows, start=1)
        if row.fate == "goes"
    ]
    quarantine = pd.DataFrame(goes, columns=["file_sha256", "row_number"]).assign(entity="order_lines", reasons="so")
    account = pd.DataFrame(
        [{"entity": "order_lines", "file_sha256": sha256(file), "rows_silver": len(file.rows)} for file in export.files]
    ).reindex(columns=["entity", "file_sha256", *ROWS], fill_value=0)
    return Played(sales, quarantine, account, pd.DataFrame(), said="")


def text_rows(export: Export) -> Iterator[dict[str, str]]:
    """The rows of a delimited file, read by the standard library."""
    (file,) = export.files
    text = io.StringIO(file.content.decode(file.dialect.encoding).lstrip("\ufeff"), newline="")
    quoting = csv.QUOTE_NONE if file.dialect.quoting == "none" else csv.QUOTE_MINIMAL
    return csv.DictReader(text, delimiter=file.dialect.delimiter, quoting=quoting)


def test_the_same_seed_draws_the_same_exports(drawn):
    again = exports(DRAWN, seed=3)
    assert [export.sums() for export in again] == [export.sums() for export in drawn]
    texts = [file.content for export in drawn for file in export.files if file.dialect.kind in {"csv", "jsonl"}]
    assert texts == [f.content for export in again for f in export.files if f.dialect.kind in {"csv", "jsonl"}]
    assert [export.sums() for export in exports(8, seed=4)] != [export.sums() for export in drawn[:8]]


@pytest.mark.slow
def test_every_shape_and_every_slip_and_every_way_to_write_a_moment_comes():
    many = exports(500, seed=10)
    shapes = Counter(export.shape for export in many)
    assert set(shapes) == set(SHAPES)
    assert max(shapes.values()) - min(shapes.values()) <= 1
    assert {export.slip for export in many} == {slip.__name__ for slip in WEIGHTS if slip is not no_slip} | {""}
    assert {file.dialect.moment for export in many for file in export.files} == set(MOMENTS)


def test_rows_counted_by_another_reader_are_as_many_as_were_written(drawn):
    counts = {(file.name, rows_in(file), len(file.rows)) for export in drawn for file in export.files}
    assert [count for count in counts if count[1] != count[2]] == []


@pytest.mark.parametrize(
    "shape", ["numbered_lines", "unnumbered_lines", "hourly", "stores", "weekly", "negative_lines"]
)
def test_units_are_what_the_standard_library_adds_up(drawn, shape):
    found = [export for export in drawn if export.shape == shape and export.slip in HARMLESS]
    assert found
    for export in found:
        (feed,) = export.feeds
        header = feed["columns"].get("quantity") or feed["columns"]["units"]
        decimal = export.files[0].dialect.decimal
        pieces = [Decimal(row[header].replace(decimal, ".")) for row in text_rows(export)]
        assert sum(export.sums().units.values()) == sum(number for number in pieces if number > 0)


def test_units_of_nested_items_and_of_a_workbook_are_what_others_add_up(drawn):
    for export in (export for export in drawn if export.shape in {"nested_items", "workbook"} and not export.slip):
        content = export.files[0].content
        if export.shape == "workbook":
            head, *rows = openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)
            pieces = [Decimal(str(row[head.index("Qty")])) for row in rows]
        else:
            orders = map(json.loads, content.decode().splitlines())
            pieces = [Decimal(str(item["quantity"])) for order in orders for item in order["items"]]
        assert sum(export.sums().units.values()) == sum(pieces)


def test_what_a_second_version_of_a_file_says_alone_is_true(drawn):
    found = [export for export in drawn if export.shape == "corrected_file"]
    for export in found:
        first, second = export.files
        assert first.name == second.name
        assert not any(row.parts for row in first.rows)
        assert all(row.parts for row in second.rows)


def test_exports_share_a_shop_only_where_zone_and_deliveries_are_the_same(drawn):
    shops = shops_of(drawn, 10)
    assert sorted(export.name for shop in shops for export in shop) == sorted(export.name for export in drawn)
    assert all(len({(export.place, len(export.deliveries)) for export in shop}) == 1 for shop in shops)
    assert "[[feeds]]" in mapping_text(shops[0])


def test_all_that_is_right_is_right(drawn):
    assert {verdict(export, read_right(export)).kind for export in drawn} == {"right"}


def test_a_wrong_total_is_silently_wrong_and_the_place_is_told(plain):
    played = read_right(plain)
    played.sales.loc[0, "sold_units"] += 1
    found = verdict(plain, played)
    assert found.kind == "silently wrong"
    assert str(played.sales.loc[0, "product_id"]) in found.why
    played = read_right(plain)
    played.sales.loc[0, "gross_revenue"] += Decimal("0.02")
    assert verdict(plain, played).kind == "silently wrong"


def test_a_row_that_is_set_aside_is_refused_where_the_rest_is_right(plain):
    (file,) = plain.files
    without = replace(plain, deliveries=((replace(file, rows=file.rows[1:]),),))
    rest = read_right(without)
    quarantine = pd.DataFrame({"file_sha256": [sha256(file)], "row_number": [1], "entity": ["order_lines"]})
    assert verdict(plain, replace(rest, quarantine=quarantine)).kind == "refused"
    assert verdict(plain, rest).kind == "silently wrong"


def test_a_file_that_is_not_read_is_refused_only_where_it_is_named(plain):
    played = read_right(plain)
    empty = replace(played, sales=played.sales[:0], account=played.account[:0])
    assert verdict(plain, empty).kind == "silently wrong"
    assert verdict(plain, replace(empty, said=f"{plain.files[0].name}: unreadable")).kind == "refused"


def test_rows_that_the_account_does_not_know_are_told(plain):
    played = read_right(plain)
    assert verdict(plain, played).account == ""
    played.account["rows_silver"] -= 1
    assert plain.files[0].name in verdict(plain, played).account


def test_a_run_that_stops_is_a_refusal_where_it_names_file_and_place(plain):
    messages = {
        f"{plain.files[0].name}, row 3: quantity": "refused",
        "dbt failed": "silently wrong",
        UNNAMED + "dbt failed": "silently wrong",
    }
    for message, kind in messages.items():
        assert [found.kind for found in verdicts([plain], Outcome(stopped={plain.name: message}))] == [kind]


@pytest.mark.slow
def test_a_plain_reader_gets_plain_files_right_and_many_others_wrong(drawn):
    kinds = [Counter(judged(export, read) for export in drawn) for read in (with_pandas, with_duckdb)]
    assert all(found["right"] > 0 and found["silently wrong"] > 0 for found in kinds)
