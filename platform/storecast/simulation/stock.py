"""The one warehouse: what can be sold of what is wanted, and when it is filled again."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.catalogue import Catalogue
from storecast.simulation.streams import Streams

_LEARNING_SHARE: Final = 0.06
_LATE_CHANCE: Final = 0.06
_LOOK_AHEAD_DAYS: Final = 14
_LATEST_DAYS: Final = 15


@dataclass(frozen=True)
class Stock:
    """What the warehouse did: `sold_units` (days, products, channels), opening and closing units (days, products)."""

    sold_units: np.ndarray
    opening_units: np.ndarray
    closing_units: np.ndarray


@dataclass(frozen=True)
class _Policy:
    """Reorder at s = lead-time demand + safety, up to S = s + cover; days, shape (products,) each."""

    lead_days: np.ndarray
    cover_days: np.ndarray
    safety: np.ndarray

    def levels(self, daily_units: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (s, S) in whole units."""
        lead_units = daily_units * self.lead_days
        reorder = np.ceil(lead_units + self.safety * np.sqrt(lead_units + 1))
        return reorder, reorder + np.ceil(daily_units * self.cover_days + 1)


def run_warehouse(
    demanded_units: np.ndarray, discount_share: np.ndarray, catalogue: Catalogue, streams: Streams
) -> Stock:
    """Sell day by day from a stock that an (s, S) policy refills after a lead time, sometimes late.

    Channels share the stock; who is served first rotates by day. The buyer learns the pace from what was sold on days
    that ended with stock, adds a rule of thumb for the promotions of the next two weeks (`discount_share`, shape
    (planned days, products, channels)), and stops ordering 30 days before a product goes. Goods sent back are not sold
    again.
    """
    days, products, channels = demanded_units.shape
    draw = streams.of("supply").random((products, 3))
    policy = _Policy(3 + np.floor(9 * draw[:, 0]), 10 + np.floor(18 * draw[:, 1]), 1.4 + 1.2 * draw[:, 2])
    delays = _delays(days, products, streams)
    pace = catalogue.base_units.copy()
    arrivals = np.zeros((days + int(policy.lead_days.max()) + _LATEST_DAYS + 1, products))
    first_stock = policy.levels(pace)[1]
    begins = np.flatnonzero(catalogue.launch_day < days)
    arrivals[np.maximum(catalogue.launch_day[begins], 0), begins] = first_stock[begins]
    on_hand, on_order = np.zeros(products), np.zeros(products)
    sold = np.zeros(demanded_units.shape, dtype="int64")
    opening, closing = np.zeros((days, products), dtype="int64"), np.zeros((days, products), dtype="int64")
    for day in range(days):
        on_hand += arrivals[day]
        on_order = np.where(day == np.maximum(catalogue.launch_day, 0), on_order, on_order - arrivals[day])
        opening[day] = on_hand
        for turn in range(channels):
            channel = (day + turn) % channels
            sold[day, :, channel] = np.minimum(demanded_units[day, :, channel], on_hand)
            on_hand -= sold[day, :, channel]
        closing[day] = on_hand
        is_live = (day >= catalogue.launch_day) & (day <= catalogue.last_day - 30)
        pace = np.where(is_live & (on_hand > 0), pace + _LEARNING_SHARE * (sold[day].sum(axis=1) - pace), pace)
        lift = ((1 - discount_share[day : day + _LOOK_AHEAD_DAYS]) ** -2).mean(axis=(0, 2))
        reorder, full = policy.levels(pace * lift)
        wanted = np.where(is_live & (on_hand + on_order <= reorder), full - on_hand - on_order, 0)
        arrivals[(day + policy.lead_days + delays[day]).astype(int), np.arange(products)] += wanted
        on_order += wanted
    return Stock(sold, opening, closing)


def _delays(days: int, products: int, streams: Streams) -> np.ndarray:
    """Return how many days late an order placed on each day would come, shape (days, products)."""
    draw = streams.of("late deliveries").random((days, products, 2))
    return np.where(draw[:, :, 0] < _LATE_CHANCE, 5 + np.floor(draw[:, :, 1] * (_LATEST_DAYS - 5)), 0)
