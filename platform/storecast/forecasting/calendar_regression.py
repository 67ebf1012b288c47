"""Totals of groups of series by a multiplicative regression on the calendar, where days are regular enough to see it.

Not here: single products, whose days are too few and too irregular for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from storecast.forecasting import contracts as c
from storecast.forecasting.events import is_event, rare_event_codes, rare_events, recurring_events
from storecast.forecasting.level_corrections import ALL, Groups
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.times import extended_times

WEEK: Final = 7
MONTH: Final = 31
LEVEL_DAYS: Final = 28
FEWEST_LEVEL_DAYS: Final = 7
ROUNDS: Final = 4
CLOSED_SHARE: Final = 0.2
EVENT_SHIFTS: Final = (1, 2, -1)
"""A rare event is also seen one and two days ahead, and the day after."""


@dataclass(frozen=True)
class Ridge:
    """How much each kind of effect is held back, as so many days that say it is nothing; half-lives in days."""

    weekday: float = 2.0
    recurring: float = 2.0
    day_of_month: float = 20.0
    rare_event: float = 10.0
    promotion: float = 2.0
    own: float = 3.0
    memory_half_life: float = 120.0
    level_half_life: float = 10.0


def forecast_group_totals(panel: Panel, groups: Groups, horizon: int, ridge: Ridge = Ridge()) -> FloatArray:
    """Units of each group a day ahead, (groups, horizon), from the panel's history and its drivers known in advance.

    log(units) = local level + weekday + day of the month + events + promotion, each effect the sum of one shared by
    all, one of the category, one of the channel and one of the group, estimated by ridge regression (Hoerl and Kennard
    1970) with weights that halve every 120 days. The level is a centred mean of four weeks while effects are estimated,
    an exponentially weighted one of what they leave at the end. Days on which the whole shop sold less than a fifth of
    a usual day were closed and are left out.
    """
    if not groups.names:
        return np.zeros((0, horizon))
    codes, known = groups.codes(panel), panel.days
    units = np.zeros((len(groups.names), known))
    for rows, part in panel.without_drivers().chunks():
        groups.add(units, codes[rows], part.units)
    total = units.sum(axis=0)
    is_open = total >= CLOSED_SHARE * np.median(total)
    effects_of = _Effects(panel, groups, codes, horizon, ridge)
    log_units = np.where(is_open, np.log(np.maximum(units, 1.0)), np.nan)
    effects = np.zeros((len(units), known + horizon))
    for _ in range(ROUNDS):
        level = _centred_level(log_units - effects[:, :known])
        effects = effects_of.estimated(log_units - level)
    rest = np.where(is_open, units, np.nan) / np.exp(effects[:, :known])
    return _newest_level(rest, ridge.level_half_life)[:, None] * np.exp(effects[:, known:])


def _centred_level(log_units: FloatArray) -> FloatArray:
    means = pd.DataFrame(log_units.T).rolling(LEVEL_DAYS, center=True, min_periods=FEWEST_LEVEL_DAYS).mean()
    level = means.to_numpy().T
    whole = np.nan_to_num(np.nanmean(log_units, axis=1, keepdims=True))
    return np.where(np.isnan(level), whole, level)


def _newest_level(units: FloatArray, half_life: float) -> FloatArray:
    """Exponentially weighted mean of each row, the newest day heaviest; NaN count nothing."""
    age = np.arange(units.shape[1])[::-1]
    weights = np.where(np.isnan(units), 0.0, 0.5 ** (age / half_life))
    return (np.nan_to_num(units) * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-300)


class _Effects:
    """The design of the regression over (group, day), history and horizon, factorised once for all rounds."""

    def __init__(self, panel: Panel, groups: Groups, codes: IntArray, horizon: int, ridge: Ridge) -> None:
        self._shape = (len(groups.names), panel.days + horizon)
        self._known = panel.days
        blocks = list(_blocks(panel, groups, codes, horizon, ridge))
        self._design = sparse.hstack([block for block, _ in blocks]).tocsr()
        penalties = np.concatenate([np.full(block.shape[1], penalty) for block, penalty in blocks])
        day = np.tile(np.arange(self._shape[1]), self._shape[0])
        self._is_past = day < self._known
        self._past = self._design[self._is_past]
        self._weights = 0.5 ** ((self._known - 1 - day[self._is_past]) / ridge.memory_half_life)
        self._penalty = sparse.diags_array(penalties)

    def estimated(self, left: FloatArray) -> FloatArray:
        """Effects on each group's days, (groups, history and horizon), from what the level leaves; NaN are left out."""
        flat = left.ravel()
        weights = np.where(np.isnan(flat), 0.0, self._weights)
        weighted = self._past.T.multiply(weights)
        normal = (weighted @ self._past + self._penalty).tocsc()
        found = sparse.linalg.spsolve(normal, weighted @ np.nan_to_num(flat))
        return np.asarray(self._design @ found).reshape(self._shape)


