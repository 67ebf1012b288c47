"""The LSTM against global LightGBM and seasonal naive on a part of M5, 28 days from d_1914.

No target is set for it. Each contender learns with its default settings, in a process of its own, from the same panel;
the LSTM's time holds what importing Keras and compiling cost once a process. LightGBM has one thread, XLA takes all.
"""

from importlib.util import find_spec
from typing import Final

import click
import numpy as np

from benchmarks.m5_data import HORIZON, LAST_DAY, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure
from benchmarks.rows import Row
from storecast.forecasting.levels import levels_of
from storecast.forecasting.metrics import bias, mean_of_known, naive_scales, rmsse, wape
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.registry import REGISTRY, SEASONAL_NAIVE

ITEMS: Final = 20
SHORT_ITEMS: Final = 3
OURS: Final = "lstm"
PEERS: Final = ("lightgbm", SEASONAL_NAIVE)


def run(*, is_short: bool) -> list[Row]:
    """Accuracy by level and what it cost, against each peer; nothing where the extra `deep` is not installed."""
    if find_spec("keras") is None:
        click.echo("Keras is not installed: run `make deep` first")
        return []
    panel = m5_panel(LAST_DAY, SHORT_ITEMS if is_short else ITEMS)
    known = panel.until(panel.days - (LAST_DAY - OFFICIAL_ORIGIN), HORIZON)
    actual = panel.units[panel.keys.get_indexer(known.keys), known.days : known.days + HORIZON]
    measured = {name: measure(forecast, name, known) for name in (OURS, *PEERS)}
    errors = {name: errors_of(known, actual, found.result) for name, found in measured.items()}
    ours, rows = measured[OURS], []
    for peer in PEERS:
        theirs, where = measured[peer], f"{len(known.keys)} series, against {peer}"
        rows += [Row(f"{what}, {where}", "-", errors[OURS][what], errors[peer][what]) for what in errors[OURS]]
        rows += [
            Row(f"wall time, {where}", "s", ours.wall_seconds, theirs.wall_seconds),
            Row(f"CPU time, {where}", "s", ours.cpu_seconds, theirs.cpu_seconds),
            Row(f"peak memory, {where}", "GB", ours.peak_gb, theirs.peak_gb),
        ]
    return rows


def forecast(name: str, known: Panel) -> FloatArray:
    """What a model of the registry says of each series, (series, horizon)."""
    return REGISTRY[name].make(0, 1, HORIZON).fit_panel(known).predict_panel(HORIZON)


def errors_of(known: Panel, actual: FloatArray, forecast: FloatArray) -> dict[str, float]:
    """WAPE at each level, mean RMSSE of the series, and bias."""
    errors = {f"WAPE by {level.name}": wape(level.total(actual), level.total(forecast)) for level in levels_of(known)}
    errors["mean RMSSE"] = mean_of_known(rmsse(actual, forecast, naive_scales(known.units, 1, power=2)))
    errors["absolute bias"] = float(np.abs(bias(actual, forecast)))
    return errors
