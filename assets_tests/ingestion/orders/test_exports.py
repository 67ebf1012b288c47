"""Exports as shops have them, each a channel of one small shop, from files to gold.

What is right is worked out by hand.
"""

import json
import os
import subprocess

import pytest

from storecast.ingestion.holidays import public_holidays
from storecast.ingestion.reconciliation import imbalances, reconcile
from storecast.ingestion.sources.files import files
from storecast.settings import QUIET
from storecast.warehouse.dbt import PROJECT_DIR, dbt_executable

pytestmark = pytest.mark.slow

LINE = 'order_id = "order", ordered_at = "at", product_id = "sku", quantity = "qty", unit_price = "price"'


def feed(name: str, columns: str, more: str = "", entity: str = "order_lines", channel: str = "") -> str:
    """Return a feed of the files that begin with its name, which is its channel too."""
    constants = f'constants = {{ channel = "{channel or name}" }}' if entity != "inventory_levels" else ""
    head = f'[[feeds]]\nname = "{name}"\nentity = "{entity}"\nfiles = "{name}-*.csv"\n'
    return f"{head}columns = {{ {columns} }}\n{constants}\n{more}\n"


STATES = 'values.status = { Shipped = "shipped", Cancelled = "cancelled", Pending = "placed", back = "returned" }'
MAPPING = "\n".join(
    [
        'timezone = "UTC"\ncurrency = "EUR"\ncountry = "DE"\nnon_products = ["SHIPPING", "gift-*"]\n',
        feed("first_row", f'{LINE}, status = "state"', 'values.status = { voided = "cancelled", paid = "shipped" }'),
        feed("reports", f'{LINE}, status = "state"', STATES),
        feed("alike", LINE),
        feed("alike_lines", LINE, 'repeated_rows = "lines"'),
        feed("alike_copies", LINE, 'repeated_rows = "copies"'),
        feed("back", f'{LINE}, line_number = "line", status = "state", returned_at = "back"', STATES),
        feed("totals", LINE, 'price_is = "line_total"'),
        feed("discounts", LINE, 'discount = { column = "off", of = "order" }'),
        feed("taxed", LINE, 'tax = { rate = 0.25, is = "included" }'),
        feed("vat", LINE, 'price_is = "line_total"\ntax = { column = "vat", of = "line", is = "included" }'),
        feed("charges", LINE),
        feed("west", f'{LINE}, line_number = "line"'),
        feed("east", f'{LINE}, line_number = "line"'),
        feed(
            "hours",
            'product_id = "sku", date = "at", units = "qty", unit_price = "price"',
            entity="daily_sales",
        ),
        feed(
            "stock",
            'product_id = "sku", date = "at", on_hand_units = "qty", location = "place"',
            'selling_locations = ["north", "south"]',
            entity="inventory_levels",
        ),
    ]
)
HEAD = "order,at,sku,qty,price"
FILES = {
    # status on an order's first row only; the second order is void
    "first_row-1": f"{HEAD},state\n1,2026-08-01,A,1,10,paid\n1,2026-08-01,B,2,5,\n"
    "2,2026-08-02,A,4,10,voided\n2,2026-08-02,B,8,5,\n3,2026-08-03,A,1,10,paid\n",
    # three overlapping reports: pending, later shipped or cancelled to nothing; a return in a later file
    "reports-2026-08-10": f"{HEAD},state\n1,2026-08-01,A,1,10,Shipped\n2,2026-08-02,A,2,10,Pending\n"
    "2,2026-08-02,B,5,10,Pending\n3,2026-08-03,A,4,10,Pending\n4,2026-08-03,A,7,,Pending\n",
    "reports-2026-08-20": f"{HEAD},state\n2,2026-08-02,A,2,10,Shipped\n3,2026-08-03,A,0,,Cancelled\n"
    "4,2026-08-03,A,7,10,Shipped\n5,2026-08-05,A,9,,Pending\n",
    "reports-2026-08-30": f"{HEAD},state\n1,2026-08-25,A,-1,10,Shipped\n6,2026-08-06,A,3,10,Shipped\n",
    # side by side they are two lines; what comes back after another order is a copy, or a newer state
    "alike-1": f"{HEAD}\n1,2026-08-01,A,1,10\n1,2026-08-01,A,1,10\n2,2026-08-02,A,1,10\n1,2026-08-01,A,1,10\n",
    "alike_lines-1": f"{HEAD}\nl,2026-08-01,A,1,10\nl,2026-08-01,A,1,10\nm,2026-08-02,A,1,10\nl,2026-08-01,A,1,10\n",
    "alike_copies-1": f"{HEAD}\nc,2026-08-01,A,1,10\nc,2026-08-01,A,1,10\nd,2026-08-02,A,1,10\nc,2026-08-01,A,1,10\n",
    # returned by state: on the order's day, and on the day it came back
    "back-1": f"{HEAD},line,state,back\n1,2026-08-01,A,2,10,1,Shipped,\n2,2026-08-01,A,3,10,1,back,\n"
    "3,2026-08-01,A,1,10,1,back,2026-08-09\n",
    # two channels number their orders alike
    "west-1": f"{HEAD},line\n1,2026-08-01,A,2,10,1\n1,2026-08-01,B,3,10,2\n",
    "east-1": f"{HEAD},line\n1,2026-08-01,A,5,10,1\n1,2026-08-02,C,7,10,2\n",
    "totals-1": f"{HEAD}\n1,2026-08-01,A,4,20.00\n1,2026-08-01,B,3,10.00\n2,2026-08-02,A,-2,-10.00\n",
    # 10.00 off an order of 30 + 30 + 30: 3.33, 3.34 and 3.33
    "discounts-1": f"{HEAD},off\n1,2026-08-01,A,3,10,10.00\n1,2026-08-01,B,1,30,\n1,2026-08-01,C,2,15,\n"
    "2,2026-08-02,A,1,10,\n",
    "taxed-1": f"{HEAD}\n1,2026-08-01,A,2,12.50\n",
    "vat-1": f"{HEAD},vat\n1,2026-08-01,A,2,23.80,3.80\n",
    "charges-1": f"{HEAD}\n1,2026-08-01,A,2,10\n1,2026-08-01,Shipping,1,4.90\n1,2026-08-01,GIFT-50,1,50\n",
    # hours of a day; the newest delivery that has the day replaces it; a row that is there twice counts once
    "hours-2026-08-03": "sku,at,qty,price\nA,2026-08-01 09:00,1,10\nA,2026-08-01 12:00,3,14\nA,2026-08-01 15:00,0,14\n"
    "A,2026-08-02 09:00,2,\nA,2026-08-02 12:00,5,10\nA,2026-08-02 12:00,5,10\nB,2026-08-02 12:00,5,10\n",
    "hours-2026-08-04": "sku,at,qty,price\nB,2026-08-02 09:00,1,10\nB,2026-08-02 12:00,1,10\n",
    # A: sold out in both shops on the 2nd, though returns lie elsewhere; oversold on the 3rd
    "stock-1": "sku,at,qty,place\nA,2026-08-01,0,north\nA,2026-08-01 08:00,0,south\nA,2026-08-01 18:00,4,south\n"
    "A,2026-08-02,0,north\nA,2026-08-02,0,south\nA,2026-08-02,9,returns\nA,2026-08-03,-2,north\n",
}


