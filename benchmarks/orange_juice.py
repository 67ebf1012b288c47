"""Dominick's orange juice, 83 stores × 11 brands by week: what prices, deals and features are worth to a forecast."""

import os
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from benchmarks.rows import Row
from storecast.forecasting import contracts as c
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import FloatArray, Panel

DATA: Final = Path(os.environ.get("STORECAST_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
FILE: Final = "orange_juice/yx.parquet"
BRANDS: Final = 11
HORIZON: Final = 4
ORIGINS: Final = 5
SHORT_ORIGINS: Final = 1
PRICE_STEPS: Final = (0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
PRICES: Final = (c.UNIT_PRICE, c.IS_ON_PROMOTION, c.DISCOUNT_SHARE)


def run(*, is_short: bool) -> list[Row]:
    """The last weeks from rolling origins: the same model with and without what was planned for the weeks ahead."""
    panel, was_seen = juice_panel()
    errors: dict[str, list[FloatArray]] = {"with": [], "without": [], "naive": []}
    rises = []
    sold = []
    for number in range(SHORT_ORIGINS if is_short else ORIGINS):
        origin = panel.days - (number + 1) * HORIZON
        known = panel.until(origin, HORIZON)
        rows = panel.keys.get_indexer(known.keys)
        actual, counts = panel.units[rows][:, origin : origin + HORIZON], was_seen[rows][:, origin : origin + HORIZON]
        model = response_model().fit_panel(known)
        bare = response_model().fit_panel(without_prices(known))
        for name, forecast in (
            ("with", model.predict_panel(HORIZON)),
            ("without", bare.predict_panel(HORIZON)),
            ("naive", np.repeat(known.units[:, -1:], HORIZON, axis=1)),
        ):
            errors[name].append(np.abs(forecast - actual)[counts])
        sold.append(actual[counts])
        rises.append(largest_rise(model, known))
    wape = {name: float(np.concatenate(parts).sum() / np.concatenate(sold).sum()) for name, parts in errors.items()}
    return [
        Row("WAPE with price, deal and feature (peer: without)", "-", wape["with"], wape["without"], 0.80, "ratio"),
        Row("WAPE with price, deal and feature (peer: last week again)", "-", wape["with"], wape["naive"]),
        Row("largest rise of units as the own price rises, any series, week, step", "units", max(rises), bound=0.0),
        Row("own-price elasticity, units-weighted, price +10 %", "-", elasticity(model, known)),
    ]


def response_model() -> GlobalLightGBM:
    """The platform's direct model with monotone response, its defaults else."""
    return GlobalLightGBM(longest_step=HORIZON, is_monotone=True, outlier_factor=np.inf)


def juice_panel() -> tuple[Panel, np.ndarray]:
    """All store-brands by week; weeks that a store did not report are drawn straight between their neighbours.

    Those weeks are not scored: the second array says which were reported.
    """
    if not (DATA / FILE).exists():
        raise FileNotFoundError(f"{DATA / FILE} is missing: set STORECAST_TEST_DATA to the folder that holds it")
    rows = pd.read_parquet(DATA / FILE)
    rows["price"] = rows[[f"price{brand}" for brand in range(1, BRANDS + 1)]].to_numpy()[
        np.arange(len(rows)), rows["brand"].to_numpy() - 1
    ]
    rows["units"] = np.exp(rows["logmove"])
    weeks = np.arange(rows["week"].min(), rows["week"].max() + 1)
    wide = {
        name: rows.pivot_table(index=["brand", "store"], columns="week", values=name).reindex(columns=weeks)
        for name in ("units", "price", "deal", "feat")
    }
    was_seen = wide["units"].notna().to_numpy()
    filled = {name: table.interpolate(axis=1, limit_area="inside").ffill(axis=1) for name, table in wide.items()}
    reaches_end = was_seen[:, -HORIZON * ORIGINS :].any(axis=1)
    keys = pd.MultiIndex.from_tuples(
        [(f"brand {brand}", f"store {store}") for brand, store in wide["units"].index], names=[c.PRODUCT_ID, c.CHANNEL]
    )
    drivers = {
        c.UNIT_PRICE: filled["price"].to_numpy(),
        c.IS_ON_PROMOTION: filled["deal"].to_numpy(),
        c.DISCOUNT_SHARE: filled["feat"].to_numpy(),
        c.IS_PRICE_PLANNED: np.ones(was_seen.shape),
    }
    statics = keys.to_frame(index=False).assign(**{c.CATEGORY: keys.get_level_values(0)})
    panel = Panel(keys, pd.RangeIndex(len(weeks)), filled["units"].to_numpy(), drivers, statics)
    return panel.take(reaches_end), was_seen[reaches_end]


def without_prices(panel: Panel) -> Panel:
    """The panel as a model sees it that knows no price, deal or feature."""
    return panel.with_drivers({name: driver for name, driver in panel.drivers.items() if name not in PRICES})


def largest_rise(model: GlobalLightGBM, known: Panel) -> float:
    """The most that units of any series and week rise from one price to a dearer one; 0 where they never do."""
    responses = np.stack([at_price(model, known, step) for step in PRICE_STEPS])
    return float(np.max(np.diff(responses, axis=0), initial=0.0))


def elasticity(model: GlobalLightGBM, known: Panel) -> float:
    """Per cent of units by per cent of price, over all series together."""
    return float(np.log(at_price(model, known, 1.1).sum() / at_price(model, known, 1.0).sum()) / np.log(1.1))


def at_price(model: GlobalLightGBM, known: Panel, factor: float) -> FloatArray:
    """Units in the weeks ahead with their planned prices times a factor."""
    price = known.drivers[c.UNIT_PRICE].copy()
    price[:, known.days :] *= factor
    return model.with_panel(known.with_drivers({**known.drivers, c.UNIT_PRICE: price})).predict_panel(HORIZON)
