import json

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from storecast.forecasting.direct_boosting import DirectBoosting
from storecast.forecasting.features import CATEGORICAL_FEATURES, FEATURES, FeatureSource
from storecast.forecasting.global_xgboost import GlobalXGBoost
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import Panel

HORIZON = 28


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    return panel.until(panel.days, HORIZON)


@pytest.fixture(scope="module", params=[GlobalLightGBM, GlobalXGBoost])
def boosting(request) -> type[DirectBoosting]:
    return request.param


@pytest.fixture(scope="module")
def fitted(boosting: type[DirectBoosting], known: Panel) -> DirectBoosting:
    return boosting(n_trees=40, min_rows_a_leaf=20, seed=3).fit_panel(known)


def raw_score(fitted: DirectBoosting, row: np.ndarray) -> float:
    """What the library itself says of one row of features, read from the payload."""
    trees = json.loads(fitted.to_payload())["trees"]
    if isinstance(fitted, GlobalLightGBM):
        return lgb.Booster(model_str=trees).predict(row, raw_score=True)[0]
    booster = xgb.Booster(model_file=bytearray(trees.encode()))
    row = np.where((row < 0) & np.isin(FEATURES, CATEGORICAL_FEATURES), np.nan, row)
    types = ["c" if name in CATEGORICAL_FEATURES else "q" for name in FEATURES]
    return booster.predict(xgb.DMatrix(row, feature_names=list(FEATURES), feature_types=types), output_margin=True)[0]


def test_a_forecast_is_the_library_on_hand_made_features_times_the_level(fitted, known):
    row, step = known.keys.get_loc(("fast", "shop")), 10
    raw = dict(
        zip(
            FEATURES,
            FeatureSource(known, HORIZON, fitted.encoders_, 28).on_day(
                known.days + step, known.days, np.ones(len(known.keys), bool)
            )[row],
            strict=True,
        )
    )
    level = np.float32((known.units[row, -28:].mean() + known.units[row, -91:].mean()) / 2)
    relative = {name: value / level if name.startswith(("mean", "weekday_mean", "size")) else value
                for name, value in raw.items()}  # fmt: skip
    by_hand = np.exp(raw_score(fitted, np.array([list(relative.values())]))) * level
    assert fitted.predict_panel(HORIZON)[row, step] == pytest.approx(by_hand, rel=1e-5)


def test_a_payload_is_text_and_predicts_the_same_to_the_last_bit(fitted, known):
    payload = fitted.to_payload()
    loaded = type(fitted).from_payload(payload).with_panel(known)
    np.testing.assert_array_equal(loaded.predict_panel(HORIZON), fitted.predict_panel(HORIZON))
    assert loaded.to_payload() == payload


def test_one_product_alone_is_forecast_the_same_to_the_last_bit(fitted, known):
    together = fitted.predict_panel(HORIZON)
    for row in range(len(known.keys)):
        alone = type(fitted).from_payload(fitted.to_payload()).with_panel(known.take(np.array([row])))
        np.testing.assert_array_equal(alone.predict_panel(HORIZON)[0], together[row])


def test_threads_do_not_change_the_model(boosting, known):
    one = boosting(n_trees=20, min_rows_a_leaf=20, n_jobs=1).fit_panel(known).predict_panel(HORIZON)
    two = boosting(n_trees=20, min_rows_a_leaf=20, n_jobs=2).fit_panel(known).predict_panel(HORIZON)
    np.testing.assert_array_equal(one, two)


def test_another_seed_gives_another_model(boosting, known):
    one = boosting(n_trees=20, min_rows_a_leaf=20, seed=1).fit_panel(known).predict_panel(HORIZON)
    two = boosting(n_trees=20, min_rows_a_leaf=20, seed=2).fit_panel(known).predict_panel(HORIZON)
    assert not np.array_equal(one, two)


def test_a_product_training_never_saw_is_forecast_from_its_own_history(fitted, known):
    stranger = pd.MultiIndex.from_tuples([("stranger", "elsewhere")], names=known.keys.names)
    statics = pd.DataFrame({"product_id": ["stranger"], "channel": ["elsewhere"], "category": ["unheard"]})
    units = np.full((1, known.days), 6.0)
    forecast = (
        type(fitted).from_payload(fitted.to_payload()).with_panel(Panel(stranger, known.times, units, statics=statics))
    )
    assert 2 < forecast.predict_panel(HORIZON).mean() < 12


def test_a_horizon_beyond_the_trained_one_has_an_answer(fitted, panel):
    forecast = type(fitted).from_payload(fitted.to_payload()).with_panel(panel.until(panel.days, 90))
    assert np.isfinite(forecast.predict_panel(90)).all()


def test_it_learns_what_a_promotion_does(boosting):
    rng = np.random.default_rng(0)
    days, series = 300, 20
    promotion = rng.random((series, days + 28)) < 0.2
    units = rng.poisson(10 * np.where(promotion, 2.0, 1.0)).astype(float)
    keys = pd.MultiIndex.from_product([[f"p{n:02d}" for n in range(series)], ["shop"]], names=["product_id", "channel"])
    drivers = {
        "unit_price": np.where(promotion, 8.0, 10.0),
        "is_on_promotion": promotion.astype(float),
        "discount_share": np.where(promotion, 0.2, 0.0),
        "is_price_planned": np.ones_like(units),
    }
    panel = Panel(keys, pd.date_range("2025-01-01", periods=days), units[:, :days], drivers, keys.to_frame(index=False))
    forecast = boosting().fit_panel(panel).predict_panel(28)
    ahead = promotion[:, days:]
    assert forecast[ahead].mean() / forecast[~ahead].mean() == pytest.approx(2.0, rel=0.15)


def test_a_bulk_order_counts_as_a_large_ordinary_one(boosting):
    keys = pd.MultiIndex.from_tuples([("p", "shop")], names=["product_id", "channel"])
    units = np.full((1, 200), 2.0)
    units[0, 150] = 10_000.0
    panel = Panel(keys, pd.date_range("2025-01-01", periods=200), units, statics=keys.to_frame(index=False))
    assert boosting().fit_panel(panel).predict_panel(28).max() < 6


def test_a_history_without_any_sale_is_forecast_as_none(boosting):
    keys = pd.MultiIndex.from_tuples([("p", "shop")], names=["product_id", "channel"])
    panel = Panel(keys, pd.date_range("2025-01-01", periods=90), np.zeros((1, 90)), statics=keys.to_frame(index=False))
    assert not boosting().fit_panel(panel).predict_panel(7).any()


def test_a_dearer_product_never_sells_more_where_it_is_monotone(boosting, known):
    model = boosting(n_trees=40, min_rows_a_leaf=20, is_monotone=True, seed=3).fit_panel(known)

    def at(factor: float) -> np.ndarray:
        prices = known.drivers["unit_price"].copy()
        prices[:, known.days :] *= factor
        return model.with_panel(known.with_drivers({**known.drivers, "unit_price": prices})).predict_panel(HORIZON)

    usual, dearer, dearest = at(1.0), at(1.2), at(2.0)
    assert (dearer <= usual + 1e-9).all()
    assert (dearest <= dearer + 1e-9).all()
    assert (dearest < usual).any()
