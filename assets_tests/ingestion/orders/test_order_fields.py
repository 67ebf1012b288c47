"""Fields of a whole order that stand on its first row only."""

import pytest

from storecast.ingestion.sources.files import files

HEAD = 'timezone = "Europe/Berlin"\ncurrency = "EUR"\ncountry = "DE"\n'
LINES = """
[[feeds]]
entity = "order_lines"
files = "export.csv"
columns.order_id = "Name"
columns.ordered_at = "at"
columns.product_id = "sku"
columns.quantity = "qty"
columns.unit_price = "price"
columns.customer_id = "mail"
columns.status = "state"
columns.currency = "cur"
columns.country = "land"
constants = { channel = "web" }
values.status = { paid = "shipped", voided = "cancelled" }
"""
HEADERS = """
[[feeds]]
entity = "orders"
files = "export.csv"
columns = { order_id = "Name", ordered_at = "at", customer_id = "mail", status = "state", country = "land" }
constants = { channel = "web" }
values.status = { paid = "shipped", voided = "cancelled" }
"""
EXPORT = """Name,mail,state,cur,land,at,qty,sku,price
#1,ann,paid,EUR,DE,2026-07-01 10:00:00,1,TEA,8
#1,,,,,2026-07-01 10:00:00,2,POT,35
#2,bob,voided,EUR,AT,2026-07-02 10:00:00,1,TEA,8
#2,,,,,,1,MUG,12
#2,,,,,,1,POT,35
"""


@pytest.fixture
def mapping(shop):
    return shop.write("shop.toml", HEAD + LINES)


def carried(shop, name: str, entity: str = "order_lines") -> list[str | None]:
    """Return a column of an entity's bronze rows, in the order of the file."""
    rows = shop.warehouse.read(f"SELECT {name} FROM bronze.{entity} ORDER BY row_number")[name]
    return [value if isinstance(value, str) else None for value in rows]


def test_an_orders_other_rows_take_what_stands_on_its_first(shop, mapping) -> None:
    shop.write("export.csv", EXPORT)
    shop.ingest(files(mapping))
    assert carried(shop, "status") == ["shipped", "shipped", "cancelled", "cancelled", "cancelled"]
    assert carried(shop, "customer_id") == ["ann", "ann", "bob", "bob", "bob"]
    assert carried(shop, "country") == ["DE", "DE", "AT", "AT", "AT"]
    assert carried(shop, "currency") == ["EUR"] * 5
    assert carried(shop, "ordered_at") == ["2026-07-01 10:00:00"] * 2 + ["2026-07-02 10:00:00"] * 3
    assert shop.reasons("order_lines") == {}, "a rule must not look before the blanks are filled"


def test_what_the_source_wrote_stays_beside_it(shop, mapping) -> None:
    shop.write("export.csv", EXPORT)
    shop.ingest(files(mapping))
    assert '"state":null' in shop.bronze("order_lines")["raw"][1].replace('"state":""', '"state":null')


def test_a_blank_stays_where_the_orders_rows_differ_or_the_first_has_none(shop, mapping) -> None:
    shop.write(
        "export.csv",
        "Name,mail,state,cur,land,at,qty,sku,price\n"
        "#1,ann,paid,,,2026-07-01,1,TEA,8\n#1,,voided,,,2026-07-01,1,POT,8\n#1,,,,,2026-07-01,1,MUG,8\n"
        "#2,,,,,2026-07-01,1,TEA,8\n#2,,paid,,,2026-07-01,1,POT,8\n",
    )
    shop.ingest(files(mapping))
    assert carried(shop, "status") == ["shipped", "cancelled", None, None, "shipped"]
    assert carried(shop, "customer_id") == ["ann", "ann", "ann", None, None]


def test_rows_without_an_order_are_not_one_order(shop, mapping) -> None:
    shop.write(
        "export.csv",
        "Name,mail,state,cur,land,at,qty,sku,price\n,ann,voided,,,2026-07-01,1,TEA,8\n,,,,,2026-07-01,1,POT,8\n",
    )
    shop.ingest(files(mapping))
    assert carried(shop, "status") == ["cancelled", None]


def test_a_header_made_of_lines_says_on_every_row_what_its_first_rows_say(shop) -> None:
    shop.write("export.csv", EXPORT)
    shop.ingest(files(shop.write("shop.toml", HEAD + HEADERS)))
    assert carried(shop, "status", "orders") == ["shipped", "shipped", "cancelled", "cancelled", "cancelled"]
    assert carried(shop, "customer_id", "orders") == ["ann", "ann", "bob", "bob", "bob"]


def test_of_two_values_side_by_side_a_header_has_the_first_and_of_an_order_that_comes_back_the_newer(shop) -> None:
    shop.write(
        "export.csv",
        "Name,mail,state,cur,land,at,qty,sku,price\n"
        "#1,ann,paid,,DE,2026-07-01,1,TEA,8\n#1,,voided,,,2026-07-01,1,POT,8\n"
        "#2,bob,paid,,DE,2026-07-01,1,TEA,8\n"
        "#1,,voided,,,2026-07-01,1,TEA,8\n",
    )
    shop.ingest(files(shop.write("shop.toml", HEAD + HEADERS)))
    assert carried(shop, "status", "orders") == ["shipped", "shipped", "shipped", "cancelled"]
    assert carried(shop, "customer_id", "orders") == ["ann", "ann", "bob", "ann"]
