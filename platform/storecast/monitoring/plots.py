"""Pictures of drift for the asset's metadata."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storecast.figures import new_figure
from storecast.monitoring.contracts import DRIFT_KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRIFTED = "#c0392b"
CALM = "#2c7fb8"


LEAST_P_VALUE = 1e-30


def drift_plot(rows: pd.DataFrame) -> "Figure":
    """Draw how significant each column's drift is, the drifted ones in red, with a tick at its threshold."""
    figure = new_figure(7.0, 0.45 * len(rows) + 1.0)
    axes = figure.subplots()
    colours = [DRIFTED if is_drifted else CALM for is_drifted in rows["is_drifted"]]
    labels = rows["column_name"] + "\n" + rows["method"]
    axes.barh(labels, _significance(rows["score"]), color=colours)
    axes.scatter(
        _significance(rows["threshold"]), labels, marker="|", s=300, color="black", zorder=3, label="threshold"
    )
    axes.tick_params(axis="y", labelsize="small")
    axes.set_xlabel("-log10 of the p-value")
    axes.legend(loc="lower right")
    axes.invert_yaxis()
    return figure


def _significance(p_values: pd.Series) -> NDArray[np.float64]:
    return np.asarray(-np.log10(np.maximum(p_values.to_numpy(float), LEAST_P_VALUE)), np.float64)


def product_drift_plot(rows: pd.DataFrame) -> "Figure":
    """Draw how significant each row of ops.product_drift is, by kind, the drifted ones in red."""
    figure = new_figure(7.0, 3.2)
    axes = figure.subplots()
    place = rows["kind"].map(DRIFT_KINDS.index).to_numpy(float)
    jitter = np.linspace(-0.3, 0.3, len(rows)) if len(rows) else np.empty(0)
    height = _significance(rows["p_value"])
    for flag, colour, label in ((False, CALM, "calm, or accounted for"), (True, DRIFTED, "drifted")):
        chosen = rows["is_drifted"].to_numpy(bool) == flag
        axes.scatter((place + jitter)[chosen], height[chosen], s=8, color=colour, label=label)
    axes.set_xticks(range(len(DRIFT_KINDS)), DRIFT_KINDS, fontsize="small")
    axes.set_xlabel("kind of drift")
    axes.set_ylabel("-log10 of the p-value")
    axes.legend(loc="upper right", fontsize="small")
    return figure
