"""Random orders of a small shop: what was truly sold, before any export says it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

FIRST_DAY: Final = date(2026, 8, 3)
DAYS: Final = 56
"""Monday to Sunday, without a change of the clocks in Europe or America, and long past."""

CENT: Final = Decimal("0.01")
ID_STYLES: Final = ("P-{:03d}", "{:05d}", "{}", "TEE/{}-RED", "sku {}")
NAMES: Final = ("Green tea", "Pot", "Mug", "Strainer", "Tin", "Tray", "Kettle", "Spoon")
RICH_NAMES: Final = (
    "Tea, green",
    "Pot; large",
    'Mug 5" wide',
    "Café crème",
    "Größe L",
    "Tin\nof two",
    "A 'b' c",
    "Tab|pipe",
)
OPENING_QUOTE: Final = '"Old Times'
"""A name that begins with a quote, as it stands in a file that quotes nothing."""


@dataclass(frozen=True)
class Product:
    """What is sold: id, name, price of one."""

    product_id: str
    name: str
    price: Decimal


@dataclass(frozen=True)
class Line:
    """A line of an order."""

    number: int
    product: Product
    quantity: Decimal

    @property
    def amount(self) -> Decimal:
        """Pieces times price."""
        return self.quantity * self.product.price


@dataclass(frozen=True)
class Order:
    """An order: its number, its moment with its zone, its customer and its lines."""

    order_id: str
    at: datetime
    customer: str
    lines: tuple[Line, ...]

    @property
    def day(self) -> date:
        """The day in the shop's zone."""
        return self.at.date()


def products_of(rng: random.Random, names: Sequence[str], *, is_dear: bool, style: str | None = None) -> list[Product]:
    """Some products of one style of ids; dear ones cost more than a thousand."""
    style = style or rng.choice(ID_STYLES)
    numbers = rng.sample(range(100, 999), rng.randint(3, 5))
    lowest, highest = (100_000, 290_000) if is_dear else (250, 9_900)
    return [Product(style.format(number), rng.choice(names), rng.randint(lowest, highest) * CENT) for number in numbers]


def orders_of(
    rng: random.Random, products: Sequence[Product], zone: str, first_number: int, *, by_weight: bool = False
) -> list[Order]:
    """Orders on every day, in the order of their moments; by weight, quantities are parts of a kilogram."""
    orders: list[Order] = []
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(number)
        moments = sorted(rng.sample(range(9 * 3600, 22 * 3600), rng.randint(1, 4)))
        for second in moments:
            at = datetime.combine(day, time(), ZoneInfo(zone)) + timedelta(seconds=second)
            chosen = rng.sample(list(products), rng.randint(1, 3))
            lines = tuple(Line(i, product, _quantity(rng, by_weight)) for i, product in enumerate(chosen, start=1))
            order_id = str(first_number + len(orders))
            orders.append(Order(order_id, at, f"c{rng.randint(1, 40)}@example.org", lines))
    return orders


def _quantity(rng: random.Random, by_weight: bool) -> Decimal:
    return Decimal(rng.choice(("0.250", "0.500", "0.750", "1.250"))) if by_weight else Decimal(rng.randint(1, 5))
