"""The order files of the three channels, each in its own dialect, and which of their rows are dirty."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from storecast.simulation.catalogue import SELLERS
from storecast.simulation.contracts import (
    ALPHA,
    ALPHA_HEADER,
    BETA,
    BETA_HEADER,
    CHANNELS,
    CURRENCY,
    RETURNS_HEADER,
    WEBSHOP,
    ZONE,
)
from storecast.simulation.dirt import DUPLICATE, KINDS, code
from storecast.simulation.files import write_csv, write_lines
from storecast.simulation.moments import to_local, to_utc
from storecast.simulation.orders import OrderLines
from storecast.simulation.world import World

_BAD_QUANTITIES: Final = {code("quantity_text"): "abc", code("quantity_empty"): "", code("quantity_zero"): "0"}
_BAD_DATES: Final = {
    code("date_unparseable"): "2025-13-45T25:61:00",
    code("date_2099"): "2099-06-15T10:00:00",
    code("date_1970"): "1970-01-01T00:00:00",
}


@dataclass(frozen=True)
class DirtyRow:
    """A spoiled row: its file below the source folder, its number there from 1, and what a good reader does.

    `kept_row_number` is the row that a duplicate repeats: the last of rows with one key is the one to keep.
    """

    file: str
    row_number: int
    kind: str
    expected: str
    kept_row_number: int | None


@dataclass(frozen=True)
class _Line:
    """One row of an order file as text, dirt included; `moment` is ISO without an offset."""

    order_id: str
    line_number: int
    moment: str
    sku: str
    name: str
    quantity: str
    price: str
    customer_id: str
    country: str
    is_cancelled: bool
    seller_id: str
    currency: str


def order_ids(lines: OrderLines) -> np.ndarray:
    """Return each line's order id in its channel's style, as text; beta's numbers have leading zeros."""
    numbers = lines.order_numbers().tolist()
    styles = {WEBSHOP: "W-{:06d}", ALPHA: "302-{:07d}", BETA: "{:08d}"}
    first = {WEBSHOP: 100_000, ALPHA: 0, BETA: 0}
    names = [CHANNELS[channel] for channel in lines.channel]
    texts = [styles[name].format(first[name] + number) for name, number in zip(names, numbers, strict=True)]
    return np.array(texts, dtype=object)


def write_order_files(world: World, folder: Path) -> list[DirtyRow]:
    """Write one file per channel and month, and return their dirty rows."""
    writers = {
        WEBSHOP: ("orders/webshop-{}.jsonl", _write_webshop),
        ALPHA: ("marketplaces/alpha-{}.csv", _write_alpha),
        BETA: ("marketplaces/beta-{}.csv", _write_beta),
    }
    ids = order_ids(world.lines)
    dirty = []
    for number, channel in enumerate(CHANNELS):
        pattern, write = writers[channel]
        rows = np.flatnonzero(world.lines.channel == number)
        edges = np.searchsorted(world.lines.day[rows], [begin for _, begin, _ in world.months()])
        for (month, _, _), part in zip(world.months(), np.split(rows, edges[1:]), strict=True):
            name = pattern.format(month)
            write(folder / name, list(_texts(world, part, ids[part], is_utc=channel == WEBSHOP)))
            dirty += _dirty_rows(name, world.lines.dirt[part])
    return dirty


def write_returns(world: World, folder: Path) -> list[str]:
    """Write one file of returns a month, and return the return ids in the order of `world.returns`."""
    ids = [f"R-{number + 1:06d}" for number in range(len(world.returns.line))]
    lines = world.lines.take(world.returns.line)
    columns = (
        ids,
        order_ids(world.lines)[world.returns.line].tolist(),
        lines.line_number.tolist(),
        [world.catalogue.product_ids[product] for product in lines.product],
        world.returns.quantity.tolist(),
        [f"{price:.2f}" for price in lines.unit_price_eur],
        [f"{moment}Z" for moment in np.datetime_as_string(world.returns.moment, unit="s")],
        [CHANNELS[channel] for channel in lines.channel],
        world.customers.ids[lines.customer].tolist(),
    )
    rows = list(zip(*columns, strict=True))
    for month, begin, end in world.months():
        first, last = np.searchsorted(world.returns.day, [begin, end])
        write_csv(folder / f"orders/returns-{month}.csv", RETURNS_HEADER, rows[first:last])
    return ids


