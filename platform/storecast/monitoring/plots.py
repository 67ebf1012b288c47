"""Pictures of drift for the asset's metadata."""

from typing import TYPE_CHECKING

import pandas as pd

from storecast.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRIFTED = "#c0392b"
CALM = "#2c7fb8"


def drift_plot(rows: pd.DataFrame) -> "Figure":
    """Draw each column's score, the drifted ones in red, with a tick at its threshold.

    Both axes' words come from the rows of ops.drift: a score is a distance or a p-value, as `method` says.
    """
    figure = new_figure(7.0, 0.45 * len(rows) + 1.0)
    axes = figure.subplots()
    colours = [DRIFTED if is_drifted else CALM for is_drifted in rows["is_drifted"]]
    labels = rows["column_name"] + "\n" + rows["method"]
    axes.barh(labels, rows["score"], color=colours)
    axes.scatter(rows["threshold"], labels, marker="|", s=300, color="black", zorder=3, label="threshold")
    axes.tick_params(axis="y", labelsize="small")
    axes.set_xlabel("drift score")
    axes.legend(loc="lower right")
    axes.invert_yaxis()
    return figure
