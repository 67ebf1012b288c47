"""A small shop whose files are written a few days at a time, with a known truth: what the closed loop is tried on.

Two channels, each a feed of its own. Demand a day is Poisson about a product's level, which doubled half a year before
the season and stands since, times its weekday's share: a model that knows neither weekday nor the newer level is bad.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

FIRST_DAY: Final = date(2025, 6, 2)
HISTORY_DAYS: Final = 406
"""Level drift is told by a series' own weeks: 13 to compare with, and 26 windows of 4 weeks for its spread."""
ROSE_ON_DAY: Final = 220
ROSE_BY: Final = 2.0
DRIFT_FACTOR: Final = 2.5
CHANNELS: Final = {"web": 1.0, "market": 0.6}
WEEKDAYS: Final = np.array([0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 0.9])
LOWEST_LEVEL: Final = 12.0
SETTLED_SECONDS_AGO: Final = 3_600
"""The sensor of new files waits until they have settled: these say that they have."""

MAPPING: Final = """\
timezone = "Europe/Berlin"
currency = "EUR"
country = "DE"
folder = "exports"
"""
FEED: Final = """
[[feeds]]
entity = "order_lines"
name = "{channel}_orders"
files = "{channel}-*.csv"
columns = {{ order_id = "order", ordered_at = "at", product_id = "sku", quantity = "units", unit_price = "price" }}
constants = {{ channel = "{channel}" }}
"""


@dataclass(frozen=True)
class LoopShop:
    """A shop in a folder. Days are counted from 0, the first day of all.

    `drifts` maps a product to the day from which on it sells `DRIFT_FACTOR` times as much; `stops` a channel to the
    first day of which no file comes any more.
    """

    folder: Path
    products: int = 12
    seed: int = 1
    drifts: Mapping[str, int] = field(default_factory=dict)
    stops: Mapping[str, int] = field(default_factory=dict)

    @property
    def mapping(self) -> Path:
        """The file that `storecast run --source files --config …` takes."""
        return self.folder / "mapping.toml"

    @property
    def product_ids(self) -> list[str]:
        """The products, the slowest first."""
        return [f"P{number:02d}" for number in range(1, self.products + 1)]

    def write_days(self, first: int, days: int) -> None:
        """Write a file a channel with the orders of so many days, each line one product and day."""
        exports = self.folder / "exports"
        exports.mkdir(parents=True, exist_ok=True)
        self.mapping.write_text(MAPPING + "".join(FEED.format(channel=channel) for channel in CHANNELS), "utf-8")
        orders = pd.concat([self.orders(day) for day in range(first, first + days)])
        settled = time.time() - SETTLED_SECONDS_AGO
        for channel, own in orders.groupby("channel"):
            path = exports / f"{channel}-{day_of(first)}.csv"
            building = path.with_suffix(".tmp")
            own.drop(columns="channel").to_csv(building, index=False)
            os.utime(building, (settled, settled))
            building.replace(path)

    def orders(self, day: int) -> pd.DataFrame:
        """The order lines of a day, of channels whose files still come: columns order, at, sku, units, price, channel.

        A day's numbers hang on seed and day alone.
        """
        expected = self.expected_units(day)
        expected["units"] = np.random.default_rng([self.seed, day]).poisson(expected["mean_units"])
        is_sent = np.array([day < self.stops.get(channel, day + 1) for channel in expected["channel"]])
        sold = expected[is_sent & (expected["units"] > 0)].reset_index(drop=True)
        number = np.arange(len(sold)).astype(str)
        return pd.DataFrame(
            {
                "order": f"{day}-" + sold["channel"].astype(str) + "-" + number,
                "at": f"{day_of(day)}T12:00:00",
                "sku": sold["product_id"],
                "units": sold["units"],
                "price": 9.9,
                "channel": sold["channel"],
            }
        )

    def expected_units(self, day: int) -> pd.DataFrame:
        """The truth: what each product in each channel sells on average that day.

        >>> shop = LoopShop(Path("."), products=1, drifts={"P01": 300})
        >>> [round(float(shop.expected_units(day)["mean_units"][0]), 2) for day in (0, 217, 224, 301)]
        [8.4, 8.4, 16.8, 42.0]
        """
        level = LOWEST_LEVEL * (1 + np.arange(self.products) / 4)
        factor = [DRIFT_FACTOR if day >= self.drifts.get(name, day + 1) else 1.0 for name in self.product_ids]
        season = WEEKDAYS[day % 7] * (ROSE_BY if day >= ROSE_ON_DAY else 1.0)
        return pd.concat(
            [
                pd.DataFrame({"product_id": self.product_ids, "channel": channel, "mean_units": level * share})
                for channel, share in CHANNELS.items()
            ],
            ignore_index=True,
        ).assign(mean_units=lambda table: table["mean_units"] * np.tile(factor, len(CHANNELS)) * season)


def day_of(number: int) -> date:
    """The date of a day.

    >>> str(day_of(HISTORY_DAYS - 1))
    '2026-07-12'
    """
    return FIRST_DAY + timedelta(days=number)
