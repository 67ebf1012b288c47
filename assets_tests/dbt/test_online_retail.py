"""Online Retail II: every one of its 1,067,371 lines is accounted for, each by its rule."""

import pytest

from storecast.ingestion.sources.online_retail_ii import NON_PRODUCTS

pytestmark = pytest.mark.slow

BRITISH = {"source_timezone": "Europe/London", "shop_timezone": "Europe/London", "currency": "GBP", "country": "GB"}
LOAD = """
INSERT INTO bronze.order_lines BY NAME
SELECT
    'online_retail_ii' AS source, 'lines' AS feed, 'file' AS file_sha256, row_number() OVER () AS row_number,
    TIMESTAMP '2026-11-01' AS landed_at, Invoice AS order_id, InvoiceDate::VARCHAR AS ordered_at, 'online' AS channel,
    StockCode AS product_id, Description AS product_name, Quantity::VARCHAR AS quantity, Price::VARCHAR AS unit_price,
    "Customer ID"::VARCHAR AS customer_id, Country AS country,
    CASE WHEN Invoice LIKE 'C%' THEN 'cancelled' END AS status
FROM read_parquet(?)
"""


@pytest.fixture(scope="module")
def shop(new_shop, shared_data):
    shop = new_shop("online_retail")
    shop.execute(LOAD, [str(shared_data / "online_retail_ii" / "online_retail_II.parquet")])
    shop.execute(
        "INSERT INTO ops.quarantine BY NAME SELECT 'order_lines' AS entity, file_sha256, row_number "
        "FROM bronze.order_lines WHERE unit_price LIKE '-%'"
    )
    for code in NON_PRODUCTS.items():
        shop.execute("INSERT INTO bronze.non_product_codes VALUES (?, ?)", code)
    shop.dbt("build", "--exclude-resource-type", "unit_test", variables=BRITISH)
    return shop


def count(shop, table):
    return shop.rows(f"SELECT count(*) FROM {table}")[0][0]


def test_every_line_is_in_silver_in_quarantine_or_a_duplicate(shop):
    assert count(shop, "bronze.order_lines") == 1_067_371
    assert count(shop, "ops.quarantine") == 5
    assert count(shop, "ops.duplicates") == 34_335
    assert count(shop, "silver.order_lines") == 1_067_371 - 5 - 34_335


def test_every_line_has_the_type_of_its_rule(shop):
    types = dict(shop.rows("SELECT line_type, count(*) FROM silver.order_lines GROUP BY line_type"))
    assert types == {"sale": 1_000_735, "return": 15_399, "adjustment": 5_960, "charge": 5_913, "voided": 5_024}


def test_the_two_famous_mistakes_are_voided(shop):
    assert shop.rows("SELECT order_id, line_type FROM silver.order_lines WHERE abs(quantity) > 70000 ORDER BY 1") == [
        ("541431", "voided"),
        ("581483", "voided"),
        ("C541433", "voided"),
        ("C581484", "voided"),
    ]


def test_each_voided_sale_has_its_cancellation(shop):
    voided = "SELECT sum(quantity), count(*) % 2 FROM silver.order_lines WHERE line_type = 'voided'"
    assert shop.rows(voided) == [(0, 0)]


def test_every_code_without_a_digit_to_begin_with_was_judged(shop):
    """What is left of such codes are goods of the shop's second brand, and one easel."""
    kept = shop.rows(
        "SELECT product_id FROM silver.products WHERE NOT regexp_matches(product_id, '^[0-9]{5}') ORDER BY product_id"
    )
    assert {code.rstrip("0123456789N") for (code,) in kept} == {"DCGS", "DCGSSBOY", "DCGSSGIRL", "SP"}


def test_every_pattern_of_the_source_is_of_use(shop):
    found = {what for (what,) in shop.rows("SELECT DISTINCT line_is FROM silver.non_products")}
    assert set(NON_PRODUCTS.values()) == found
