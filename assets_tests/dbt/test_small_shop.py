"""One small shop, every rule once, its gold tables worked out by hand."""

import pytest

pytestmark = pytest.mark.slow


def line(order, product, quantity, price, at, **more):
    return {
        "order_id": order,
        "line_number": 1,
        "ordered_at": at,
        "channel": "web",
        "product_id": product,
        "quantity": quantity,
        "unit_price": price,
        "customer_id": "ann",
        **more,
    }


@pytest.fixture(scope="module")
def shop(new_shop):
    shop = new_shop("small")
    shop.load(
        "order_lines",
        [
            line("1", "007", 2, "10", "2026-03-02 23:30:00"),  # 22:30 UTC: still the 2nd in Berlin
            line("2", "007", 1, "12", "2026-03-02T23:30:00Z"),  # already the 3rd in Berlin
            line("3", "007", 4, "12", "2026-03-05 12:00:00"),
            line("4", "007", -1, "12", "2026-03-06 12:00:00", status="returned"),
            line("5", "007", 9, "12", "2026-03-05 12:00:00", status="cancelled"),
            line("6", "007", 9, "free", "2026-03-05 12:00:00"),
            line("1", "007", 3, "10", "2026-03-02 23:30:00"),  # corrects the first line
            line("7", "x') OR 1=1 --", 1, "5", "2026-03-04 12:00:00", customer_id=" "),
        ],
        file="lines",
        day=1,
    )
    shop.quarantine("order_lines", "lines", 6)
    shop.load(
        "products",
        [{"product_id": "007", "product_name": "Lamp", "category": ""}, {"product_id": "new", "category": "toys"}],
        file="products",
        day=1,
    )
    shop.load(
        "prices",
        [
            {"product_id": "007", "channel": "", "valid_from_date": "2026-03-04", "unit_price": "20"},
            {"product_id": "007", "channel": "", "valid_from_date": "2026-03-08", "unit_price": "30"},
        ],
        file="prices",
        day=1,
    )
    shop.load(
        "promotions",
        [
            {
                "promotion_id": "P",
                "product_id": "007",
                "channel": None,
                "start_date": "2026-03-05",
                "end_date": "2026-03-08",
                "discount_share": "0.5",
            }
        ],
        file="promotions",
        day=1,
    )
    shop.load(
        "inventory_levels", [{"product_id": "007", "date": "2026-03-04", "on_hand_units": "0"}], file="stock", day=1
    )
    shop.execute("INSERT INTO bronze.public_holidays VALUES (DATE '2026-03-07', 'Spring Day', 'DE')")
    shop.dbt("build")
    return shop


def test_all_tests_of_the_project_pass_on_it_and_a_second_build_changes_nothing(shop):
    before = {table: shop.rows(f"FROM {table} ORDER BY ALL") for table in ("silver.order_lines", "gold.daily_demand")}
    shop.dbt("build", "--exclude-resource-type", "unit_test")
    assert before == {table: shop.rows(f"FROM {table} ORDER BY ALL") for table in before}


def test_demand_is_dense_and_priced_by_the_list_less_the_promotion(shop):
    demand = shop.rows(
        "SELECT CAST(date AS VARCHAR), units, revenue, unit_price, is_on_promotion, is_in_stock, is_price_planned "
        "FROM gold.daily_demand WHERE product_id = '007' ORDER BY date"
    )
    assert demand == [
        ("2026-03-02", 3, 30, 10, False, True, False),
        ("2026-03-03", 1, 12, 12, False, True, False),
        ("2026-03-04", 0, 0, 20, False, False, True),
        ("2026-03-05", 4, 48, 10, True, True, True),
        ("2026-03-06", 0, 0, 10, True, True, True),
    ]


def test_the_next_90_days_carry_what_is_planned(shop):
    assert shop.rows("SELECT count(*), min(date), max(date) FROM gold.planned_drivers WHERE product_id = '007'") == [
        (90, *shop.rows("SELECT DATE '2026-03-07', DATE '2026-06-04'")[0])
    ]
    planned = shop.rows(
        "SELECT unit_price, is_on_promotion, has_event, event_name, is_price_planned FROM gold.planned_drivers "
        "WHERE product_id = '007' ORDER BY date LIMIT 3"
    )
    assert planned == [
        (10, True, True, "Spring Day", True),
        (15, True, False, None, True),
        (30, False, False, None, True),
    ]


def test_returns_lower_net_revenue_but_not_demand(shop):
    figures = "SELECT gross_revenue, returned_revenue, net_revenue, sold_units, returned_units FROM gold.daily_revenue"
    assert shop.rows(f"{figures} WHERE date = DATE '2026-03-06'") == [(0, 12, -12, 0, 1)]
    assert shop.rows(f"{figures} WHERE date = DATE '2026-03-05'") == [(48, 0, 48, 4, 0)]


def test_products_are_those_listed_and_those_sold(shop):
    products = shop.rows(
        "SELECT product_id, product_name, category, is_listed FROM silver.products ORDER BY product_id"
    )
    assert products == [
        ("007", "Lamp", "unknown", True),
        ("new", None, "toys", True),
        ("x') OR 1=1 --", None, "unknown", False),
    ]


def test_the_row_that_was_corrected_is_a_duplicate_of_the_one_that_was_kept(shop):
    assert shop.rows("SELECT * FROM ops.duplicates") == [("order_lines", "lines", 1, "lines", 7)]


def test_blank_text_is_missing(shop):
    assert shop.rows("SELECT count(*) FROM silver.customers WHERE trim(customer_id) = ''") == [(0,)]
    assert shop.rows("SELECT customer_id FROM silver.orders WHERE order_id = '7'") == [(None,)]


def test_orders_are_made_from_lines_where_no_header_is(shop):
    orders = shop.rows("SELECT order_id, status FROM silver.orders ORDER BY order_id")
    assert orders == [
        ("1", "placed"),
        ("2", "placed"),
        ("3", "placed"),
        ("4", "returned"),
        ("5", "cancelled"),
        ("7", "placed"),
    ]
