"""Events of a day taken apart: those that come again and again, each by itself, and the rare ones by name."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import EVENT_CODE, BoolArray, IntArray, Panel

RECURRING_SHARE = 0.05
MOST_RECURRING = 8


def recurring_events(panel: Panel) -> tuple[str, ...]:
    """The events on at least 5 % of the history's days (pay days, food stamps), the most frequent eight, by name."""
    if EVENT_CODE not in panel.drivers:
        return ()
    counts = np.zeros(len(panel.event_names), dtype=np.int64)
    for _, part in panel.with_drivers({EVENT_CODE: panel.drivers[EVENT_CODE]}).chunks():
        codes = _codes(part)[:, : panel.days]
        counts += np.bincount(codes.ravel() + 1, minlength=len(counts) + 1)[1:]
    days: dict[str, int] = {}
    for joined, count in zip(panel.event_names, counts, strict=True):
        for name in joined.split(c.EVENT_JOIN):
            days[name] = days.get(name, 0) + int(count)
    frequent = sorted(name for name, count in days.items() if count >= RECURRING_SHARE * panel.units.size)
    return tuple(sorted(sorted(frequent, key=lambda name: -days[name])[:MOST_RECURRING]))


def rare_events(panel: Panel, recurring: Sequence[str]) -> tuple[str, ...]:
    """All other events of the panel, by name."""
    names = {name for joined in panel.event_names for name in joined.split(c.EVENT_JOIN)}
    return tuple(sorted(names - set(recurring)))


def is_event(panel: Panel, name: str) -> BoolArray:
    """Whether an event falls on a day of a series, (series, days of history and future)."""
    has_it = np.array([name in joined.split(c.EVENT_JOIN) for joined in panel.event_names] + [False], dtype=np.bool_)
    return has_it[_codes(panel)]


def rare_event_codes(panel: Panel, numbers: Mapping[str, int]) -> npt.NDArray[np.int16]:
    """The number of each series' and day's rare event, the first by name where there are two; -1 where none is known.

    `numbers` are those given at training; an event that training never saw is none.
    """
    first = [min((n for n in joined.split(c.EVENT_JOIN) if n in numbers), default=None) for joined in panel.event_names]
    number = np.array([*(-1 if name is None else numbers[name] for name in first), -1], dtype=np.int16)
    return number[_codes(panel)]


def _codes(panel: Panel) -> IntArray:
    """Codes of joined event names, -1 where none; without the driver there are no events."""
    driver = panel.drivers.get(EVENT_CODE)
    if driver is None:
        return np.full((len(panel.keys), panel.days + panel.future_days), -1, dtype=np.int64)
    return np.nan_to_num(driver, nan=-1.0).astype(np.int64)
