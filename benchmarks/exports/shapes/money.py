"""Exports that hold money in other ways than price of a piece: totals of lines, discounts, taxes."""

from decimal import Decimal
from typing import Any, Final

from benchmarks.exports.sales import CENT
from benchmarks.exports.shapes.draft import (
    LINE_COLUMNS,
    NUMBERED,
    PRICE,
    Draft,
    World,
    line_row,
    order_lines,
    sold,
)
from benchmarks.exports.truth import Column, Row, Table

TOTAL, DISCOUNT, TAX = "Total", "Discount", "Tax"
RATE: Final = Decimal("0.19")


def line_totals(world: World) -> Draft:
    """The price column is the line's total."""
    columns = tuple(Column(TOTAL, "money") if column.header == PRICE else column for column in LINE_COLUMNS)
    rows = [
        line_row(world.name, order, line, **{TOTAL: line.amount})
        for order in world.orders(world.products())
        for line in order.lines
    ]
    return _draft(world, columns, rows, {**NUMBERED, "unit_price": TOTAL}, price_is="line_total")


def line_discounts(world: World) -> Draft:
    """A column of money taken off each line."""
    rows: list[Row] = []
    for order in world.orders(world.products()):
        for line in order.lines:
            off = (line.amount * world.rng.randint(0, 30) / 100).quantize(CENT)
            row = line_row(world.name, order, line, **{DISCOUNT: off})
            row.parts = (sold(world.name, order, line, line.amount - off),)
            rows.append(row)
    return _draft(world, (*LINE_COLUMNS, Column(DISCOUNT, "money")), rows, discount={"column": DISCOUNT, "of": "line"})


def order_discounts(world: World) -> Draft:
    """A column of money taken off the whole order, on its first row or on each of them."""
    is_on_each = world.rng.random() < 0.5
    rows: list[Row] = []
    for order in world.orders(world.products()):
        total = sum((line.amount for line in order.lines), Decimal())
        off = (total * world.rng.choice((0, 0, 5, 20)) / 100).quantize(CENT)
        for line in order.lines:
            is_first = line is order.lines[0]
            row = line_row(world.name, order, line, **{DISCOUNT: off if is_first or is_on_each else None})
            row.parts = (sold(world.name, order, line, line.amount - (off if is_first else 0)),)
            row.carries |= off > 0  # whose share of it a line is, nobody knows: no line of it goes astray alone
            rows.append(row)
    columns = (*LINE_COLUMNS, Column(DISCOUNT, "money"))
    draft = _draft(world, columns, rows, discount={"column": DISCOUNT, "of": "order"})
    draft.has_first_rows = True
    return draft


def tax_included(world: World) -> Draft:
    """Prices with tax in them: a column says how much, or the mapping knows the rate."""
    has_column = world.rng.random() < 0.6
    rows: list[Row] = []
    for order in world.orders(world.products()):
        for line in order.lines:
            net = line.amount / (1 + RATE)
            tax = (line.amount - net).quantize(CENT)
            row = line_row(world.name, order, line, **{TAX: tax})
            row.parts = (sold(world.name, order, line, line.amount - tax if has_column else net),)
            rows.append(row)
    columns = (*LINE_COLUMNS, *((Column(TAX, "money"),) if has_column else ()))
    said: dict[str, Any] = (
        {"column": TAX, "of": "line", "is": "included"} if has_column else {"rate": float(RATE), "is": "included"}
    )
    return _draft(world, columns, rows, tax=said)


def tax_added(world: World) -> Draft:
    """Prices without tax, which a column adds."""
    rows = [
        line_row(world.name, order, line, **{TAX: (line.amount * RATE).quantize(CENT)})
        for order in world.orders(world.products())
        for line in order.lines
    ]
    said = {"column": TAX, "of": "line", "is": "added"}
    return _draft(world, (*LINE_COLUMNS, Column(TAX, "money")), rows, tax=said)


def _draft(
    world: World,
    columns: tuple[Column, ...],
    rows: list[Row],
    mapping: dict[str, str] = NUMBERED,
    **more: Any,
) -> Draft:
    return Draft([[Table("orders", columns, rows)]], [order_lines(world.name, mapping, **more)])