def _dirty_rows(file: str, dirt: np.ndarray) -> list[DirtyRow]:
    rows = []
    for position in np.flatnonzero(dirt >= 0).tolist():
        kind = KINDS[dirt[position]]
        # The copy stands right before the line it repeats.
        kept = position + 2 if kind.expected == DUPLICATE else None
        rows.append(DirtyRow(file, position + 1, kind.name, kind.expected, kept))
    return rows


def _texts(world: World, rows: np.ndarray, ids: np.ndarray, *, is_utc: bool) -> Iterator[_Line]:
    lines = world.lines.take(rows)
    dates = world.days.dates[lines.day]
    moments = np.datetime_as_string(
        to_utc(dates, lines.second, ZONE) if is_utc else to_local(dates, lines.second), unit="s"
    ).tolist()
    countries = world.customers.countries[lines.customer]
    customer_ids = world.customers.ids[lines.customer]
    prices = np.where(lines.dirt == code("price_negative"), -lines.unit_price_eur, lines.unit_price_eur).tolist()
    products, dirt = lines.product.tolist(), lines.dirt.tolist()
    for position, (product, kind) in enumerate(zip(products, dirt, strict=True)):
        yield _Line(
            order_id=ids[position],
            line_number=int(lines.line_number[position]),
            moment=_BAD_DATES.get(kind, moments[position]),
            sku="" if kind == code("sku_missing") else world.catalogue.product_ids[product],
            name=world.catalogue.names[product],
            quantity=_BAD_QUANTITIES.get(kind, str(lines.quantity[position])),
            price=f"{prices[position]:.2f}",
            customer_id=customer_ids[position],
            country=countries[position],
            is_cancelled=bool(lines.is_cancelled[position]),
            seller_id=SELLERS[world.catalogue.seller[product]][0],
            currency="USD" if kind == code("currency_usd") else CURRENCY,
        )


def _write_webshop(path: Path, lines: list[_Line]) -> None:
    write_lines(path, (_order_json(list(group)) for _, group in groupby(lines, key=lambda line: line.order_id)))


def _order_json(lines: list[_Line]) -> str:
    head = lines[0]
    order = {
        "id": head.order_id,
        "created_at": f"{head.moment}Z",
        "status": "cancelled" if head.is_cancelled else "shipped",
        "currency": head.currency,
        "customer": {"id": head.customer_id, "country": head.country},
        "lines": [
            {
                "line": line.line_number,
                "sku": line.sku,
                "name": line.name,
                "qty": int(line.quantity) if line.quantity.isdecimal() else line.quantity,
                "price": float(line.price),
                "seller": line.seller_id,
            }
            for line in lines
        ],
    }
    return json.dumps(order, ensure_ascii=False)


def _write_alpha(path: Path, lines: list[_Line]) -> None:
    rows = (
        (
            line.order_id,
            line.line_number,
            line.moment.replace("T", " "),
            line.sku,
            line.name,
            line.quantity,
            line.price,
            line.customer_id,
            line.country,
            "Canceled" if line.is_cancelled else "Shipped",
            line.seller_id,
        )
        for line in lines
    )
    write_csv(path, ALPHA_HEADER, rows)


def _write_beta(path: Path, lines: list[_Line]) -> None:
    rows = (
        (
            line.order_id,
            line.line_number,
            _german(line.moment),
            line.sku,
            line.name,
            line.quantity,
            line.price.replace(".", ","),
            line.customer_id,
            line.country,
            "storniert" if line.is_cancelled else "versandt",
            line.seller_id,
        )
        for line in lines
    )
    write_csv(path, BETA_HEADER, rows, delimiter=";")


def _german(moment: str) -> str:
    """Turn an ISO moment into beta's style.

    >>> _german("2025-03-01T14:22:05")
    '01.03.2025 14:22:05'
    """
    date, time = moment.split("T")
    return f"{'.'.join(reversed(date.split('-')))} {time}"
