"""Lists in JSON lines, and headers that stand twice."""

import json

import pytest

from storecast.ingestion.sources import SourceFileError
from storecast.ingestion.sources.files import files
from storecast.ingestion.values.lists import list_of

FEED = """
[[feeds]]
entity = "order_lines"
files = "*.jsonl"
columns.order_id = "$.name"
columns.ordered_at = "$.created_at"
columns.product_id = "$.line_items[{place}].sku"
columns.quantity = "$.line_items[{place}].quantity"
columns.unit_price = "$.line_items[{place}].price"
constants = {{ channel = "web" }}
"""
ITEMS = [{"sku": "00420", "quantity": 2, "price": "10.00"}, {"sku": "00777", "quantity": 5, "price": "4.00"}]


def write(export, *items: object) -> None:
    lines = [
        json.dumps({"name": str(number), "created_at": "2026-09-30T12:00:00+02:00", "line_items": each})
        for number, each in enumerate(items)
    ]
    export.shop.write("f.jsonl", "\n".join(lines) + "\n")


def test_every_item_of_a_list_is_a_row_and_its_values_go_in_step(export) -> None:
    write(export, ITEMS, ITEMS[:1], ITEMS[1])
    export.ingest(feeds=FEED.format(place="*"))
    rows = export.shop.bronze("order_lines")[["row_number", "order_id", "product_id", "quantity", "unit_price"]]
    assert rows.to_numpy().tolist() == [
        [1, "0", "00420", "2", "10.00"],
        [2, "0", "00777", "5", "4.00"],
        [3, "1", "00420", "2", "10.00"],
        [4, "2", "00777", "5", "4.00"],
    ]
    assert export.shop.reasons("order_lines") == {}


@pytest.mark.parametrize("nothing", [[], None, "none"])
def test_a_record_without_items_is_set_aside_not_lost(export, nothing: object) -> None:
    write(export, ITEMS, nothing)
    export.ingest(feeds=FEED.format(place="*"))
    assert list(export.shop.reasons("order_lines")) == [3]


def test_a_line_that_is_no_json_keeps_its_row_beside_items(export) -> None:
    write(export, ITEMS)
    content = (export.shop.folder / "f.jsonl").read_text()
    export.shop.write("f.jsonl", "{cut\n" + content)
    export.ingest(feeds=FEED.format(place="*"))
    assert export.shop.reasons("order_lines") == {1: "row: not valid JSON"}
    assert len(export.shop.bronze("order_lines")) == 3


def test_the_first_of_two_items_is_refused_and_of_one_it_is_read(export) -> None:
    write(export, ITEMS, ITEMS[:1])
    with pytest.raises(
        SourceFileError,
        match=r"product_id \('\$\.line_items\[0\]\.sku'\) takes one place of the list '\$\.line_items', which holds "
        r"more in 1 of 2 records: write \$\.line_items\[\*\] in every column",
    ):
        export.ingest(feeds=FEED.format(place="0"))
    write(export, ITEMS[:1], ITEMS[:1])
    export.ingest(feeds=FEED.format(place="0"))
    assert export.numbers("quantity") == [2.0, 2.0]


def test_two_lists_in_one_feed_are_refused(export) -> None:
    with pytest.raises(ValueError, match=r"more than one list \(\$\.a, \$\.b\): use \[\*\] on one list a feed"):
        list_of(["$.a[*].sku", "$.b[*].price"])
    feeds = FEED.format(place="*").replace("$.line_items[*].price", "$.prices[*]")
    with pytest.raises(ValueError, match=r"my_shop\.toml: columns go through more than one list"):
        files(export.shop.write("my_shop.toml", 'timezone = "UTC"\ncurrency = "EUR"\ncountry = "DE"\n' + feeds))


TWICE = "order;at;sku;qty;price;price\n1;2026-09-30 12:00:00;00420;2;{first};10.00\n"


def test_a_header_that_stands_twice_with_other_values_is_refused_until_the_mapping_says_which(export) -> None:
    export.shop.write("f.csv", TWICE.format(first="99.00"))
    with pytest.raises(
        SourceFileError,
        match=r"unit_price \('price'\) is the header of two columns, which differ in 1 rows \('99\.00' and '10\.00' in "
        r"row 1\): write unit_price = \"price \(1\)\" or \"price \(2\)\"",
    ):
        export.ingest()


@pytest.mark.parametrize(("which", "price"), [("price (1)", 99.0), ("price (2)", 10.0)])
def test_a_header_that_stands_twice_is_read_by_its_place(export, which: str, price: float) -> None:
    export.shop.write("f.csv", TWICE.format(first="99.00"))
    feed = f"""
[[feeds]]
entity = "order_lines"
files = "*.csv"
delimiter = ";"
columns = {{ order_id = "order", ordered_at = "at", product_id = "sku", quantity = "qty", unit_price = "{which}" }}
constants = {{ channel = "web" }}
"""
    export.ingest(feeds=feed)
    assert export.numbers("unit_price") == [price]


def test_a_header_that_stands_twice_with_the_same_values_is_read(export) -> None:
    export.shop.write("f.csv", TWICE.format(first="10.00"))
    export.ingest()
    assert export.numbers("unit_price") == [10.0]