def _blocks(
    panel: Panel, groups: Groups, codes: IntArray, horizon: int, ridge: Ridge
) -> Iterator[tuple[sparse.csr_array, float]]:
    """Columns of the design, kind by kind, with the penalty of each."""
    days = panel.days + horizon
    one = _Members(groups, days)
    weekday, day_of_month = _calendar(panel, days)
    yield from one.of_each(weekday, WEEK, ridge.weekday, ridge.own)
    yield one.shared(day_of_month, MONTH), ridge.day_of_month
    yield one.by_category(day_of_month, MONTH), ridge.day_of_month
    first = np.array([np.flatnonzero(codes == number)[0] for number in range(len(groups.names))])
    sample = panel.take(first)
    recurring = recurring_events(panel)
    for name in recurring:
        happens = np.where(_days(is_event(sample, name), days), 0, -1)
        yield from one.of_each(happens, 1, ridge.recurring, 1.0)
        yield one.by_category(np.where(happens == 0, weekday, -1), WEEK), ridge.recurring * ridge.own
    rare = rare_events(panel, recurring)
    if rare:
        event = _days(rare_event_codes(sample, {name: number for number, name in enumerate(rare)}), days)
        yield one.shared(event, len(rare)), ridge.rare_event
        yield one.by_category(event, len(rare)), 2 * ridge.rare_event
        for shift in EVENT_SHIFTS:
            yield one.shared(_shifted(event, shift), len(rare)), ridge.rare_event
    for measure in _promotions(panel, groups, codes, days):
        yield from one.scaled(measure, ridge.promotion)


def _calendar(panel: Panel, days: int) -> tuple[IntArray, IntArray]:
    """Weekday and day of the month (from 0) of each day; without dates the place in the week and no month."""
    times = extended_times(panel.times, days - panel.days)
    if not isinstance(times, pd.DatetimeIndex):
        return np.arange(days) % WEEK, np.full(days, -1)
    return times.dayofweek.to_numpy(np.int64), times.day.to_numpy(np.int64) - 1


def _days(values: npt.NDArray[Any], days: int) -> IntArray:
    """Values on exactly `days` days; days beyond are none."""
    integers = values.astype(np.int64)
    blank = 0 if values.dtype == np.bool_ else -1
    missing = np.full((len(integers), max(days - integers.shape[1], 0)), blank)
    return np.hstack([integers[:, :days], missing])


def _shifted(event: IntArray, days_ahead: int) -> IntArray:
    moved = np.full_like(event, -1)
    if days_ahead > 0:
        moved[:, :-days_ahead] = event[:, days_ahead:]
    else:
        moved[:, -days_ahead:] = event[:, :days_ahead]
    return moved


def _promotions(panel: Panel, groups: Groups, codes: IntArray, days: int) -> Iterator[FloatArray]:
    """Share of a group's usual units that is on promotion, and that share times the discount, (groups, days)."""
    usual = np.zeros(len(codes))
    for rows, part in panel.without_drivers().chunks():
        usual[rows] = np.nan_to_num(part.units[:, -2 * LEVEL_DAYS :]).sum(axis=1)
    weights = np.where(codes < 0, 0.0, usual / np.maximum(groups.total(codes, usual), 1e-300)[codes])
    for name in (c.IS_ON_PROMOTION, c.DISCOUNT_SHARE):
        if name in panel.drivers:
            share = np.zeros((len(groups.names), days))
            for rows, part in panel.with_drivers({name: panel.drivers[name]}).chunks():
                driver = np.nan_to_num(part.drivers[name][:, :days])
                groups.add(share[:, : driver.shape[1]], codes[rows], driver * weights[rows, None])
            if share.any():
                yield share


class _Members:
    """One-hot columns over (group, day) rows, shared or by category, channel and group; a code of -1 is no column."""

    def __init__(self, groups: Groups, days: int) -> None:
        self._days = days
        self._group = np.arange(len(groups.names))
        categories = pd.factorize(np.array([ALL if name[0] == ALL else name[0] for name in groups.names]))
        channels = pd.factorize(np.array([name[1] for name in groups.names]))
        self._category, self._categories = categories[0], len(categories[1])
        self._channel, self._channels = channels[0], len(channels[1])

    def shared(self, codes: IntArray, number: int) -> sparse.csr_array:
        return self._columns(np.zeros_like(self._group), 1, codes, number)

    def by_category(self, codes: IntArray, number: int) -> sparse.csr_array:
        return self._columns(self._category, self._categories, codes, number)

    def of_each(
        self, codes: IntArray, number: int, penalty: float, own: float
    ) -> Iterator[tuple[sparse.csr_array, float]]:
        """A block each: shared, by category, by channel, and by group with `own` times the penalty."""
        yield self.shared(codes, number), penalty
        yield self.by_category(codes, number), penalty
        yield self._columns(self._channel, self._channels, codes, number), penalty
        yield self._columns(self._group, len(self._group), codes, number), penalty * own

    def scaled(self, values: FloatArray, penalty: float) -> Iterator[tuple[sparse.csr_array, float]]:
        """A column shared and one a category that carry numbers."""
        rows = sparse.diags_array(values.ravel())
        nothing = np.zeros(self._days, dtype=np.int64)
        yield (rows @ self.shared(nothing, 1)).tocsr(), penalty
        yield (rows @ self.by_category(nothing, 1)).tocsr(), penalty

    def _columns(self, member: IntArray, members: int, codes: IntArray, number: int) -> sparse.csr_array:
        wide = np.broadcast_to(codes, (len(self._group), self._days))
        column = np.where(wide < 0, -1, member[:, None] * number + wide).ravel()
        row = np.flatnonzero(column >= 0)
        shape = (column.size, members * number)
        return sparse.csr_array((np.ones(len(row)), (row, column[row])), shape=shape)
