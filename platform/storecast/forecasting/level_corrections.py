"""Factors by group and day that bring the sum of many forecasts to what is expected of the sum.

They are learned once over all series and stored, so that one product alone is forecast the same as among all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import UNKNOWN, FloatArray, IntArray, Panel

SMALLEST_GROUP_UNITS: Final = 100.0
"""Units a day below which a group's days are too irregular to say anything of a calendar."""
MOST_GROUPS: Final = 150
RECENT_DAYS: Final = 56
WEEK: Final = 7
ALL: Final = "*"
Place = tuple[str, str]


def places_of(panel: Panel) -> list[Place]:
    """Category and channel of each series; `unknown` where the panel does not say."""
    names = [
        panel.statics[name].astype(str) if name in panel.statics else pd.Series(UNKNOWN, range(len(panel.keys)))
        for name in (c.CATEGORY, c.CHANNEL)
    ]
    return list(zip(*names, strict=True))


@dataclass(frozen=True, eq=False)
class Groups:
    """Which category and channel belongs to which group: `names` of the groups, `number` of each place."""

    names: tuple[Place, ...]
    number: dict[Place, int]

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """One group a category and channel that sells 100 units a day or more; smaller ones join by channel, then all.

        What is still too small together belongs to no group.
        """
        places, recent = places_of(panel), np.zeros(len(panel.keys))
        for rows, part in panel.without_drivers().chunks():
            recent[rows] = np.nan_to_num(part.units[:, -RECENT_DAYS:]).sum(axis=1) / min(RECENT_DAYS, panel.days)
        units = pd.Series(recent).groupby(pd.MultiIndex.from_tuples(places)).sum()
        name_of = {place: place for place in units.index}
        for coarser in (lambda place: (ALL, place[1]), lambda _place: (ALL, ALL)):
            names = pd.Series([name_of[place] for place in units.index], units.index)
            total = units.groupby(names).sum().sort_values(ascending=False, kind="stable")
            large = set(total[total >= SMALLEST_GROUP_UNITS].index[:MOST_GROUPS])
            name_of = {place: name if name in large else coarser(place) for place, name in name_of.items()}
        names = pd.Series([name_of[place] for place in units.index], units.index)
        total = units.groupby(names).sum()
        kept = tuple(sorted(total[total >= SMALLEST_GROUP_UNITS].index))
        return cls(kept, {place: kept.index(name) for place, name in name_of.items() if name in kept})

    def codes(self, panel: Panel) -> IntArray:
        """Each series' group, -1 where it has none."""
        return np.array([self.number.get(place, -1) for place in places_of(panel)], dtype=np.int64)

    def total(self, codes: IntArray, values: FloatArray) -> FloatArray:
        """Sums over the series of each group; `values` is (series,) or (series, days)."""
        sums = np.zeros((len(self.names), *values.shape[1:]))
        self.add(sums, codes, values)
        return sums

    def add(self, sums: FloatArray, codes: IntArray, values: FloatArray) -> None:
        """Add the values of more series to their groups' sums, one after the other."""
        np.add.at(sums, codes[codes >= 0], np.nan_to_num(values[codes >= 0]))


@dataclass(frozen=True, eq=False)
class LevelCorrections:
    """Factors (groups, steps) for the days after `last_day`, the last one of the training's history."""

    groups: Groups
    last_day: int
    factors: FloatArray

    def of(self, panel: Panel, horizon: int) -> FloatArray:
        """The factor of each series and day ahead, (series, horizon); 1 where a series has no group.

        Days are matched by date, so a forecast from a later origin is corrected as one from the first was. Beyond the
        last step the mean of the last week goes on.
        """
        steps = np.arange(horizon) + _day_number(panel) - self.last_day
        known = np.hstack([self.factors, self.factors[:, -WEEK:].mean(axis=1, keepdims=True)])
        by_group = known[:, np.clip(steps, 0, self.factors.shape[1])]
        return np.vstack([by_group, np.ones((1, horizon))])[self.groups.codes(panel)]

    def as_record(self) -> dict[str, Any]:
        """The corrections as JSON holds them."""
        return {
            "names": self.groups.names,
            "places": [[*place, number] for place, number in self.groups.number.items()],
            "last_day": self.last_day,
            "steps": self.factors.shape[1],
            "factors": self.factors.tolist(),
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The corrections that `as_record` wrote."""
        names = tuple((str(category), str(channel)) for category, channel in record["names"])
        number = {(str(category), str(channel)): int(group) for category, channel, group in record["places"]}
        factors = np.array(record["factors"], dtype=np.float64).reshape(len(names), record["steps"])
        return cls(Groups(names, number), int(record["last_day"]), factors)


def corrections(groups: Groups, panel: Panel, factors: Sequence[FloatArray]) -> LevelCorrections:
    """Corrections for the days after a panel's last one, from an array over the groups a day; none is no correction."""
    known = np.stack(factors, axis=1) if factors else np.ones((len(groups.names), 1))
    return LevelCorrections(groups, _day_number(panel), known)


def _day_number(panel: Panel) -> int:
    """The panel's last day as a number: days since 1970 where it has dates, else its place."""
    if isinstance(panel.times, pd.DatetimeIndex):
        return int(panel.times[-1].to_datetime64().astype("datetime64[D]").astype(np.int64))
    return panel.days
