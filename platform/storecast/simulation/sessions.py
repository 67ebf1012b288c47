"""Visits to the webshop: what was looked at, put into the cart and bought."""

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np

from storecast.simulation.calendar import Days
from storecast.simulation.catalogue import Catalogue
from storecast.simulation.contracts import CHANNELS, WEBSHOP, ZONE
from storecast.simulation.customers import Customers
from storecast.simulation.moments import second_of_day, to_utc
from storecast.simulation.orders import OrderLines
from storecast.simulation.streams import Streams

EVENTS: Final = ("view", "cart", "purchase")
_VIEW, _CART, _PURCHASE = range(len(EVENTS))
TRACKED_ORDER_SHARE: Final = 0.10
"""Few buyers agree to be followed, so that most orders have no session."""
_VISITS_PER_UNIT: Final = 0.46
_CART_CHANCE: Final = 0.12
_LOGGED_IN_SHARE: Final = 0.45
_SECONDS_BETWEEN: Final = 40
_WEBSHOP: Final = CHANNELS.index(WEBSHOP)


@dataclass(frozen=True)
class Sessions:
    """Session events by day, begin of session and event; one array entry each."""

    day: np.ndarray
    session: np.ndarray
    """running number within the day, from 1"""
    event_number: np.ndarray
    moment: np.ndarray
    """datetime64[s] in UTC"""
    customer: np.ndarray
    """-1: not logged in"""
    product: np.ndarray
    event: np.ndarray
    """index into EVENTS"""

    def joined(self, other: Self) -> Self:
        """Return these events and then the other ones."""
        pairs = {item.name: (getattr(self, item.name), getattr(other, item.name)) for item in fields(self)}
        return replace(self, **{name: np.concatenate(pair) for name, pair in pairs.items()})


def make_sessions(
    lines: OrderLines,
    expected_units: np.ndarray,
    catalogue: Catalogue,
    customers: Customers,
    days: Days,
    streams: Streams,
) -> Sessions:
    """Return the visits without a purchase and those behind a tenth of the webshop's orders."""
    looking = _looking(expected_units[:, :, _WEBSHOP], catalogue, customers, days, streams)
    buying = _buying(lines, days, streams)
    both = looking.joined(replace(buying, session=buying.session + looking.session.max(initial=0)))
    return _numbered(both)


def _looking(
    interest: np.ndarray, catalogue: Catalogue, customers: Customers, days: Days, streams: Streams
) -> Sessions:
    """Visits follow demand, and so the advertising that drives it; goods are seen even when they are out of stock."""
    visits = streams.of("visits").poisson(_VISITS_PER_UNIT * interest.sum(axis=1))
    visit_day = np.repeat(np.arange(len(visits)), visits)
    draw = streams.of("visit moments").random((len(visit_day), 4))
    views = 1 + np.floor(np.log1p(-draw[:, 0]) / np.log(0.62)).astype("int64")
    session = np.repeat(np.arange(len(visit_day)), views)
    day = visit_day[session]
    seen = streams.of("visit views").random((len(session), 2))
    product = _pick_product(interest, day, seen[:, 0])
    first_view = np.append(0, np.cumsum(views))[:-1]
    buyer = customers.pick(catalogue.category[product[first_view]], visit_day, draw[:, 1])
    customer = np.where(draw[:, 2] < _LOGGED_IN_SHARE, buyer, -1)
    repeats = 1 + (seen[:, 1] < _CART_CHANCE)
    row = np.repeat(np.arange(len(session)), repeats)
    is_cart = np.append(False, row[1:] == row[:-1])[: len(row)]
    number = _positions(session[row])
    begin = to_utc(days.dates[visit_day], second_of_day(draw[:, 3]), ZONE)[session[row]]
    return Sessions(
        day=day[row],
        session=session[row],
        event_number=number,
        moment=begin + ((number - 1) * _SECONDS_BETWEEN).astype("timedelta64[s]"),
        customer=customer[session[row]],
        product=product[row],
        event=np.where(is_cart, _CART, _VIEW),
    )


def _buying(lines: OrderLines, days: Days, streams: Streams) -> Sessions:
    tracked = (streams.of("tracked orders").random(len(lines)) < TRACKED_ORDER_SHARE) & (lines.line_number == 1)
    is_kept = np.isin(lines.basket, lines.basket[tracked])
    kept = lines.take(is_kept & (lines.channel == _WEBSHOP) & (lines.dirt < 0) & ~lines.is_cancelled)
    row = np.repeat(np.arange(len(kept)), len(EVENTS))
    event = np.tile(np.arange(len(EVENTS)), len(kept))
    # Everything is looked at and put into the cart first; then the order buys all of it.
    order = np.lexsort((row, event == _PURCHASE, kept.basket[row]))
    row, event = row[order], event[order]
    basket = kept.basket[row]
    number = _positions(basket)
    _, sizes = np.unique(basket, return_counts=True)
    bought_at = to_utc(days.dates[kept.day], kept.second, ZONE)[row]
    return Sessions(
        day=kept.day[row],
        session=basket,
        event_number=number,
        moment=bought_at - ((np.repeat(sizes, sizes) - number) * _SECONDS_BETWEEN).astype("timedelta64[s]"),
        customer=kept.customer[row],
        product=kept.product[row],
        event=event,
    )


def _pick_product(interest: np.ndarray, day: np.ndarray, draw: np.ndarray) -> np.ndarray:
    """Return a product for each view by the interest in it that day, interest of shape (days, products)."""
    weight = np.cumsum(interest, axis=1)
    picked = np.empty(len(day), dtype="int64")
    edges = np.searchsorted(day, np.arange(len(interest) + 1))
    for today in np.flatnonzero(np.diff(edges)):
        views = slice(edges[today], edges[today + 1])
        picked[views] = np.searchsorted(weight[today], draw[views] * weight[today, -1], side="right")
    return np.minimum(picked, interest.shape[1] - 1)


def _positions(group: np.ndarray) -> np.ndarray:
    """Return each entry's place within its run of equal values, from 1.

    >>> _positions(np.array([4, 4, 9, 9, 9])).tolist()
    [1, 2, 1, 2, 3]
    """
    is_first = np.append(True, group[1:] != group[:-1])[: len(group)]
    first = np.flatnonzero(is_first)
    return np.arange(len(group)) - first[np.cumsum(is_first) - 1] + 1


def _numbered(events: Sessions) -> Sessions:
    """Sort by day, begin and event, and number the sessions of each day."""
    first, of_session = np.unique(events.session, return_index=True, return_inverse=True)[1:]
    began = events.moment[first][of_session]
    order = np.lexsort((events.event_number, events.session, began, events.day))
    events = replace(events, **{item.name: getattr(events, item.name)[order] for item in fields(events)})
    is_first = np.append(True, events.session[1:] != events.session[:-1])[: len(events.session)]
    running = np.cumsum(is_first)
    first_of_day = np.append(True, events.day[1:] != events.day[:-1])[: len(events.day)]
    before = running[np.maximum.accumulate(np.where(first_of_day, np.arange(len(running)), 0))] - 1
    return replace(events, session=running - before)
