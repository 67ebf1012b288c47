"""Exports of sums instead of orders: hourly, a row a store, weekly."""

from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.exports.sales import DAYS, FIRST_DAY, Product
from benchmarks.exports.shapes.draft import PRICE, SKU, Draft, World
from benchmarks.exports.truth import Column, Part, Row, Table

WHEN, UNITS, STORE = "When", "Units", "Store"


def hourly(world: World) -> Draft:
    """Several rows a product and day, an hour each."""
    rows = []
    for product in world.products():
        for day in range(DAYS):
            for hour in world.rng.sample(range(9, 21), 3):
                start = datetime.combine(FIRST_DAY + timedelta(day), time(hour), ZoneInfo(world.zone))
                rows.append(_row(world, product, start))
    return _draft(world, rows, (Column(SKU, "id"), Column(WHEN, "moment"), Column(UNITS, "number")))


def stores(world: World) -> Draft:
    """A row a store, product and day, where the mapping knows one channel only."""
    rows = []
    for product in world.products():
        for day in range(DAYS):
            for store in range(1, 4):
                row = _row(world, product, _midnight(world, day))
                row.cells |= {STORE: f"store {store}", WHEN: FIRST_DAY + timedelta(day)}
                rows.append(row)
    columns = (Column(STORE, "text"), Column(SKU, "id"), Column(WHEN, "day"), Column(UNITS, "number"))
    return _draft(world, rows, columns)


def weekly(world: World) -> Draft:
    """A row a product and week, dated by its Monday."""
    rows = []
    for product in world.products():
        for day in range(0, DAYS, 7):
            row = _row(world, product, _midnight(world, day))
            row.cells[WHEN] = FIRST_DAY + timedelta(day)
            rows.append(row)
    draft = _draft(world, rows, (Column(SKU, "id"), Column(WHEN, "day"), Column(UNITS, "number")))
    draft.is_daily = False
    return draft


def _midnight(world: World, day: int) -> datetime:
    return datetime.combine(FIRST_DAY + timedelta(day), time(), ZoneInfo(world.zone))


def _row(world: World, product: Product, start: datetime) -> Row:
    units = Decimal(world.rng.randint(1, 9))
    cells = {SKU: product.product_id, WHEN: start, UNITS: units, PRICE: product.price}
    part = Part(world.name, product.product_id, start.date(), units, units * product.price)
    return Row(cells, f"{product.product_id} {start}", parts=(part,))


def _draft(world: World, rows: list[Row], columns: tuple[Column, ...]) -> Draft:
    rows.sort(key=lambda row: str(row.cells[WHEN]))
    feed: dict[str, Any] = {
        "entity": "daily_sales",
        "columns": {"product_id": SKU, "date": WHEN, "units": UNITS, "unit_price": PRICE},
        "constants": {"channel": world.name},
    }
    return Draft([[Table("sales", (*columns, Column(PRICE, "money")), rows)]], [feed])
