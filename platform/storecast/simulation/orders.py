"""From units sold to orders: baskets, buyers, moments, cancellations and returns."""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np

from storecast.simulation.calendar import Days
from storecast.simulation.catalogue import Catalogue
from storecast.simulation.contracts import CHANNELS, ZONE
from storecast.simulation.customers import Customers
from storecast.simulation.moments import second_of_day, to_utc
from storecast.simulation.streams import Streams

CANCELLED_SHARE: Final = 0.02
"""Cancelled orders come on top of demand: they take nothing from stock and are no sale."""
_SAME_LINE_CHANCE: Final = 0.18
_SAME_BASKET_CHANCE: Final = 0.36
_FIRST_RETURN_DAYS: Final = 8
_RETURN_SPAN_DAYS: Final = 24


@dataclass(frozen=True)
class OrderLines:
    """Order lines, one array entry each, in order of day, channel, moment, basket and line."""

    day: np.ndarray
    channel: np.ndarray
    product: np.ndarray
    quantity: np.ndarray
    unit_price_eur: np.ndarray
    is_cancelled: np.ndarray
    customer: np.ndarray
    second: np.ndarray
    """second of the local day"""
    basket: np.ndarray
    """lines of one order share it"""
    line_number: np.ndarray
    dirt: np.ndarray
    """index into dirt.KINDS, or -1 for a clean line"""

    def __len__(self) -> int:
        return len(self.day)

    def take(self, rows: np.ndarray) -> Self:
        """Return the lines at these positions, or where a mask is true."""
        return replace(self, **{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def joined(self, other: Self) -> Self:
        """Return these lines and then the other ones."""
        pairs = {item.name: (getattr(self, item.name), getattr(other, item.name)) for item in fields(self)}
        return replace(self, **{name: np.concatenate(pair) for name, pair in pairs.items()})

    def order_numbers(self) -> np.ndarray:
        """Return each line's order number: from 1 in each channel, in the order of the lines."""
        number = np.zeros(len(self), dtype="int64")
        for channel in range(len(CHANNELS)):
            here = self.channel == channel
            number[here] = np.cumsum(_starts(self.basket[here]))
        return number


@dataclass(frozen=True)
class Returns:
    """Goods sent back, by moment of return; `line` points into the order lines."""

    line: np.ndarray
    quantity: np.ndarray
    day: np.ndarray
    moment: np.ndarray
    """datetime64[s] in UTC"""


def make_orders(
    sold_units: np.ndarray,
    cancelled_units: np.ndarray,
    offer_price_eur: np.ndarray,
    catalogue: Catalogue,
    customers: Customers,
    streams: Streams,
) -> OrderLines:
    """Pack units (days, products, channels) into orders: each sold unit is in one line that is not cancelled."""
    shipped = _pack(sold_units, False, offer_price_eur, catalogue, customers, streams)
    cancelled = _pack(cancelled_units, True, offer_price_eur, catalogue, customers, streams)
    lines = shipped.joined(replace(cancelled, basket=cancelled.basket + len(shipped)))
    order = np.lexsort((lines.line_number, lines.basket, lines.is_cancelled, lines.second, lines.channel, lines.day))
    lines = lines.take(order)
    return replace(lines, basket=np.cumsum(_starts(lines.basket)))


def make_cancellations(expected_units: np.ndarray, streams: Streams) -> np.ndarray:
    """Return the units ordered and cancelled before they left, shape (days, products, channels)."""
    return streams.of("cancelled units").poisson(CANCELLED_SHARE * expected_units)


def make_returns(lines: OrderLines, catalogue: Catalogue, days: Days, streams: Streams) -> Returns:
    """Send back some of the clean, delivered lines 8 to 31 days later, by the last day; whole or one unit."""
    draw = streams.of("returns").random((len(lines), 5))
    is_back = (draw[:, 0] < catalogue.return_share[lines.product]) & ~lines.is_cancelled & (lines.dirt < 0)
    day = lines.day + _FIRST_RETURN_DAYS + np.floor(_RETURN_SPAN_DAYS * draw[:, 1]).astype("int64")
    line = np.flatnonzero(is_back & (day < len(days.dates)))
    moment = to_utc(days.dates[day[line]], second_of_day(draw[line, 2]), ZONE)
    order = np.lexsort((line, moment, day[line]))
    line = line[order]
    return Returns(
        line=line,
        quantity=np.where(draw[line, 3] < 0.8, lines.quantity[line], 1),
        day=day[line],
        moment=moment[order],
    )


def _pack(
    units: np.ndarray,
    is_cancelled: bool,
    offer_price_eur: np.ndarray,
    catalogue: Catalogue,
    customers: Customers,
    streams: Streams,
) -> OrderLines:
    name = "cancelled" if is_cancelled else "shipped"
    cell = np.repeat(np.flatnonzero(units), units[units > 0])
    is_new_line = _starts(cell) | (streams.of(f"{name} lines").random(len(cell)) >= _SAME_LINE_CHANCE)
    cell, quantity = cell[is_new_line], np.diff(np.flatnonzero(np.append(is_new_line, True)))
    draw = streams.of(f"{name} baskets").random((len(cell), 4))
    # Neighbours in a channel's day make baskets; blurring the category's rank puts related goods next to each other.
    day, product, channel = np.unravel_index(cell, units.shape)
    order = np.lexsort((catalogue.category[product] + 2.5 * draw[:, 0], channel, day))
    cell, quantity, draw = cell[order], quantity[order], draw[order]
    day, product, channel = np.unravel_index(cell, units.shape)
    # An order does not list a product twice in a row.
    is_first = _starts(day) | _starts(channel) | ~_starts(product) | (draw[:, 1] >= _SAME_BASKET_CHANCE)
    basket = np.cumsum(is_first) - 1
    first = np.flatnonzero(is_first)
    customer = customers.pick(catalogue.category[product[first]], day[first], draw[first, 2])
    return OrderLines(
        day=day,
        channel=channel,
        product=product,
        quantity=quantity,
        unit_price_eur=offer_price_eur[day, product, channel],
        is_cancelled=np.full(len(day), is_cancelled),
        customer=customer[basket],
        second=second_of_day(draw[first, 3])[basket],
        basket=basket,
        line_number=np.arange(len(day)) - first[basket] + 1,
        dirt=np.full(len(day), -1),
    )


def _starts(values: np.ndarray) -> np.ndarray:
    """Return where a value differs from the one before; true for the first."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]
