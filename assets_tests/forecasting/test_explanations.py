"""Parts of forecasts, against truths whose parts are known in closed form and against what the models say."""

from itertools import permutations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pandera.errors
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from storecast.forecasting import contracts as c
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.explanations import (
    DRIVER_PARTS,
    EVENT,
    LEVEL,
    PRICE,
    PROMOTION,
    RECONCILIATION,
    SEASON,
    Plan,
    driver_effects,
    explain,
    explain_forecasts,
    readers_of,
    usual_prices,
)
from storecast.forecasting.fitted_champions import fit_champions
from storecast.forecasting.forecast import champion_forecasts, published_forecasts, train_global_models
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.panel import EVENT_CODE, FloatArray, Panel
from storecast.forecasting.recursive_boosting import RecursiveLightGBM
from storecast.forecasting.registry import models_named

HORIZON, HISTORY = 14, 28
PAYDAY, PROMOTED = "2025-07-01", pd.date_range("2025-07-08", periods=7)
"""What the small shop plans for the two weeks after 30 June."""


def planned(price: FloatArray, share: FloatArray, event: FloatArray, usual: float = 10.0) -> Panel:
    """Four weeks at the usual price without anything, then days as given, (series, horizon)."""
    series = len(price)
    keys = pd.MultiIndex.from_product([[f"p{row}" for row in range(series)], ["shop"]], names=[c.PRODUCT_ID, c.CHANNEL])
    ahead = {
        c.UNIT_PRICE: price * (1 - share),
        c.DISCOUNT_SHARE: share,
        c.IS_ON_PROMOTION: (share > 0).astype(float),
        c.IS_PRICE_PLANNED: np.ones_like(price),
        c.HAS_EVENT: event,
        EVENT_CODE: event - 1,
    }
    before = dict.fromkeys(ahead, 0.0) | {c.UNIT_PRICE: usual, EVENT_CODE: -1.0}
    drivers = {name: np.hstack([np.full((series, HISTORY), before[name]), ahead[name]]) for name in ahead}
    times = pd.date_range("2025-01-01", periods=HISTORY, name=c.DATE)
    return Panel(keys, times, np.ones((series, HISTORY)), drivers, keys.to_frame(index=False), ("payday",))


