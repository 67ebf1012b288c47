"""Which kind of demand a series has at an origin: it decides which models compete for it."""

from typing import Final

import numpy as np
import numpy.typing as npt

from storecast.forecasting.panel import FloatArray

SMOOTH, ERRATIC, INTERMITTENT, LUMPY = "smooth", "erratic", "intermittent", "lumpy"
NEW, INACTIVE = "new", "inactive"
CLASSES: Final = (SMOOTH, ERRATIC, INTERMITTENT, LUMPY, NEW, INACTIVE)
ADI_CUT: Final = 1.32
CV2_CUT: Final = 0.49
CLASS_DAYS: Final = 365
NEW_DAYS: Final = 28
INACTIVE_DAYS: Final = 91


def demand_classes(
    history: FloatArray, class_days: int = CLASS_DAYS, new_days: int = NEW_DAYS, inactive_days: int = INACTIVE_DAYS
) -> npt.NDArray[np.object_]:
    """The demand class of each row of `history`, (series, days) up to the origin with NaN before the first day.

    `new`: fewer than `new_days` days old, or sold on one day only. `inactive`: no sale in the last `inactive_days`.
    Else by the average days between sales (ADI) and the squared coefficient of variation of the units sold on a day
    with sales (CV²), over the last `class_days`; cut-offs 1.32 and 0.49 of Syntetos, Boylan and Croston (2005).

    >>> demand_classes(np.array([[5.0, 4, 6, 5] * 10, [0.0, 0, 0, 5] * 10, [0.0, 0, 1, 9] * 10, [np.nan] * 39 + [1]]))
    array(['smooth', 'intermittent', 'lumpy', 'new'], dtype=object)
    """
    recent = history[:, -class_days:]
    adi, cv2 = interval_and_variation(recent)
    is_frequent, is_steady = adi < ADI_CUT, cv2 < CV2_CUT
    classes = np.select(
        [is_frequent & is_steady, is_frequent, is_steady], np.array([SMOOTH, ERRATIC, INTERMITTENT], object), LUMPY
    )
    age = (~np.isnan(history)).sum(axis=1)
    classes[~(recent[:, -inactive_days:] > 0).any(axis=1)] = INACTIVE
    classes[(age < new_days) | ((history > 0).sum(axis=1) <= 1) & (age < inactive_days)] = NEW
    return classes.astype(object)


def interval_and_variation(history: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Average days between sales (ADI) and squared coefficient of variation of sale sizes (CV²) of each row.

    Infinite ADI and CV² 0 where a row has no sale.

    >>> interval_and_variation(np.array([[0.0, 2.0, 0.0, 4.0]]))
    (array([2.]), array([0.11111111]))
    """
    sold = history > 0
    sales = sold.sum(axis=1)
    days = (~np.isnan(history)).sum(axis=1)
    mean = np.where(sold, history, 0.0).sum(axis=1) / np.maximum(sales, 1)
    variance = np.where(sold, (history - mean[:, None]) ** 2, 0.0).sum(axis=1) / np.maximum(sales, 1)
    adi = np.where(sales > 0, days / np.maximum(sales, 1), np.inf)
    return adi, np.where(sales > 0, variance / np.where(mean > 0, mean, 1.0) ** 2, 0.0)
