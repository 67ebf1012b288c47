"""The times of a panel: their step, and how they go on."""

from typing import Final

import pandas as pd

FEWEST_TIMES_WITH_A_STEP: Final = 3


def step_of(times: pd.DatetimeIndex) -> str | pd.DateOffset:
    """The step of regular times; a day where there are too few to tell."""
    return times.freq or (pd.infer_freq(times) if len(times) >= FEWEST_TIMES_WITH_A_STEP else None) or "D"


def extended_times(times: pd.Index, ahead: int) -> pd.Index:
    """The times of a panel and of `ahead` steps more; periods become the moments they begin."""
    if isinstance(times, pd.PeriodIndex):
        return pd.period_range(times[0], periods=len(times) + ahead, freq=times.freq).to_timestamp()
    if isinstance(times, pd.DatetimeIndex):
        step = step_of(times)
        return pd.date_range(times[0], periods=len(times) + ahead, freq=step, name=times.name)
    return pd.RangeIndex(len(times) + ahead)
