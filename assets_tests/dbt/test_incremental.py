"""A run over what is new gives the rows of a full refresh, whatever came, was corrected or was taken away."""

import random
from collections import defaultdict
from datetime import datetime, timedelta

import pytest

pytestmark = pytest.mark.slow

FIRST_DAY = datetime(2026, 1, 1)
INCREMENTAL = ("silver.order_lines", "silver.daily_sales", "silver.inventory_levels", "silver.sessions")
TABLES = (*INCREMENTAL, "silver.orders", "ops.duplicates", "gold.daily_demand", "gold.daily_revenue")
STEPS = 3


def random_lines(rng: random.Random, count: int) -> list[dict[str, object]]:
    """Few customers, products and prices, so that keys, mirror images and orders meet; a third without line numbers."""
    return [
        {
            "order_id": f"{'C' if quantity < 0 else ''}{rng.randint(1, 120)}",
            "line_number": rng.choice([None, 1, 2]),
            "ordered_at": FIRST_DAY + timedelta(hours=rng.randint(0, 20 * 24)),
            "channel": "web",
            "product_id": rng.choice(["21212", "22423", "POST"]),
            "quantity": quantity,
            "unit_price": rng.choice(["0", "5", "5.0", "7"]) if quantity else None,
            "customer_id": rng.choice(["ann", "bob", None]),
            "status": rng.choice([None, None, None, "cancelled"]) if quantity > 0 else "cancelled",
            "updated_at": rng.choice([None, None, FIRST_DAY + timedelta(days=rng.randint(0, 40))]),
            "occurrence": rng.choice([None, None, 2, 0]),
        }
        for quantity in rng.choices([1, 2, -1, -2, 0], k=count)
    ]


def random_file(rng: random.Random, entity: str) -> list[dict[str, object]]:
    """Rows of a small domain, so that later files correct earlier ones."""
    day = (FIRST_DAY + timedelta(days=rng.randint(0, 5))).date()
    if entity == "order_lines":
        return random_lines(rng, 400)
    if entity == "orders":
        statuses = ["placed", "cancelled", "shipped"]
        return [
            {"order_id": str(rng.randint(1, 40)), "ordered_at": FIRST_DAY, "channel": "web", "status": status}
            for status in rng.choices(statuses, k=15)
        ]
    if entity == "sessions":
        return [
            {"session_id": rng.choice("ab"), "event_number": n, "occurred_at": day, "channel": "web", "event": event}
            for n, event in enumerate(rng.choices(["view", "cart", "purchase"], k=5))
        ]
    products = rng.choices("ABC", k=8)
    if entity == "daily_sales":
        rows = [
            {"channel": "web", "units": rng.randint(0, 9), "unit_price": rng.choice([None, 3, 4])} for _ in products
        ]
        rows = [{**row, "occurrence": rng.choice([None, None, 0])} for row in rows]
    else:
        rows = [{"on_hand_units": rng.randint(-1, 2), "location": rng.choice([None, "north"])} for _ in products]
    return [{"product_id": product, "date": day, **row} for product, row in zip(products, rows, strict=True)]


def take_step(rng: random.Random, shops: list, step: int) -> None:
    """New files for every entity, some rows put into quarantine and some taken out, an old file loaded anew."""
    for entity in ("order_lines", "orders", "sessions", "daily_sales", "inventory_levels"):
        rows, again = random_file(rng, entity), random_file(rng, entity)
        rejected = {(f"{entity} {rng.randint(1, step)}", rng.randint(1, len(rows))) for _ in range(3)}
        for shop in shops:
            shop.load(entity, rows, file=f"{entity} {step}", day=step)
            if step == STEPS:
                shop.load(entity, again, file=f"{entity} 1", day=1, loads=2)
                shop.execute("DELETE FROM ops.quarantine WHERE entity = ? AND row_number % 2 = 0", [entity])
            for file, number in rejected:
                shop.quarantine(entity, file, number)


@pytest.fixture(scope="module")
def shops(new_shop):
    rng = random.Random(20261120)
    grown, fresh = new_shop("grown"), new_shop("fresh")
    for shop in (grown, fresh):
        shop.execute("INSERT INTO bronze.non_product_codes VALUES ('POST', 'postage')")
    for step in range(1, STEPS + 1):
        take_step(rng, [grown, fresh], step)
        grown.dbt("build", "--exclude-resource-type", "unit_test", "test")
    fresh.dbt("build")
    grown.dbt("test", "--exclude-resource-type", "unit_test")
    return grown, fresh


@pytest.mark.parametrize("table", TABLES)
def test_a_grown_table_equals_a_full_refresh(shops, table):
    grown, fresh = (shop.rows(f"FROM {table} ORDER BY ALL") for shop in shops)
    assert fresh
    assert grown == fresh


def test_every_accepted_row_is_kept_or_a_duplicate(shops):
    grown, _ = shops
    rejected = "(SELECT * FROM ops.quarantine WHERE entity = 'order_lines')"
    counts = {
        "in": "bronze.order_lines",
        "quarantined": f"bronze.order_lines SEMI JOIN {rejected} USING (file_sha256, row_number)",
        "kept": "silver.order_lines",
        "duplicate": "ops.duplicates WHERE entity = 'order_lines'",
    }
    rows = {what: grown.rows(f"SELECT count(*) FROM {table}")[0][0] for what, table in counts.items()}
    assert min(rows.values()) > 0
    assert rows["in"] == rows["quarantined"] + rows["kept"] + rows["duplicate"]


def test_voided_lines_are_those_a_stack_of_open_sales_would_pair(shops):
    """The rule, once more and otherwise: a cancellation takes the sale on top of its stack, if it is recent enough."""
    _, fresh = shops
    lines = fresh.read("FROM silver.order_lines WHERE unit_price > 0 AND product_id != 'POST'")
    stacks, paired = defaultdict(list), set()
    for row in (
        lines.assign(negative=lines["quantity"] < 0)
        .sort_values(["ordered_at", "negative", "delivered_at", "file_sha256", "row_number"])
        .itertuples()
    ):
        if not isinstance(row.customer_id, str):
            continue
        stack = stacks[row.customer_id, row.product_id, row.unit_price, abs(row.quantity)]
        if not row.negative:
            stack.append(row)
        elif stack:
            sale = stack.pop()
            if row.ordered_at - sale.ordered_at <= timedelta(days=7):
                paired |= {row.order_line_id, sale.order_line_id}
    cancelled = (lines["status"] == "cancelled") | lines["is_order_cancelled"]
    expected = paired | set(lines.loc[cancelled & (lines["quantity"] > 0), "order_line_id"])
    assert len(paired) > 20
    assert set(lines.loc[lines["line_type"] == "voided", "order_line_id"]) == expected
