"""The demo shop's products and sellers: what is sold, where, how fast, and how its buyers react to prices."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.streams import Streams


@dataclass(frozen=True)
class Category:
    """One category's nature: effects are logs (0.2 multiplies demand by 1.22), prices euros, shares 0 to 1."""

    name: str
    nouns: tuple[str, ...]
    weekday_effects: tuple[float, ...]
    season_strength: float
    peak_day_of_year: int
    holiday_effect: float
    black_friday_effect: float
    gift_effect: float
    elasticity: float
    return_share: float
    typical_price_eur: float


# fmt: off
CATEGORIES: Final = (
    Category("Garden", ("Gießkanne, 10 l", "Hose 20 m", "Trowel", "Planter"),
             (0.05, -0.05, -0.10, -0.05, 0.10, 0.25, 0.20), 0.75, 135, 0.15, 0.10, -0.10, -1.6, 0.05, 24.0),
    Category("Sports", ("Yoga Mat", "Dumbbell 2 kg", "Running Belt", "Bottle"),
             (0.20, 0.10, 0.00, -0.05, -0.15, -0.10, 0.15), 0.25, 170, -0.10, 0.35, 0.25, -2.0, 0.09, 29.0),
    Category("Fashion", ("Scarf", "Linen Shirt", "Socks, 3 pairs", "Cap"),
             (0.10, -0.05, -0.10, -0.05, 0.00, 0.00, 0.30), 0.20, 100, 0.05, 0.50, 0.30, -2.4, 0.24, 34.0),
    Category("Toys", ("Puzzle 500", "Building Blocks", "Kite", "Card Game"),
             (-0.05, -0.10, -0.05, 0.00, 0.10, 0.20, 0.10), 0.30, 345, -0.05, 0.40, 0.80, -1.9, 0.04, 19.0),
    Category("Books", ("Cookbook", "Travel Guide", "Novel", "Atlas"),
             (0.05, 0.00, 0.00, 0.00, -0.05, -0.05, 0.15), 0.12, 350, 0.05, 0.10, 0.60, -1.1, 0.02, 16.0),
    Category("Electronics", ("Headphones", "Charger 30 W", "Lamp \"Luna\"", "Cable 2 m"),
             (0.15, 0.10, 0.05, 0.00, -0.05, -0.20, 0.05), 0.18, 335, -0.10, 0.90, 0.40, -2.8, 0.10, 49.0),
    Category("Kitchen", ("Pan 28 cm", "Knife", "Coffee Grinder", "Bowl"),
             (0.05, 0.00, 0.00, 0.00, 0.00, 0.00, 0.10), 0.15, 330, -0.05, 0.45, 0.40, -2.1, 0.06, 27.0),
    Category("Office", ("Notebook A5", "Pen Set", "Desk Pad", "Folder, 10 pieces"),
             (0.30, 0.30, 0.25, 0.15, -0.10, -0.70, -0.60), 0.20, 250, -0.80, 0.05, -0.15, -1.3, 0.03, 11.0),
)
# fmt: on

SELLERS: Final = (
    ("S01", "Storecast Shop", "DE", "Berlin"),
    ("S02", "Nordlicht Handel", "DE", "Hamburg"),
    ("S03", "Müller & Söhne, KG", "DE", "München"),
    ("S04", "Alpenware", "AT", "Wien"),
    ("S05", "Helvetia Goods", "CH", "Zürich"),
    ("S06", "Rhein Import", "DE", "Köln"),
)

HOSTILE_PRODUCT_IDS: Final = (
    "x') OR 1=1 --",
    "../../etc/passwd",
    "O'Brien's",
    'the "best" one',
    "caf\u00e9",  # é as one character (NFC) …
    "cafe\u0301",  # … and as two (NFD): they look the same and are two products
    "L" * 300,
    "007",
    "7",
    "100%",
    "...",
    "two\nlines",
    "a\ttab",
)
"""Product ids that break careless SQL, paths, CSV and JSON; ordinary products of a shop that asks for them."""

_BRANDS: Final = ("Adler", "Brise", "Corvo", "Dachs", "Elster", "Fjord")
# One figure per channel, in the order of contracts.CHANNELS.
_CHANNEL_OFFER_SHARES: Final = (0.92, 0.70, 0.50)
_CHANNEL_DEMAND_SHARES: Final = (0.50, 0.30, 0.20)
_INTERMITTENT_SHARE: Final = 0.38
NEVER: Final = 1_000_000
"""Day index of what does not happen."""


