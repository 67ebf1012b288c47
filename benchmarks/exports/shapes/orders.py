"""Exports of orders: a row a line with and without numbers, order fields on the first row, other file formats."""

from decimal import Decimal
from typing import Any, Final

from benchmarks.exports.sales import Order, Product
from benchmarks.exports.shapes.draft import (
    AT,
    CUSTOMER,
    LINE_COLUMNS,
    NUMBERED,
    ORDER_ID,
    SKU,
    UNNUMBERED,
    WITHOUT_LINE,
    Draft,
    World,
    line_cells,
    line_row,
    line_rows,
    mapped,
    order_lines,
    sold,
)
from benchmarks.exports.truth import Column, Part, Row, Table

STATE, CURRENCY, RETURNED = "Financial Status", "Currency", "Returned"
STATES: Final = {"paid": "shipped", "pending": "placed", "voided": "cancelled", "refunded": "returned"}
BY_STATE: Final = ("paid", "paid", "paid", "paid", "pending", "voided", "refunded")


def numbered_lines(world: World) -> Draft:
    """A row a line, with line numbers; sometimes goods by weight."""
    orders = world.orders(world.products(), by_weight=world.rng.random() < 0.25)
    return Draft([[Table("orders", LINE_COLUMNS, line_rows(world.name, orders))]], [order_lines(world.name, NUMBERED)])


def unnumbered_lines(world: World) -> Draft:
    """A row a line without numbers; now and then two pieces of a product are two rows that are alike."""
    rows = []
    for order in world.orders(world.products()):
        for line in order.lines:
            row = line_row(world.name, order, line)
            rows += [row] * (2 if world.rng.random() < 0.05 else 1)
    return Draft([[Table("orders", WITHOUT_LINE, rows)]], [order_lines(world.name, UNNUMBERED)])


def first_row_orders(world: World) -> Draft:
    """State, currency and customer stand on an order's first row only; some orders are voided or refunded."""
    has_moment_on_each = world.rng.random() < 0.6
    columns = (*WITHOUT_LINE, Column(STATE, "text"), Column(CURRENCY, "text"))
    rows: list[Row] = []
    for order in world.orders(world.products()):
        state = world.rng.choice(BY_STATE)
        for line in order.lines:
            is_first = line is order.lines[0]
            cells = {**line_cells(order, line), STATE: state, CURRENCY: world.currency}
            blank = (STATE, CURRENCY, CUSTOMER, *(() if has_moment_on_each else (AT,)))
            kept = cells if is_first else {**cells, **dict.fromkeys(blank, None)}
            rows.append(Row(kept, order.order_id, is_first, _by_state(world.name, order, line, state)))
    feed = order_lines(
        world.name, {**UNNUMBERED, "status": STATE, "currency": CURRENCY}, values={"status": dict(STATES)}
    )
    return Draft([[Table("orders", columns, rows)]], [feed], has_first_rows=True)


def first_row_orders_twice(world: World) -> Draft:
    """The same with a feed of orders made from the same file."""
    draft = first_row_orders(world)
    columns = mapped("order_id", "ordered_at", "customer_id", status=STATE)
    orders = {
        "entity": "orders",
        "name": f"{world.name}_orders",
        "columns": columns,
        "constants": {"channel": world.name},
        "values": {"status": dict(STATES)},
    }
    draft.feeds.append(orders)
    return draft


def _by_state(channel: str, order: Order, line: Any, state: str) -> tuple[Part, ...]:
    if state == "voided":
        return ()
    part = sold(channel, order, line)
    if state == "refunded":
        return (Part(part.channel, part.product, part.day, part.units, part.gross, part.gross),)
    return (part,)


def returned_state(world: World) -> Draft:
    """A line that came back keeps its positive quantity; its state says so, sometimes with a day of return."""
    has_day = world.rng.random() < 0.5
    columns = (*LINE_COLUMNS, Column(STATE, "text"), *((Column(RETURNED, "moment"),) if has_day else ()))
    rows = []
    for order in world.orders(world.products()):
        for line in order.lines:
            state = world.rng.choice(("paid", "paid", "paid", "refunded"))
            row = line_row(world.name, order, line, **{STATE: state})
            row.parts = _by_state(world.name, order, line, state)
            if state == "refunded":
                row.cells[RETURNED] = order.at
            rows.append(row)
    mapping = {**NUMBERED, "status": STATE, **({"returned_at": RETURNED} if has_day else {})}
    feed = order_lines(world.name, mapping, values={"status": dict(STATES)})
    return Draft([[Table("orders", columns, rows)]], [feed])