@pytest.fixture(scope="module")
def shop(open_shop, tmp_path_factory):
    """All exports together, taken in and built."""
    shop = open_shop(tmp_path_factory.mktemp("exports"))
    for name, content in FILES.items():
        shop.write(f"{name}.csv", content)
    source = files(shop.write("shop.toml", MAPPING))
    shop.ingest(source)
    codes = [(pattern, what) for pattern, what in source.non_products.items()]
    with shop.warehouse.writing() as connection:
        connection.execute("CREATE TABLE bronze.non_product_codes (pattern VARCHAR, line_is VARCHAR)")
        connection.executemany("INSERT INTO bronze.non_product_codes VALUES (?, ?)", codes)
        connection.register("holidays", public_holidays("DE", [2026]))
        connection.execute("CREATE TABLE bronze.public_holidays AS SELECT * REPLACE (date::DATE AS date) FROM holidays")
    variables = {"source_timezone": "UTC", "shop_timezone": "UTC", "currency": "EUR", "country": "DE"}
    folder = tmp_path_factory.mktemp("dbt")
    places = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR), "--target-path", str(folder)]
    places += ["--log-path", str(folder), "--vars", json.dumps(variables)]
    done = subprocess.run(
        [dbt_executable(), "--quiet", "build", "--exclude-resource-type", "unit_test", *places],
        env={**os.environ, **QUIET, "STORECAST_WAREHOUSE": str(shop.warehouse.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return shop


def sold(shop, channel: str) -> dict[tuple[str, int], float]:
    """Return the units sold by product and day of August."""
    rows = shop.warehouse.read(
        "SELECT product_id, day(date) AS day, units FROM gold.daily_demand WHERE channel = ? AND units > 0", [channel]
    )
    return {(row.product_id, row.day): row.units for row in rows.itertuples()}


def money(shop, channel: str) -> tuple[float, float]:
    """Return gross and net revenue."""
    totals = shop.warehouse.read(
        "SELECT sum(gross_revenue) AS gross, sum(net_revenue) AS net FROM gold.daily_revenue WHERE channel = ?",
        [channel],
    )
    return round(float(totals["gross"][0]), 6), round(float(totals["net"][0]), 6)


def test_every_row_of_every_file_is_accounted_for(shop) -> None:
    assert imbalances(reconcile(shop.warehouse)) == []


def test_a_state_on_the_first_row_is_the_whole_orders(shop) -> None:
    assert sold(shop, "first_row") == {("A", 1): 1, ("B", 1): 2, ("A", 3): 1}


def test_the_newest_state_of_an_order_replaces_the_older_ones_whole(shop) -> None:
    assert sold(shop, "reports") == {("A", 1): 1, ("A", 2): 2, ("A", 3): 7, ("A", 6): 3}
    assert money(shop, "reports") == (130, 120), "a return in a later file does not replace its sale"
    reasons = shop.warehouse.read("SELECT reasons FROM ops.quarantine ORDER BY raw")["reasons"]
    assert set(reasons) == {"unit_price: missing, but required"}, "a cancelled row without price is no breach"


def test_each_line_of_an_older_state_is_a_duplicate_of_its_products_line_or_of_the_orders_first(shop) -> None:
    replaced = shop.warehouse.read(
        "SELECT old.order_id, old.product_id, new.product_id AS kept, new.status FROM ops.duplicates "
        "JOIN bronze.order_lines AS old USING (file_sha256, row_number) "
        "JOIN bronze.order_lines AS new ON new.file_sha256 = kept_file_sha256 AND new.row_number = kept_row_number "
        "WHERE entity = 'order_lines' AND old.feed = 'reports' ORDER BY ALL"
    )
    assert replaced.to_numpy().tolist() == [
        ["2", "A", "A", "shipped"],
        ["2", "B", "A", "shipped"],
        ["3", "A", "A", "cancelled"],
    ]


def test_orders_of_one_number_in_two_channels_are_two(shop) -> None:
    assert sold(shop, "west") == {("A", 1): 2, ("B", 1): 3}
    assert sold(shop, "east") == {("A", 1): 5, ("C", 2): 7}


def test_alike_rows_count_by_where_they_stand_or_as_the_mapping_says(shop) -> None:
    assert sold(shop, "alike") == {("A", 1): 2, ("A", 2): 1}
    assert sold(shop, "alike_lines") == {("A", 1): 3, ("A", 2): 1}
    assert sold(shop, "alike_copies") == {("A", 1): 1, ("A", 2): 1}


def test_a_returned_state_keeps_the_sale_and_takes_its_revenue_back_on_the_returns_day(shop) -> None:
    assert sold(shop, "back") == {("A", 1): 6}
    days = shop.warehouse.read(
        "SELECT day(date) AS day, gross_revenue, returned_revenue, net_revenue, returned_units "
        "FROM gold.daily_revenue WHERE channel = 'back' ORDER BY date"
    )
    assert days.to_numpy().tolist() == [[1, 60, 30, 30, 3], [9, 0, 10, -10, 1]]


def test_a_price_that_is_the_lines_total_is_divided_by_its_pieces(shop) -> None:
    assert sold(shop, "totals") == {("A", 1): 4, ("B", 1): 3}
    assert money(shop, "totals") == (30, 20)


def test_an_orders_discount_is_shared_by_value_to_the_cent(shop) -> None:
    shares = shop.warehouse.read(
        "SELECT discount, round(quantity * unit_price, 6) AS paid FROM silver.order_lines "
        "WHERE channel = 'discounts' ORDER BY order_id, row_number"
    ).fillna(0)
    assert shares.to_numpy().tolist() == [[3.33, 26.67], [3.34, 26.66], [3.33, 26.67], [0, 10]]
    assert money(shop, "discounts") == (90, 90)


def test_revenue_is_without_tax_where_the_mapping_says_what_it_is(shop) -> None:
    assert money(shop, "taxed") == (20, 20)
    assert money(shop, "vat") == (20, 20)


def test_what_is_no_product_is_neither_demand_nor_revenue(shop) -> None:
    assert sold(shop, "charges") == {("A", 1): 2}
    assert money(shop, "charges") == (20, 20)


def test_hours_are_added_up_and_the_newest_delivery_of_a_day_replaces_it(shop) -> None:
    assert sold(shop, "hours") == {("A", 1): 4, ("A", 2): 7, ("B", 2): 2}
    prices = shop.warehouse.read(
        "SELECT unit_price, source_rows FROM silver.daily_sales ORDER BY product_id, date"
    ).to_numpy()
    assert prices.tolist() == [[13, 3], [10, 2], [10, 2]]


def test_stock_is_the_sum_over_the_locations_that_sell(shop) -> None:
    days = shop.warehouse.read(
        "SELECT day(date) AS day, is_in_stock FROM gold.daily_demand "
        "WHERE product_id = 'A' AND channel = 'totals' AND day(date) <= 4 ORDER BY date"
    )
    assert days.to_numpy().tolist() == [[1, True], [2, False], [3, False], [4, True]]
