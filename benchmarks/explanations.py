"""Every forecast of M5 as a sum of level, season, price, promotion, event and reconciliation: how long, and how exact.

The champions are given, not chosen, and so that the most is asked: the global LightGBM has a part in each, with theta
where demand is regular and with TSB where it is not. It is asked again without the events, without its price, without
both. M5 has no promotions; so that they cost something here too, one series in five is put on promotion for a week,
20 % off. What is published is what the champions say reconciled with theta's forecasts of the sums, so it differs from
that. Counted against the target is from the champions' forecasts to the rows of the table; training, fitting and
forecasting come before. There is no peer: no library explains a forecast by these parts.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.daily import TRAINING, fitted_sums, hierarchy_over, reconciled, train
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure, timed
from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.explanations import DRIVER_PARTS, EVENT, PRICE, Plan, explain_forecasts, readers_of
from storecast.forecasting.fallbacks import with_fallbacks
from storecast.forecasting.fitted_champions import fit_champions
from storecast.forecasting.forecast import ChampionForecasts, forecast_table
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import REGULAR

SHORT_ITEMS: Final = 20
MOST_SECONDS: Final = 60.0
PROMOTED_EVERY: Final = 5
PROMOTED_DAYS: Final = slice(7, 14)
DISCOUNT: Final = 0.2


def run(*, is_short: bool) -> list[Row]:
    """Train and fit up to d_1913, then explain the 28 days after it."""
    done = measure(prepare_and_explain, SHORT_ITEMS if is_short else None, os.cpu_count() or 1)
    found: Mapping[str, float] = done.result
    what = f"{found['series']:.0f} series × {HORIZON} days explained"
    return [
        Row(f"{what}: wall time", "s", found["wall"], bound=MOST_SECONDS),
        Row(f"{what}: CPU time", "s", found["cpu"]),
        Row("largest rest: published less the sum of the parts", "units", found["rest"], bound=c.LARGEST_REST),
        Row("largest event part of a series and day whose model heard of no event", "units", found[EVENT], bound=0.0),
        Row("largest price part of a series and day at its usual price", "units", found[PRICE], bound=0.0),
        *(Row(f"mean size of a day's {name}", "units", found[f"mean {name}"]) for name in c.PARTS),
        Row("for comparison: the champions' own forecasts", "s", found["forecasting"]),
        Row("peak memory, training and fitting with it", "GB", done.peak_gb),
    ]


def prepare_and_explain(items: int | None, cores: int) -> dict[str, float]:
    """What is measured: seconds to explain, the largest errors, and how large the parts are."""
    panel = with_promotions(m5_panel(OFFICIAL_ORIGIN, items))
    fitted = fit_champions(
        panel, champions_with_lightgbm(panel), train(panel, cores), training_id=TRAINING, n_jobs=cores
    )
    said, forecasting, _ = timed(fitted.forecasts, HORIZON)
    forecasts = published(said, panel)
    explanations, wall, cpu = timed(explained, said, forecasts, fitted.payloads)
    c.ForecastExplanations.validate(explanations)
    parts = {name: explanations[name].to_numpy().reshape(said.mean.shape) for name in c.PARTS}
    rest = sum(parts.values()) - explanations[c.MEAN_UNITS].to_numpy().reshape(said.mean.shape)
    plan = Plan.of(said.panel)
    return {
        "series": float(len(said.panel.keys)),
        "wall": wall,
        "cpu": cpu,
        "forecasting": forecasting,
        "rest": float(np.abs(rest).max()),
        **{name: float(np.abs(parts[name][~plan.differs(name)]).max(initial=0.0)) for name in DRIVER_PARTS},
        **{f"mean {name}": float(np.abs(part).mean()) for name, part in parts.items()},
    }


def with_promotions(panel: Panel) -> Panel:
    """The panel with every fifth series on promotion in the second week ahead."""
    drivers = {name: driver.copy() for name, driver in panel.drivers.items()}
    rows = np.arange(0, len(panel.keys), PROMOTED_EVERY)[:, None]
    days = np.arange(panel.days, panel.days + HORIZON)[PROMOTED_DAYS]
    drivers[c.UNIT_PRICE][rows, days] *= 1 - DISCOUNT
    drivers[c.IS_ON_PROMOTION][rows, days] = 1.0
    drivers[c.DISCOUNT_SHARE][rows, days] = DISCOUNT
    return replace(panel, drivers=drivers)


def champions_with_lightgbm(panel: Panel) -> pd.DataFrame:
    """The champion of each series by its demand class, as `ops.champions` has them."""
    classes = demand_classes(panel.units)
    chosen = np.where(np.isin(classes.astype(str), sorted(REGULAR)), "lightgbm+theta", "lightgbm+tsb")
    return panel.keys.to_frame(index=False).assign(**{c.DEMAND_CLASS: classes, c.MODEL: chosen.astype(object)})


def published(said: ChampionForecasts, panel: Panel) -> pd.DataFrame:
    """What the champions say, reconciled with the sums' own forecasts, as rows of `gold.demand_forecasts`."""
    own, named, reasons = with_fallbacks(said.mean, said.models, said.panel.units)
    base = np.concatenate([fitted_sums(panel).mean_units(HORIZON), own])
    mean = reconciled(hierarchy_over(panel), base)
    quantiles = np.repeat(mean[:, :, None], len(c.UNIT_QUANTILES), axis=2)
    products = said.panel.keys.get_level_values(0)
    return forecast_table(said.panel, mean, quantiles, named, reasons, dict(zip(products, products, strict=True)), "1")


def explained(said: ChampionForecasts, forecasts: pd.DataFrame, payloads: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of `gold.forecast_explanations`."""
    return explain_forecasts(said, forecasts, readers_of(said, payloads))
