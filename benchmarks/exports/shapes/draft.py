"""What a shape makes: tables of one or more deliveries, and how their mapping would name their columns."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from benchmarks.exports.dialects import Kind
from benchmarks.exports.sales import DAYS, FIRST_DAY, Line, Order, Product, orders_of, products_of
from benchmarks.exports.truth import Column, Part, Row, Table

HALF = FIRST_DAY + timedelta(DAYS // 2)


@dataclass(frozen=True)
class World:
    """What a shape draws from: its random numbers, the export's name, its shop's zone and currency, names of products.

    `first_number` is where the numbers of its orders begin, so that no two exports share one.
    """

    rng: random.Random
    name: str
    zone: str
    currency: str
    names: Sequence[str]
    is_dear: bool
    first_number: int

    def products(self, style: str | None = None) -> list[Product]:
        """Draw products."""
        return products_of(self.rng, self.names, is_dear=self.is_dear, style=style)

    def orders(self, products: Sequence[Product], *, by_weight: bool = False) -> list[Order]:
        """Draw orders."""
        return orders_of(self.rng, products, self.zone, self.first_number, by_weight=by_weight)


@dataclass
class Draft:
    """An export before its dialect and its slip.

    - `feeds`: keys of each feed besides those that the dialect adds; `files` is the middle of the glob.
    - `is_plain`: one table, one delivery, nothing that hangs on what other rows say: any slip may happen to it.
    - `has_first_rows`: what stands on an order's first row is missing on the others.
    """

    deliveries: list[list[Table]]
    feeds: list[dict[str, Any]]
    top: dict[str, Any] = field(default_factory=dict)
    kind: Kind = "csv"
    is_daily: bool = True
    is_plain: bool = True
    has_first_rows: bool = False

    @property
    def first_table(self) -> Table:
        """The table that most slips happen to."""
        return self.deliveries[0][0]


Shape = Callable[[World], Draft]

ORDER_ID, LINE, AT, SKU, NAME = "Order", "Line", "Created", "SKU", "Item name"
QUANTITY, PRICE, CUSTOMER = "Qty", "Price", "Customer"
HEADERS: Mapping[str, str] = {
    "order_id": ORDER_ID,
    "line_number": LINE,
    "ordered_at": AT,
    "product_id": SKU,
    "product_name": NAME,
    "quantity": QUANTITY,
    "unit_price": PRICE,
    "customer_id": CUSTOMER,
}
LINE_COLUMNS = (
    Column(ORDER_ID, "id"),
    Column(LINE, "whole"),
    Column(AT, "moment"),
    Column(SKU, "id"),
    Column(NAME, "text"),
    Column(QUANTITY, "number"),
    Column(PRICE, "money"),
    Column(CUSTOMER, "text"),
)
WITHOUT_LINE = tuple(column for column in LINE_COLUMNS if column.header != LINE)


def mapped(*names: str, **others: str) -> dict[str, str]:
    """Our columns by the headers above, and others beside."""
    return {**{name: HEADERS[name] for name in names}, **others}


NUMBERED = mapped(
    "order_id", "line_number", "ordered_at", "product_id", "product_name", "quantity", "unit_price", "customer_id"
)
UNNUMBERED = {ours: theirs for ours, theirs in NUMBERED.items() if ours != "line_number"}


def line_cells(order: Order, line: Line) -> dict[str, Any]:
    """The cells of a line."""
    return {
        ORDER_ID: order.order_id,
        LINE: Decimal(line.number),
        AT: order.at,
        SKU: line.product.product_id,
        NAME: line.product.name,
        QUANTITY: line.quantity,
        PRICE: line.product.price,
        CUSTOMER: order.customer,
    }


def sold(channel: str, order: Order, line: Line, gross: Decimal | None = None) -> Part:
    """What a sold line adds."""
    return Part(channel, line.product.product_id, order.day, line.quantity, line.amount if gross is None else gross)


def line_row(channel: str, order: Order, line: Line, **more: Any) -> Row:
    """A row of a sold line, with more cells."""
    return Row(
        {**line_cells(order, line), **more}, order.order_id, line is order.lines[0], (sold(channel, order, line),)
    )


def line_rows(channel: str, orders: Sequence[Order]) -> list[Row]:
    """A row a line."""
    return [line_row(channel, order, line) for order in orders for line in order.lines]


def order_lines(channel: str, columns: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """A feed of order lines."""
    return {"entity": "order_lines", "columns": dict(columns), "constants": {"channel": channel}, **more}