@dataclass(frozen=True)
class Catalogue:
    """All products the shop will ever have; arrays have shape (products,) unless they say otherwise."""

    first_day: dt.date
    product_ids: tuple[str, ...]
    names: tuple[str, ...]
    brands: tuple[str, ...]
    category: np.ndarray
    """index into CATEGORIES"""
    seller: np.ndarray
    """index into SELLERS"""
    launch_day: np.ndarray
    """day index; negative: before the first day"""
    last_day: np.ndarray
    """day index of the last day on sale; NEVER where it stays"""
    base_price_eur: np.ndarray
    unit_cost_eur: np.ndarray
    base_units: np.ndarray
    """mean units a day over all channels, before every effect"""
    channel_share: np.ndarray
    """share of base_units by channel, 0 where not offered, shape (products, channels)"""
    is_intermittent: np.ndarray
    elasticity: np.ndarray
    yearly_trend: np.ndarray
    return_share: np.ndarray

    @property
    def is_offered(self) -> np.ndarray:
        """Return where a product is on offer, shape (products, channels)."""
        return self.channel_share > 0

    def is_live(self, days: int) -> np.ndarray:
        """Return on which days each product is on sale, shape (days, products)."""
        day = np.arange(days)[:, None]
        return (day >= self.launch_day) & (day <= self.last_day)

    def date_of(self, day: int) -> dt.date:
        """Return the date of a day index."""
        return self.first_day + dt.timedelta(int(day))


def make_catalogue(products: int, first_day: dt.date, streams: Streams, *, hostile_ids: bool) -> Catalogue:
    """Invent the products; with `hostile_ids` the first ones carry HOSTILE_PRODUCT_IDS and are on sale from the start.

    The catalogue depends on the first day and the seed only, never on the number of days simulated.
    """
    draw = streams.of("catalogue").random((products, 20))
    normal = streams.of("catalogue normals").standard_normal((products, 8))
    category = np.arange(products) % len(CATEGORIES)
    hostile = HOSTILE_PRODUCT_IDS if hostile_ids else ()
    launch_day, last_day = _life(draw[:, 0:5], protected=len(hostile))
    is_intermittent = draw[:, 5] < _INTERMITTENT_SHARE
    base_price = np.array([item.typical_price_eur for item in CATEGORIES])[category] * np.exp(0.5 * normal[:, 0])
    own = np.arange(len(hostile), products)
    return Catalogue(
        first_day=first_day,
        product_ids=(*hostile, *(f"P-{number + 1:04d}" for number in own)),
        names=tuple(_name(number, int(kind)) for number, kind in enumerate(category)),
        brands=tuple(_BRANDS[int(share * len(_BRANDS))] for share in draw[:, 6]),
        category=category,
        # Half of the range is the shop's own; the rest is spread over the other sellers.
        seller=np.maximum(0, np.floor(draw[:, 7] * 2 * (len(SELLERS) - 1)).astype(int) - (len(SELLERS) - 2)),
        launch_day=launch_day,
        last_day=last_day,
        base_price_eur=np.maximum(base_price, 3.0),
        unit_cost_eur=np.round(np.maximum(base_price, 3.0) * (0.45 + 0.2 * draw[:, 8]), 2),
        base_units=np.where(is_intermittent, 0.05 + 0.3 * draw[:, 9], 1.75 * np.exp(normal[:, 1])),
        channel_share=_channel_shares(draw[:, 10:13], normal[:, 2:5]),
        is_intermittent=is_intermittent,
        elasticity=np.clip(
            np.array([item.elasticity for item in CATEGORIES])[category] + 0.4 * normal[:, 5], -4.0, -0.5
        ),
        yearly_trend=0.03 + 0.18 * normal[:, 6],
        return_share=np.array([item.return_share for item in CATEGORIES])[category] * (0.6 + 0.8 * draw[:, 13]),
    )


def _life(draw: np.ndarray, protected: int) -> tuple[np.ndarray, np.ndarray]:
    """Return launch and last day; most products are older than the shop's records, a fourth is launched within them.

    Launches are spread evenly over the logarithm of time, so that a short run sees some as well as a long one.
    """
    is_new = draw[:, 0] < 0.25
    is_new[:protected] = False
    launch = np.where(is_new, np.exp(np.log(10) + draw[:, 1] * np.log(60)), -30 - 1400 * draw[:, 2]).astype(int)
    ends = draw[:, 3] < 0.14
    ends[:protected] = False
    life = np.exp(np.log(45) + draw[:, 4] * np.log(15)).astype(int)
    return launch, np.where(ends, np.maximum(launch, 0) + life, NEVER)


def _channel_shares(draw: np.ndarray, normal: np.ndarray) -> np.ndarray:
    offered = draw < np.array(_CHANNEL_OFFER_SHARES)
    offered[~offered.any(axis=1), 0] = True
    weight = np.array(_CHANNEL_DEMAND_SHARES) * np.exp(0.35 * normal) * offered
    return weight / weight.sum(axis=1, keepdims=True)


def _name(number: int, category: int) -> str:
    nouns = CATEGORIES[category].nouns
    turn = number // len(CATEGORIES)
    return f"{nouns[turn % len(nouns)]} No. {turn // len(nouns) + 1}"
