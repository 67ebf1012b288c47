"""Pictures for the assets' metadata."""

from typing import TYPE_CHECKING

import pandas as pd

from storecast.feedback import contracts as f
from storecast.figures import drawable, new_figure
from storecast.forecasting import contracts as c

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BIASED, CALM = "#c0392b", "#2c7fb8"
NODE_CHARACTERS = 40


def accuracy_plot(days: pd.DataFrame) -> "Figure":
    """Draw WAPE and bias by day ahead, a line a level; `days` has level, from_day, wape and bias."""
    figure = new_figure(9.0, 3.6)
    for axes, name, words in zip(figure.subplots(1, 2), (c.WAPE, c.BIAS), ("WAPE", "bias"), strict=True):
        for level in (level for level in f.LIVE_LEVELS if level in set(days[c.LEVEL])):
            line = days[days[c.LEVEL] == level].sort_values(f.FROM_DAY)
            axes.plot(line[f.FROM_DAY], line[name], marker=".", linewidth=1, label=level.replace("_", " × "))
        axes.set_xlabel("day ahead")
        axes.set_title(words, loc="left", fontsize="medium")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.axhline(0, color="black", linewidth=0.5)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize="small")
    return figure


def signal_plot(signals: pd.DataFrame) -> "Figure":
    """Draw some rows of ops.tracking_signals, the biased ones in red, with ticks at their limits."""
    figure = new_figure(7.0, 0.35 * len(signals) + 1.2)
    axes = figure.subplots()
    names = [
        drawable(" ".join([row.level, row.node[:NODE_CHARACTERS], *([row.channel] if row.channel else [])]))
        for row in signals.itertuples()
    ]
    places = range(len(signals))
    colours = [BIASED if is_biased else CALM for is_biased in signals[f.IS_BIASED]]
    axes.barh(places, signals[f.TRACKING_SIGNAL], color=colours)
    for sign in (-1, 1):
        limits = sign * signals[f.CONTROL_LIMIT].clip(upper=1.0)
        axes.scatter(limits, places, marker="|", s=120, color="black", zorder=3)
    axes.set_yticks(places, names, fontsize="small", parse_math=False)
    axes.set_xlim(-1.05, 1.05)
    axes.set_xlabel("tracking signal: always too little (-1), always too much (1); ticks: control limit, 1 at most")
    axes.invert_yaxis()
    return figure