def response(panel: Panel, horizon: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """What truth makes of price, promotion and event on the days ahead: the price without discount counts."""
    ahead = slice(panel.days, panel.days + horizon)
    share = panel.drivers[c.DISCOUNT_SHARE][:, ahead]
    dearness = panel.drivers[c.UNIT_PRICE][:, ahead] / (1 - share) / 10 - 1
    promotion = 7 * panel.drivers[c.IS_ON_PROMOTION][:, ahead] + 5 * share
    return -4 * dearness, promotion, 2 * panel.drivers[c.HAS_EVENT][:, ahead]


def additive(panel: Panel, horizon: int) -> FloatArray:
    return 20 + sum(response(panel, horizon))


def multiplicative(panel: Panel, horizon: int) -> FloatArray:
    return 20 * np.prod([np.exp(effect / 10) for effect in response(panel, horizon)], axis=0)


@pytest.fixture(scope="module")
def mixed() -> Panel:
    """Series with every set of drivers on some day."""
    random = np.random.default_rng(3)
    shape = (16, HORIZON)
    price = np.where(random.random(shape) < 0.4, random.uniform(5, 20, shape), 10.0)
    share = np.where(random.random(shape) < 0.4, 0.25, 0.0)
    event = (random.random(shape) < 0.4).astype(float)
    price[:8], share[4:12], event[::2] = 10.0, 0.0, 0.0
    return planned(price, share, event)


def test_of_an_additive_truth_each_driver_gets_its_own_term(mixed):
    effects = driver_effects(additive, mixed, additive(mixed, HORIZON))
    for driver, truth in zip(DRIVER_PARTS, response(mixed, HORIZON), strict=True):
        np.testing.assert_allclose(effects[driver], truth, atol=1e-12)


def test_what_drivers_do_together_is_shared_out_as_the_mean_over_all_orders(mixed):
    effects = driver_effects(multiplicative, mixed, multiplicative(mixed, HORIZON))
    factors = dict(zip(DRIVER_PARTS, (np.exp(part / 10) for part in response(mixed, HORIZON)), strict=True))
    expected = {driver: np.zeros((16, HORIZON)) for driver in DRIVER_PARTS}
    for order in permutations(DRIVER_PARTS):
        left = 20 * np.prod(list(factors.values()), axis=0)
        for driver in order:
            after = left / factors[driver]
            expected[driver] += (left - after) / 6
            left = after
    for driver in DRIVER_PARTS:
        np.testing.assert_allclose(effects[driver], expected[driver], atol=1e-12)


def test_a_model_is_asked_only_about_series_on_which_the_driver_differs(mixed):
    asked: list[int] = []

    def counting(panel: Panel, horizon: int) -> FloatArray:
        asked.append(len(panel.keys))
        return additive(panel, horizon)

    said = additive(mixed, HORIZON)
    effects = driver_effects(counting, mixed, said)
    has = {driver: Plan.of(mixed).differs(driver).any(axis=1) for driver in DRIVER_PARTS}
    assert sorted(asked)[-3:] == sorted(int(rows.sum()) for rows in has.values())
    assert len(asked) <= 7
    for driver in DRIVER_PARTS:
        assert (effects[driver][~has[driver]] == 0).all()
        assert has[driver].any()
        assert not has[driver].all()


def test_the_usual_price_is_the_one_most_days_had_and_a_discount_rounded_to_cents_is_no_other_price():
    usual = 19.99
    blank = np.zeros((1, HORIZON))
    shop = planned(np.full((1, HORIZON), usual), blank, blank, usual)
    price = shop.drivers[c.UNIT_PRICE]
    price[0, 20:26], price[0, :3] = 25.0, np.nan
    shop.drivers[c.IS_ON_PROMOTION][0, 3:12] = 1.0
    shop.drivers[c.DISCOUNT_SHARE][0, 3:12] = 0.2
    price[0, 3:12] = 15.99
    assert usual_prices(shop).tolist() == [usual]
    shop.drivers[c.DISCOUNT_SHARE][0, HISTORY] = 0.2
    price[0, HISTORY], price[0, HISTORY + 1] = 15.99, 25.0
    plan = Plan.of(shop)
    assert plan.differs(PROMOTION)[0, :3].tolist() == [True, False, False]
    assert plan.differs(PRICE)[0, :3].tolist() == [False, True, False]
    assert plan.without(frozenset({PROMOTION}), np.array([0])).drivers[c.UNIT_PRICE][0, HISTORY] == usual
    everywhere = np.full_like(price, 0.2)
    always = shop.with_drivers({**shop.drivers, c.DISCOUNT_SHARE: everywhere, c.UNIT_PRICE: np.full_like(price, 8.0)})
    assert usual_prices(always).tolist() == [10.0]
    assert np.isnan(usual_prices(shop.with_drivers({**shop.drivers, c.UNIT_PRICE: price * np.nan}))).all()


def with_days_ahead(panel: Panel, values: dict[str, float]) -> Panel:
    """The panel with these drivers the same on each day ahead."""
    drivers = {name: driver.copy() for name, driver in panel.drivers.items()}
    for name, value in values.items():
        drivers[name][:, panel.days :] = value
    return panel.with_drivers(drivers).until(panel.days, HORIZON)


# ------------------------------------------------------------------ champions of the small shop
MODELS = {"smooth": "auto_ets+lightgbm", "erratic": "lightgbm", "intermittent": "tsb", "lumpy": "lightgbm+tsb"}


@pytest.fixture(scope="module")
def shop(panel) -> Panel:
    """The small shop, but a promotion triples what is sold and an event, every fifth day, doubles it."""
    drivers = {name: driver.copy() for name, driver in panel.drivers.items()}
    drivers[c.HAS_EVENT][:, 4 : panel.days : 5] = 1.0
    drivers[EVENT_CODE] = drivers[c.HAS_EVENT] - 1.0
    lift = np.where(drivers[c.IS_ON_PROMOTION] > 0, 3.0, 1.0) * (1.0 + drivers[c.HAS_EVENT])
    varies = np.nanstd(panel.units, axis=1, keepdims=True) > 0
    units = np.where(varies, panel.units * lift[:, : panel.days], panel.units)
    return panel.with_drivers(drivers).with_units(units)


@pytest.fixture(scope="module")
def champions(shop) -> pd.DataFrame:
    classes = demand_classes(shop.units)
    models = [MODELS.get(name, "window_average") for name in classes]
    return shop.keys.to_frame(index=False).assign(demand_class=classes, model=models, training_id="t", reason="given")


@pytest.fixture(scope="module")
def fitted(shop) -> pd.DataFrame:
    specs = models_named(["lightgbm"])
    return train_global_models(shop, specs, training_id="t", snapshot_hash="h", horizon=HORIZON, seed=1)


@pytest.fixture(scope="module")
def said(shop, champions, fitted):
    return champion_forecasts(shop, champions, fitted, horizon=HORIZON, seed=1)


@pytest.fixture(scope="module")
def readers(said, fitted):
    return readers_of(said, dict(zip(fitted["model"], fitted["payload"], strict=True)))


@pytest.fixture(scope="module")
def forecasts(shop, said) -> pd.DataFrame:
    actual = said.panel.units[None, :, -HORIZON:]
    scales = scales_table(fit_interval_scales(actual, actual + 1.0, said.classes[None]), shop.keys, "t")
    keys = {product_id: product_id for product_id in shop.keys.get_level_values(0)}
    return published_forecasts(said, scales, keys, "1")


@pytest.fixture(scope="module")
def explanations(said, forecasts, readers) -> pd.DataFrame:
    return c.ForecastExplanations.validate(explain_forecasts(said, forecasts, readers))


def test_parts_add_up_to_the_published_number(explanations, forecasts):
    assert len(explanations) == len(forecasts)
    assert (explanations["mean_units"] == forecasts["mean_units"]).all()
    np.testing.assert_allclose(explanations[list(c.PARTS)].sum(axis=1), forecasts["mean_units"], rtol=0, atol=1e-9)
    assert (explanations[RECONCILIATION] == 0).all()  # nothing reconciles these


def test_each_driver_has_a_part_on_its_days_and_on_no_other(explanations):
    boosted = explanations[explanations["model"].str.contains("lightgbm")]
    on_promotion = boosted["date"].isin(PROMOTED)
    assert (boosted.loc[~on_promotion, PROMOTION] == 0).all()
    assert (boosted.loc[on_promotion, PROMOTION] != 0).any()
    assert (boosted.loc[boosted["date"] != PAYDAY, EVENT] == 0).all()
    assert (boosted.loc[boosted["date"] == PAYDAY, EVENT] != 0).any()
    assert (explanations[PRICE] == 0).all()  # the regular price is the usual one throughout


def test_a_champion_that_reads_no_driver_has_a_level_and_a_season_only(explanations):
    local = explanations[~explanations["model"].str.contains("lightgbm")]
    assert {"tsb", "new_product_average", "zero", "seasonal_naive"} <= set(local["model"])
    assert (local[[*DRIVER_PARTS, RECONCILIATION]] == 0).all(axis=None)
    newborn = local[local["product_id"] == "newborn"]
    np.testing.assert_allclose(newborn[LEVEL], newborn["mean_units"])
    assert newborn[SEASON].abs().max() < 1e-12


def test_the_level_is_the_same_on_each_day_and_the_season_evens_out_over_whole_weeks(explanations):
    by_series = explanations.groupby(["product_id", "channel"])
    assert (by_series[LEVEL].min() == by_series[LEVEL].max()).all()
    np.testing.assert_allclose(by_series[SEASON].sum(), 0.0, atol=1e-9)


def test_taking_the_promotion_away_changes_the_champions_forecast_by_the_promotions_part(
    explanations, shop, champions, fitted, said
):
    """On the days of the promotion it is the only driver that differs."""
    plain = with_days_ahead(shop, {c.UNIT_PRICE: 10.0, c.IS_ON_PROMOTION: 0.0, c.DISCOUNT_SHARE: 0.0})
    without = champion_forecasts(plain, champions, fitted, horizon=HORIZON, seed=1)
    change = (said.mean - without.mean).ravel()
    is_boosted = explanations["model"].str.contains("lightgbm").to_numpy()
    np.testing.assert_allclose(explanations[PROMOTION][is_boosted], change[is_boosted], atol=1e-12)
    assert np.abs(change).max() > 0.01


@pytest.mark.parametrize(
    "forecaster", [GlobalLightGBM(n_trees=20, min_rows_a_leaf=20), RecursiveLightGBM(n_trees=20, min_rows_a_leaf=20)]
)
def test_the_promotion_of_a_what_if_is_worth_what_it_changes(shop, forecaster):
    """Direct and recursive: a promotion put into a plan without any driver, as `what_if` does, is its only part."""
    steady = shop.take(shop.first_day == 0)
    neutral = {c.UNIT_PRICE: 10.0, c.IS_ON_PROMOTION: 0.0, c.DISCOUNT_SHARE: 0.0, c.HAS_EVENT: 0.0, EVENT_CODE: -1.0}
    promoted = {**neutral, c.UNIT_PRICE: 7.0, c.IS_ON_PROMOTION: 1.0, c.DISCOUNT_SHARE: 0.3}
    plan, changed = (with_days_ahead(steady, ahead) for ahead in (neutral, promoted))
    fitted = forecaster.clone().fit_panel(plan)
    before, after = (fitted.with_panel(shown).predict_panel(HORIZON) for shown in (plan, changed))
    effects = driver_effects(lambda shown, horizon: fitted.with_panel(shown).predict_panel(horizon), changed, after)
    np.testing.assert_allclose(effects[PROMOTION], after - before, atol=1e-9)
    assert np.abs(after - before).max() > 0.01
    assert all((effects[driver] == 0).all() for driver in (PRICE, EVENT))


@given(st.data())
def test_whatever_is_published_its_parts_are_the_whole_and_reconciliation_is_the_difference(said, data):
    shape = said.mean.shape
    published = data.draw(arrays(np.float64, shape, elements=st.floats(0, 1e6)))
    parts = explain(said, published, {})
    np.testing.assert_allclose(sum(parts.values()), published, rtol=1e-12, atol=1e-9)
    settled = parts[LEVEL] + parts[SEASON]
    np.testing.assert_allclose(parts[RECONCILIATION], published - settled, rtol=1e-12, atol=1e-9)


def test_a_horizon_shorter_than_a_week_has_the_mean_of_its_days_for_a_level(shop, champions, fitted, readers):
    short = champion_forecasts(shop, champions, fitted, horizon=3, seed=1)
    parts = explain(short, np.nan_to_num(short.mean), readers)
    rows = short.models == "tsb"
    np.testing.assert_allclose(parts[LEVEL][rows], short.mean[rows].mean(axis=1, keepdims=True).repeat(3, axis=1))


def test_stored_champions_are_explained_as_fitted_ones(shop, champions, fitted, said, readers, explanations):
    stored = fit_champions(shop, champions, fitted, training_id="t").forecasts(HORIZON, seed=1)
    np.testing.assert_array_equal(stored.mean, said.mean)
    published = explanations["mean_units"].to_numpy().reshape(said.mean.shape)
    for name, part in explain(stored, published, readers).items():
        np.testing.assert_allclose(part.ravel(), explanations[name], atol=1e-9)


def test_forecasts_of_other_series_are_refused(said, forecasts, readers):
    with pytest.raises(ValueError, match="rows that are not the 14 days of the 9 series"):
        explain_forecasts(said, forecasts.iloc[HORIZON:], readers)


def test_parts_that_miss_the_forecast_by_two_millionths_break_the_contract(explanations):
    for name in (LEVEL, EVENT):
        spoiled = explanations.copy()
        spoiled.loc[3, name] += 2e-6
        with pytest.raises(pandera.errors.SchemaError, match="add up to it"):
            c.ForecastExplanations.validate(spoiled)
    spoiled = explanations.copy()
    spoiled.loc[3, SEASON] = np.inf
    with pytest.raises(pandera.errors.SchemaError):
        c.ForecastExplanations.validate(spoiled)
