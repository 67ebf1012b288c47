"""Exports of several files: overlapping reports, deltas, snapshots, periods, a file written over."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from benchmarks.exports.sales import DAYS, FIRST_DAY, Order
from benchmarks.exports.shapes.draft import (
    AT,
    HALF,
    LINE_COLUMNS,
    NUMBERED,
    PRICE,
    QUANTITY,
    UNNUMBERED,
    WITHOUT_LINE,
    Draft,
    World,
    line_row,
    line_rows,
    order_lines,
)
from benchmarks.exports.truth import Column, Row, Table

STATE: Final = "order-status"
STATES: Final = {"Shipped": "shipped", "Cancelled": "cancelled", "Pending": "placed"}
NAMED_BY: Final = ("orders_%Y-%m-%d", "orders-%Y%m%d", "export %d.%m.%Y", "%d-%m-%Y_orders")
"""How a file's name says its day."""


def overlapping_reports(world: World) -> Draft:
    """Three reports without line numbers: what was pending in one is shipped or cancelled in the next."""
    columns = (*WITHOUT_LINE, Column(STATE, "text"))
    cuts = [FIRST_DAY + timedelta(DAYS * part // 3) for part in (1, 2, 3)]
    tables = [Table(f"report-{number}", columns, []) for number in (1, 2, 3)]
    for order in world.orders(world.products()):
        is_cancelled = world.rng.random() < 0.15
        first = next(number for number, cut in enumerate(cuts) if order.day < cut)
        is_pending = first < 2 and order.day >= cuts[first] - timedelta(6)
        final = "Cancelled" if is_cancelled else "Shipped"
        if is_pending:
            tables[first].rows += [_reported(world, order, number, "Pending", counts=False) for number in _all(order)]
        own = tables[first + is_pending].rows
        own += [_reported(world, order, number, final, counts=not is_cancelled) for number in _all(order)]
    feed = order_lines(world.name, {**UNNUMBERED, "status": STATE}, values={"status": dict(STATES)})
    return Draft([tables], [feed], is_plain=False)


def _all(order: Order) -> range:
    return range(len(order.lines))


def _reported(world: World, order: Order, number: int, state: str, *, counts: bool) -> Row:
    row = line_row(world.name, order, order.lines[number], **{STATE: state})
    if not counts:
        row.parts = ()
    if state == "Cancelled":
        row.cells |= {QUANTITY: Decimal(), PRICE: None}
    return row


def deltas(world: World) -> Draft:
    """The second file brings new days, and lines of the first one again with another quantity."""
    old, new = _halves(world)
    changed = [_changed(order) for order in old if world.rng.random() < 0.2]
    again = {order.order_id for order in changed}
    first = line_rows(world.name, old)
    for row in first:
        row.parts = () if row.order in again else row.parts
    tables = [
        _dated(world, HALF, first),
        _dated(world, FIRST_DAY + timedelta(DAYS), line_rows(world.name, [*changed, *new])),
    ]
    return _of_files(world, tables)


def snapshots(world: World) -> Draft:
    """Each file holds all there is, so the newest alone is true: lines left, lines changed, lines came."""
    old, new = _halves(world)
    kept = [_changed(order) if world.rng.random() < 0.2 else order for order in old if world.rng.random() < 0.9]
    tables = [
        _dated(world, HALF, _uncounted(line_rows(world.name, old))),
        _dated(world, FIRST_DAY + timedelta(DAYS), line_rows(world.name, [*kept, *new])),
    ]
    return _of_files(world, tables, delivery="snapshots")


def periods(world: World) -> Draft:
    """Each file replaces its days: the second one begins a week before the first one ends, and has all its days."""
    orders = world.orders(world.products())
    from_day = HALF - timedelta(7)
    first = [row for order in orders if order.day < from_day for row in _rows(world, order)]
    first += _uncounted([row for order in orders if from_day <= order.day < HALF for row in _rows(world, order)])
    later = [order for order in orders if order.day >= from_day]
    firsts = {order.day: order for order in reversed(later)}
    kept = [order for order in later if order.day >= HALF or firsts[order.day] is order or world.rng.random() < 0.8]
    second = [row for order in kept for row in _rows(world, order)]
    tables = [_dated(world, HALF, first), _dated(world, FIRST_DAY + timedelta(DAYS), second)]
    return _of_files(world, tables, delivery="periods")


def corrected_file(world: World) -> Draft:
    """A file that is written over by its corrected version, after a first run."""
    orders = world.orders(world.products())
    kept = [_changed(order) if world.rng.random() < 0.1 else order for order in orders]
    kept = [order for order in kept if world.rng.random() < 0.9]
    columns, mapping = (LINE_COLUMNS, NUMBERED) if world.rng.random() < 0.5 else (WITHOUT_LINE, UNNUMBERED)
    versions = [_uncounted(line_rows(world.name, orders)), line_rows(world.name, kept)]
    deliveries = [[Table("orders", columns, rows)] for rows in versions]
    return Draft(deliveries, [order_lines(world.name, mapping)], is_plain=False)


def _halves(world: World) -> tuple[list[Order], list[Order]]:
    orders = world.orders(world.products())
    return [order for order in orders if order.day < HALF], [order for order in orders if order.day >= HALF]


def _changed(order: Order) -> Order:
    """The order with one more of each."""
    return replace(order, lines=tuple(replace(line, quantity=line.quantity + 1) for line in order.lines))


def _rows(world: World, order: Order) -> list[Row]:
    return line_rows(world.name, [order])


def _uncounted(rows: Sequence[Row]) -> list[Row]:
    """Rows that a later file replaces or withdraws."""
    return [replace(row, parts=()) for row in rows]


def _dated(world: World, day: date, rows: list[Row]) -> Table:
    """A file whose name may say its day."""
    rows.sort(key=lambda row: row.cells[AT])
    return Table(day.strftime(NAMED_BY[int(world.first_number / 10_000) % len(NAMED_BY)]), LINE_COLUMNS, rows)


def _of_files(world: World, tables: list[Table], **more: str) -> Draft:
    """Both files at once, or the second one in a second run."""
    deliveries = [tables] if world.rng.random() < 0.5 else [[table] for table in tables]
    return Draft(deliveries, [order_lines(world.name, NUMBERED, **more)], is_plain=False)
