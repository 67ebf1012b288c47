"""Pictures of a series: history and forecast for the asset's metadata, and what the forecast is made of."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from storecast.figures import drawable, new_figure
from storecast.forecasting import contracts as c

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_DAYS = 120
TITLE_CHARACTERS = 100
LINE = "#1f4e79"
BANDS = (("p05_units", "p95_units", "90 % interval", "#d5e5f2"), ("p25_units", "p75_units", "50 % interval", "#9cc3e2"))

PART_COLOURS = ("#9cc3e2", "#d5e5f2", "#c9b18b", "#d9822b", "#6b8e5a", "#999999")
"""By `contracts.PARTS`."""


def forecast_plot(history: pd.DataFrame, forecasts: pd.DataFrame, title: str) -> "Figure":
    """Draw the last months of units and their forecast with its 50 % and 90 % intervals.

    `history` has `date` and `units` of one series, `forecasts` its rows of `gold.demand_forecasts`.
    """
    figure = new_figure(9.0, 3.2)
    axes = figure.subplots()
    recent = history.sort_values(c.DATE).tail(SHOWN_DAYS)
    ahead = forecasts.sort_values(c.DATE)
    axes.plot(recent[c.DATE], recent[c.UNITS], color="black", linewidth=1, label="sold")
    axes.plot(ahead[c.DATE], ahead[c.MEAN_UNITS], color=LINE, linewidth=2, label="forecast (mean)")
    for low, high, label, colour in BANDS:
        axes.fill_between(ahead[c.DATE], ahead[low], ahead[high], color=colour, linewidth=0, label=label)
    axes.set_title(drawable(title[:TITLE_CHARACTERS]), loc="left", fontsize="medium", parse_math=False)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("units a day")
    axes.legend(loc="upper left", ncols=4, fontsize="small", frameon=False)
    return figure


def explanation_plot(explanations: pd.DataFrame, title: str) -> "Figure":
    """Draw each day's parts on top of each other, those that take units away below zero, and their sum as a line.

    `explanations` are rows of `gold.forecast_explanations`; those of a day are added up.
    """
    figure = new_figure(9.0, 3.6)
    axes = figure.subplots()
    axes.use_sticky_edges = False  # a part of no units would stick to the top of the others, and cut the line
    days = explanations.groupby(c.DATE)[[*c.PARTS, c.MEAN_UNITS]].sum()
    top, bottom = np.zeros(len(days)), np.zeros(len(days))
    for name, colour in zip(c.PARTS, PART_COLOURS, strict=True):
        units = days[name].to_numpy()
        base = np.where(units >= 0, top, bottom)
        axes.bar(days.index, units, bottom=base, color=colour, label=name.removesuffix("_units"))
        top, bottom = top + np.maximum(units, 0.0), bottom + np.minimum(units, 0.0)
    axes.plot(days.index, days[c.MEAN_UNITS], color=LINE, linewidth=2, label="forecast (mean)")
    axes.set_title(drawable(title[:TITLE_CHARACTERS]), loc="left", fontsize="medium", parse_math=False)
    axes.set_ylabel("units a day")
    figure.legend(loc="outside lower center", ncols=7, fontsize="small", frameon=False)
    return figure
