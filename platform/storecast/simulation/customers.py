"""Who buys: customers, when they signed up, and what they like."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.catalogue import CATEGORIES
from storecast.simulation.streams import Streams

TASTE_FACTORS: Final = 3
_FIRST_CUSTOMERS_PER_PRODUCT: Final = 30
_YEARLY_GROWTH: Final = 0.5
# fmt: off
_PLACES: Final = (
    ("DE", "Berlin", 0.22), ("DE", "Hamburg", 0.15), ("DE", "München", 0.14), ("DE", "Köln", 0.12),
    ("DE", "Leipzig", 0.10), ("DE", "Görlitz", 0.08), ("AT", "Wien", 0.09), ("CH", "Zürich", 0.06),
    ("NL", "Utrecht", 0.04),
)
# fmt: on


@dataclass(frozen=True)
class Customers:
    """All customers by order of signing up; customer i is `ids[i]`."""

    ids: np.ndarray
    place: np.ndarray
    """index into the places, shape (customers,)"""
    signup_day: np.ndarray
    """day index, negative before the first day, never falling, shape (customers,)"""
    log_affinity: np.ndarray
    """taste for each category, shape (customers, categories)"""
    activity: np.ndarray
    """relative number of orders, shape (customers,)"""

    @property
    def countries(self) -> np.ndarray:
        """Return each customer's country code."""
        return np.array([place[0] for place in _PLACES], dtype=object)[self.place]

    @property
    def cities(self) -> np.ndarray:
        """Return each customer's city."""
        return np.array([place[1] for place in _PLACES], dtype=object)[self.place]

    def pick(self, category: np.ndarray, day: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """Return a customer for each purchase: signed up by then, by activity and taste for the category.

        `category`, `day` and `draw` (uniform in [0, 1)) have one entry per purchase.
        """
        known = np.searchsorted(self.signup_day, day, side="right")
        picked = np.empty(len(category), dtype="int64")
        for number in range(len(CATEGORIES)):
            here = category == number
            weight = np.cumsum(self.activity * np.exp(self.log_affinity[:, number]))
            picked[here] = np.searchsorted(weight, draw[here] * weight[known[here] - 1], side="right")
        return np.minimum(picked, known - 1)


def make_customers(products: int, days: int, streams: Streams) -> Customers:
    """Invent the customers who sign up until the last day; their number grows with the catalogue and with time."""
    first = _FIRST_CUSTOMERS_PER_PRODUCT * products
    days_between = 365.25 / (first * _YEARLY_GROWTH)
    # One more than fit, and then those of the period: so that its last day has all of its newcomers.
    signup_day = (np.arange(int(days / days_between) + 2) * days_between).astype("int64")
    signup_day = signup_day[signup_day < days]
    count = first + len(signup_day)
    draw = streams.of("customers").random((count, 3))
    normal = streams.of("customer tastes").standard_normal((count, TASTE_FACTORS + 1))
    loadings = streams.of("category loadings").standard_normal((len(CATEGORIES), TASTE_FACTORS))
    return Customers(
        ids=np.array([f"C{number + 1:05d}" for number in range(count)], dtype=object),
        place=np.searchsorted(np.cumsum([place[2] for place in _PLACES]), draw[:, 0] * 0.999999),
        signup_day=np.concatenate([np.sort(-1 - (900 * draw[:first, 1]).astype("int64")), signup_day]),
        log_affinity=normal[:, :TASTE_FACTORS] @ loadings.T * 0.8,
        activity=np.exp(0.9 * normal[:, TASTE_FACTORS]),
    )
