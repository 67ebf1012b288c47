"""Moments of the local day, and the same in UTC."""

from typing import Final

import numpy as np
import pandas as pd

# Nothing is sold between two and three at night: the hour that clocks skip in March and repeat in October.
_HOUR_WEIGHTS: Final = (8, 4, 0, 2, 2, 4, 10, 20, 32, 40, 46, 48, 50, 48, 46, 46, 48, 54, 62, 74, 84, 78, 50, 22)


def second_of_day(draw: np.ndarray) -> np.ndarray:
    """Turn uniform draws into seconds of the local day: busy in the evening, closed from two to three.

    >>> (second_of_day(np.array([0.0, 0.5])) // 3600).tolist()
    [0, 16]
    """
    edges = np.append(0, np.cumsum(_HOUR_WEIGHTS)) / sum(_HOUR_WEIGHTS)
    hour = np.searchsorted(edges, draw, side="right") - 1
    within = (draw - edges[hour]) / (edges[hour + 1] - edges[hour])
    return hour * 3600 + np.minimum((within * 3600).astype("int64"), 3599)


def to_local(dates: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the local wall clock as datetime64[s]."""
    return dates.astype("datetime64[s]") + second.astype("timedelta64[s]")


def to_utc(dates: np.ndarray, second: np.ndarray, zone: str) -> np.ndarray:
    """Return the moment of a local day's second in UTC as datetime64[s].

    >>> to_utc(np.array(["2025-07-01"], dtype="datetime64[D]"), np.array([3600]), "Europe/Berlin").tolist()
    [datetime.datetime(2025, 6, 30, 23, 0)]
    """
    local = pd.DatetimeIndex(to_local(dates, second)).tz_localize(zone)
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]")
