"""Estimated demand as a step of an sktime pipeline, for forecasters that are not of this room."""

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sktime.transformations.base import BaseTransformer

from storecast.forecasting.frames import panel_from_frames
from storecast.forecasting.unconstraining import unconstrained


class Unconstrainer(BaseTransformer):
    """Replaces the sales of sold-out days by the demand behind them, and leaves all other days as they are.

    What is known of stocks comes as the column `is_in_stock` of the exogenous data, false where a day ended sold out;
    `unit_price`, if it is there, tells what a price does to demand. Nothing is fitted: each day's estimate is made of
    that day and those before it. See `unconstrained`.

    >>> import pandas as pd
    >>> from storecast.forecasting.unconstrainer import Unconstrainer
    >>> days = pd.period_range("2025-01-01", periods=28)
    >>> y = pd.Series([4.0] * 27 + [0.0], index=days)
    >>> X = pd.DataFrame({"is_in_stock": [True] * 27 + [False]}, index=days)
    >>> Unconstrainer().fit_transform(y, X).tail(2).round(1).tolist()
    [4.0, 3.9]
    """

    _tags: ClassVar[dict[str, Any]] = {
        "authors": ["storecast"],
        "maintainers": ["storecast"],
        "scitype:transform-input": "Series",
        "scitype:transform-output": "Series",
        "scitype:instancewise": True,
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex", "pd_multiindex_hier"],
        "capability:multivariate": False,
        "capability:missing_values": False,
        "capability:unequal_length": False,  # series may begin on different days, but end together
        "fit_is_empty": True,
        "transform-returns-same-time-index": True,
        "skip-inverse-transform": True,
    }

    def _transform(self, X: pd.DataFrame, y: pd.DataFrame | None = None) -> pd.DataFrame:  # noqa: N803
        units = unconstrained(panel_from_frames(X, y)).units
        return pd.DataFrame(units[~np.isnan(units)].reshape(-1, 1), index=X.index, columns=X.columns)
