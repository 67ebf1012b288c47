"""A panel that days are added to while it keeps its length: the latest days of the series, and the plans after them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from storecast.forecasting.frames import followed_by
from storecast.forecasting.panel import EVENT_CODE, FloatArray, Panel

DAY = pd.Timedelta(1, "D")


def latest(panel: Panel, days: int) -> Panel:
    """The last so many days of a panel, or all it has, with the drivers after them."""
    start = max(panel.days - days, 0)
    return replace(
        panel,
        times=panel.times[start:],
        units=panel.units[:, start:],
        drivers={name: driver[:, start:] for name, driver in panel.drivers.items()},
        is_in_stock=None if panel.is_in_stock is None else panel.is_in_stock[:, start:],
    )


def continued(panel: Panel, later: Panel) -> Panel:
    """A panel with the days of a later one after its own, and the drivers that the later one has for the days ahead.

    Days that both have stay as they were; series that only the later one has come last. Raises `ValueError` where the
    later one lacks a series, a driver, or the day after the last.
    """
    if later.times[0] > panel.times[-1] + DAY:
        raise ValueError(
            f"later begins on {later.times[0]:%Y-%m-%d}, but the day after the last one known is "
            f"{panel.times[-1] + DAY:%Y-%m-%d}: pass all days since then"
        )
    missing = sorted(panel.drivers.keys() - later.drivers.keys())
    if missing:
        raise ValueError(f"later lacks the drivers {missing}: pass the panel of the same tables")
    names = tuple(sorted({*panel.event_names, *later.event_names}))
    panel, later = with_events_named(panel, names), with_events_named(later, names)
    joined = _joined_by(panel, later)
    history = {name: later.drivers[name][:, : later.days] for name in panel.drivers}
    both = followed_by(joined, later.with_drivers(history))
    rows = later.keys.get_indexer(both.keys)
    ahead = {name: later.drivers[name][rows][:, later.days :] for name in both.drivers}
    return both.with_drivers({name: np.hstack([driver, ahead[name]]) for name, driver in both.drivers.items()})


def with_events_named(panel: Panel, names: tuple[str, ...]) -> Panel:
    """The panel with its event codes pointing into other names, among which its own are."""
    if EVENT_CODE not in panel.drivers or panel.event_names == names:
        return panel if EVENT_CODE not in panel.drivers else replace(panel, event_names=names)
    own = np.array([*(names.index(name) for name in panel.event_names), -1.0])
    codes = panel.drivers[EVENT_CODE]
    moved = np.where(np.isnan(codes), np.nan, own[np.nan_to_num(codes, nan=-1.0).astype(np.int64)])
    return replace(panel, drivers={**panel.drivers, EVENT_CODE: moved}, event_names=names)


def _joined_by(panel: Panel, later: Panel) -> Panel:
    """The panel with the series that only the later one has; they have not begun."""
    new = later.keys.get_indexer(panel.keys)
    is_new = ~np.isin(np.arange(len(later.keys)), new)
    if not is_new.any():
        return panel
    joining = later.take(is_new)

    def below(values: FloatArray) -> FloatArray:
        return np.vstack([values, np.full((len(joining.keys), values.shape[1]), np.nan)])

    flags = panel.is_in_stock
    return replace(
        panel,
        keys=panel.keys.append(joining.keys),
        units=below(panel.units),
        drivers={name: below(driver) for name, driver in panel.drivers.items()},
        statics=pd.concat([panel.statics, joining.statics[list(panel.statics)]], ignore_index=True),
        is_in_stock=None if flags is None else np.vstack([flags, np.ones((len(joining.keys), panel.days), np.bool_)]),
    )