def negative_lines(world: World) -> Draft:
    """What comes back is a line of its own with a negative quantity, in an order of its own or in the old one."""
    rows = []
    for order in world.orders(world.products()):
        for line in order.lines:
            rows.append(line_row(world.name, order, line))
            if world.rng.random() < 0.15:
                cells = {**rows[-1].cells, "Line": Decimal(line.number + 50), "Qty": -line.quantity}
                part = Part(world.name, line.product.product_id, order.day, returned=line.amount)
                rows.append(Row(cells, order.order_id, False, (part,)))
    return Draft([[Table("orders", LINE_COLUMNS, rows)]], [order_lines(world.name, NUMBERED)])


def two_channels(world: World) -> Draft:
    """Two channels, a file each, that number their orders alike."""
    tables, feeds = [], []
    products = world.products()
    for letter in "ab":
        channel = f"{world.name}{letter}"
        tables.append(Table(f"{letter}-orders", LINE_COLUMNS, line_rows(channel, world.orders(products))))
        feeds.append(order_lines(channel, NUMBERED, name=channel, files=f"{letter}-*"))
    return Draft([tables], feeds, is_plain=False)


def nested_items(world: World) -> Draft:
    """JSON lines, an order a line, its items in a list."""
    columns = (
        Column(ORDER_ID, "id"),
        Column(AT, "moment"),
        Column(CUSTOMER, "text"),
        Column("item_sku", "id"),
        Column("item_name", "text"),
        Column("item_quantity", "number"),
        Column("item_price", "money"),
    )
    rows = []
    for order in world.orders(world.products()):
        for line in order.lines:
            row = line_row(world.name, order, line)
            items = dict(zip(("sku", "name", "quantity", "price"), ("SKU", "Item name", "Qty", "Price"), strict=True))
            row.cells |= {f"item_{ours}": row.cells[theirs] for ours, theirs in items.items()}
            rows.append(row)
    mapping = {
        "order_id": f"$.{ORDER_ID}",
        "ordered_at": f"$.{AT}",
        "customer_id": f"$.{CUSTOMER}",
        "product_id": "$.items[*].sku",
        "product_name": "$.items[*].name",
        "quantity": "$.items[*].quantity",
        "unit_price": "$.items[*].price",
    }
    return Draft([[Table("orders", columns, rows)]], [order_lines(world.name, mapping)], kind="jsonl", is_plain=False)


def workbook(world: World) -> Draft:
    """An Excel workbook, typed or as text."""
    draft = numbered_lines(world)
    draft.kind = "excel"
    return draft


def float_ids(world: World) -> Draft:
    """Parquet whose ids are doubles, and the rest of the days in delimited text with the same ids."""
    products = world.products(style="{}")
    rows = line_rows(world.name, world.orders(products))
    draft = Draft([[Table("orders", LINE_COLUMNS, rows)]], [order_lines(world.name, NUMBERED)], kind="parquet")
    if world.rng.random() < 0.5:
        half = len(rows) // 2
        while rows[half].order == rows[half - 1].order:
            half += 1
        draft.deliveries = [
            [Table("old", LINE_COLUMNS, rows[:half]), Table("new", LINE_COLUMNS, rows[half:], ending=".csv")]
        ]
        draft.feeds = [
            order_lines(world.name, NUMBERED, name=f"{world.name}_{stem}", files=f"{stem}*", kind=kind)
            for stem, kind in (("old", "parquet"), ("new", "csv"))
        ]
        draft.is_plain = False
    return draft


def charges(world: World) -> Draft:
    """Shipping and gift cards are lines too; the mapping says that they are no products."""
    others = [("SHIPPING", "Shipping", "4.90"), ("GIFT-25", "Gift card", "25.00"), ("GIFT-50", "Gift card", "50.00")]
    rows = []
    for order in world.orders(world.products()):
        rows += [line_row(world.name, order, line) for line in order.lines]
        if world.rng.random() < 0.5:
            charge = Product(*world.rng.choice(others)[:2], Decimal("4.90"))
            cells = {
                **rows[-1].cells,
                "Line": Decimal(len(order.lines) + 1),
                SKU: charge.product_id,
                "Item name": charge.name,
                "Qty": Decimal(1),
                "Price": charge.price,
            }
            rows.append(Row(cells, order.order_id, carries=False))
    feed = order_lines(world.name, NUMBERED)
    return Draft([[Table("orders", LINE_COLUMNS, rows)]], [feed], top={"non_products": ["SHIPPING", "GIFT-*"]})
