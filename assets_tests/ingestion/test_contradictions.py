"""One key, two values, one file: who reads it is told file, rows and both values."""

import pytest

from storecast.ingestion.contradictions import DECISIVE, DESCRIPTIVE, contradictions, unasked_copies
from storecast.ingestion.sources.files import files

HEAD = 'timezone = "Europe/Berlin"\ncurrency = "EUR"\ncountry = "DE"\n'
LINES = """
[[feeds]]
entity = "order_lines"
files = "lines*.csv"
columns.order_id = "order"
columns.line_number = "line"
columns.ordered_at = "at"
columns.product_id = "sku"
columns.quantity = "qty"
columns.unit_price = "price"
columns.status = "state"
constants = { channel = "web" }
"""
PRICES = """
[[feeds]]
entity = "prices"
files = "prices*.csv"
columns = { product_id = "sku", valid_from_date = "day", unit_price = "price" }
"""
PRODUCTS = """
[[feeds]]
entity = "products"
files = "products*.csv"
columns = { product_id = "sku", product_name = "name", unit_cost = "cost" }
"""
LINE_HEAD = "order,line,at,sku,qty,price,state\n"


@pytest.fixture
def ingest(shop):
    """Take in files by a mapping and return the shop."""

    def take(mapping: str, **contents: str):
        for name, content in contents.items():
            shop.write(f"{name}.csv", content)
        shop.ingest(files(shop.write("shop.toml", HEAD + mapping)))
        return shop

    return take


def test_two_products_under_one_line_number_are_told_with_file_rows_and_what_to_do(ingest) -> None:
    lines = "1,1,2025-03-01,A,1,10,placed\n1,2,2025-03-01,A,1,10,placed\n1,1,2025-03-01,B,1,10,placed\n"
    assert contradictions(ingest(LINES, lines=LINE_HEAD + lines).warehouse, DECISIVE) == [
        "order_lines, lines.csv: rows 1 and 3 are both channel 'web', order_id '1', line_number '1', but product_id is "
        "'A' in the one and 'B' in the other; map a line_number that tells the lines apart, or none, or take the wrong "
        "row out of the file"
    ]


def test_the_same_value_written_otherwise_a_new_state_or_another_file_is_no_contradiction(ingest) -> None:
    lines = "1,1,2025-03-01,A,1,10,placed\n1,1,2025-03-01,A,1.0,10.00,shipped\n1,1,2025-03-01,A,1,,cancelled\n"
    more = "1,1,2025-03-01,B,7,10,placed\n"
    shop = ingest(LINES, lines=LINE_HEAD + lines, lines2=LINE_HEAD + more)
    assert contradictions(shop.warehouse, DECISIVE) == []


def test_a_line_that_was_updated_later_is_a_correction(ingest) -> None:
    head = "order,line,at,sku,qty,price,state,changed\n"
    lines = "1,1,2025-03-01,A,1,10,placed,2025-03-01\n1,1,2025-03-01,A,2,10,placed,2025-03-02\n"
    mapping = LINES.replace("constants", 'columns.updated_at = "changed"\nconstants')
    assert contradictions(ingest(mapping, lines=head + lines).warehouse, DECISIVE) == []


def test_a_row_in_quarantine_contradicts_nobody(ingest) -> None:
    lines = "1,1,2025-03-01,A,1,10,placed\n1,1,2025-03-01,A,x,10,placed\n1,1,2025-03-01,A,0,10,placed\n"
    assert contradictions(ingest(LINES, lines=LINE_HEAD + lines).warehouse, DECISIVE) == []


def test_two_prices_from_one_day_are_told_and_two_names_only_where_they_are_asked_for(ingest) -> None:
    prices = "sku,day,price\nA,2025-03-01,10\nA,2025-03-02,10\nA,2025-03-01,12\n"
    products = "sku,name,cost\nA,Lamp,5\nA,Lamp,5.0\nA,Big lamp,5\n"
    shop = ingest(PRICES + PRODUCTS, prices=prices, products=products)
    assert contradictions(shop.warehouse, DECISIVE) == [
        "prices, prices.csv: rows 1 and 3 are both product_id 'A', channel none, valid_from_date '2025-03-01', but "
        "unit_price is '10' in the one and '12' in the other; take the wrong row out of the file"
    ]
    assert contradictions(shop.warehouse, DESCRIPTIVE) == [
        "products, products.csv: rows 3 and 1 are both product_id 'A', but product_name is 'Big lamp' in the one and "
        "'Lamp' in the other; take the wrong row out of the file"
    ]


@pytest.mark.parametrize(("key", "told"), [("", 1), ('repeated_rows = "copies"\n', 0)])
def test_rows_taken_as_copies_are_told_unless_the_mapping_says_so(ingest, key: str, told: int) -> None:
    mapping = LINES.replace('columns.line_number = "line"\n', key)
    shop = ingest(mapping, lines=LINE_HEAD + "1,,2025-03-01,A,1,10,placed\n2,,2025-03-01,A,1,10,placed\n")
    [file] = shop.warehouse.read("SELECT file_sha256 FROM ops.loads")["file_sha256"]
    with shop.warehouse.writing() as connection:
        connection.execute(
            "CREATE TABLE ops.duplicates AS SELECT 'order_lines' AS entity, ? AS file_sha256, 9 AS row_number, "
            "? AS kept_file_sha256, 3 AS kept_row_number",
            [file, file],
        )
    found = unasked_copies(shop.warehouse, files(shop.folder / "shop.toml"))
    assert [text.split(";")[0] for text in found] == [
        "order_lines, lines.csv: 1 rows are taken as copies or older states of other rows of the file "
        "(row 9 of row 3, …)"
    ][:told]
