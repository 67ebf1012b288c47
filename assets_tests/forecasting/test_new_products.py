"""Launches in a shop of known make: 60 settled and 60 launched products, dear ones sell less, new ones half."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.panel import Panel

DAYS, HORIZON = 240, 28
ELASTICITY = -1.0
NEW_SHARE = 0.5
SHAPE = 4.0


def shop(seed: int = 0, products: int = 240) -> Panel:
    """Every second product is launched within the panel; units are gamma–Poisson around category × price × age."""
    rng = np.random.default_rng(seed)
    number = np.arange(products)
    category = np.where(number % 4 < 2, "dear", "cheap")
    price = np.exp(rng.normal(0.0, 0.5, products))
    launch = np.where(number % 2 == 0, 0, rng.integers(60, DAYS - 40, products))
    level = np.where(category == "dear", 2.0, 6.0) * price**ELASTICITY * rng.gamma(SHAPE, 1 / SHAPE, products)
    age = np.arange(DAYS)[None, :] - launch[:, None]
    share = np.where((launch[:, None] > 0) & (age < 91), NEW_SHARE, 1.0)
    units = rng.poisson(level[:, None] * share).astype(float)
    units[age < 0] = np.nan
    ids = [f"p{place:03d}" for place in number]
    keys = pd.MultiIndex.from_arrays([ids, ["shop"] * products], names=["product_id", "channel"])
    statics = keys.to_frame(index=False).assign(category=category)
    prices = np.repeat(price[:, None], DAYS + HORIZON, axis=1)
    prices[:, :DAYS][np.isnan(units)] = np.nan
    drivers = {"unit_price": prices, "is_price_planned": np.ones(prices.shape)}
    return Panel(keys, pd.date_range("2025-01-01", periods=DAYS, name="date"), units, drivers, statics)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return shop()


@pytest.fixture(scope="module")
def fitted(panel: Panel) -> NewProductForecaster:
    return NewProductForecaster().fit_panel(panel)


def asked(panel: Panel, *, category: str = "cheap", price: float = 1.0, own: tuple[float, ...] = ()) -> Panel:
    """One product that has sold `own` so far."""
    units = np.full((1, DAYS), np.nan)
    if own:
        units[0, -len(own) :] = own
    keys = pd.MultiIndex.from_tuples([("stranger", "shop")], names=panel.keys.names)
    statics = pd.DataFrame({"product_id": ["stranger"], "channel": ["shop"], "category": [category]})
    drivers = {"unit_price": np.full((1, DAYS + HORIZON), price), "is_price_planned": np.ones((1, DAYS + HORIZON))}
    return Panel(keys, panel.times, units, drivers, statics)


def said(fitted: NewProductForecaster, panel: Panel) -> float:
    loaded = NewProductForecaster.from_payload(fitted.to_payload()).with_panel(panel)
    return float(loaded.predict_panel(HORIZON).mean())


def test_a_product_that_never_sold_is_forecast_from_category_price_and_being_new(fitted, panel):
    assert said(fitted, asked(panel)) == pytest.approx(6.0 * NEW_SHARE, rel=0.15)
    assert said(fitted, asked(panel, category="dear")) == pytest.approx(2.0 * NEW_SHARE, rel=0.2)
    halved = said(fitted, asked(panel, price=0.5)) / said(fitted, asked(panel, price=1.0))
    assert halved == pytest.approx(0.5**ELASTICITY, rel=0.15)


@given(price=st.floats(0.3, 3.0), name=st.text(min_size=1, max_size=8))
@settings(max_examples=20)
def test_without_own_units_attributes_alone_decide(fitted, panel, price, name):
    one = asked(panel, price=price)
    keys = pd.MultiIndex.from_tuples([(name, "shop")], names=panel.keys.names)
    other = replace(one, keys=keys, statics=one.statics.assign(product_id=name))
    assert said(fitted, one) == said(fitted, other)


@given(level=st.integers(0, 60))
@settings(max_examples=20)
def test_many_days_of_its_own_leave_a_product_its_own_mean(fitted, panel, level):
    assert said(fitted, asked(panel, own=(float(level),) * 200)) == pytest.approx(level, rel=0.1, abs=0.2)


def test_own_units_count_the_more_the_more_they_are(fitted, panel):
    before = said(fitted, asked(panel))
    path = [said(fitted, asked(panel, own=(12.0,) * days)) for days in (1, 3, 7, 14, 27)]
    assert before < path[0] < path[1] < path[2] < path[3] < path[4] < 13.0
    assert path[4] == pytest.approx(12.0, rel=0.1)


def test_a_payload_is_json_and_says_the_same_to_the_last_bit(fitted, panel):
    payload = fitted.to_payload()
    assert set(json.loads(payload)) >= {"curve", "values", "weekdays", "parameters"}
    loaded = NewProductForecaster.from_payload(payload).with_panel(panel)
    np.testing.assert_array_equal(loaded.predict_panel(HORIZON), fitted.predict_panel(HORIZON))
    assert loaded.to_payload() == payload


def test_one_product_alone_is_forecast_the_same_to_the_last_bit(fitted, panel):
    together = fitted.predict_panel(HORIZON)
    for row in range(0, len(panel.keys), 17):
        alone = NewProductForecaster.from_payload(fitted.to_payload()).with_panel(panel.take(np.array([row])))
        np.testing.assert_array_equal(alone.predict_panel(HORIZON)[0], together[row])


def test_a_product_that_does_well_elsewhere_is_expected_to_do_well_here(panel):
    doubled = shop(3, 480)
    rows = np.arange(480)
    partner = rows - rows % 2  # a launched product is the one before it, in another channel
    ids = np.array([f"p{place:03d}" for place in partner])
    channel = np.where(rows % 2 == 1, "market", "shop")
    strength = np.random.default_rng(5).gamma(2.0, 0.5, 480)[partner]
    units = np.random.default_rng(6).poisson(np.nan_to_num(doubled.units) * strength[:, None]).astype(float)
    units[np.isnan(doubled.units)] = np.nan
    keys = pd.MultiIndex.from_arrays([ids, channel], names=panel.keys.names)
    statics = doubled.statics.assign(product_id=ids, channel=channel)
    together = NewProductForecaster().fit_panel(replace(doubled, keys=keys, units=units, statics=statics))
    assert together.elsewhere_share_ > 0.3
    assert together.shapes_[1] > together.shapes_[0]


def test_intervals_hold_as_often_as_they_say_on_products_left_out(panel):
    other = shop(11, 600)
    rows = np.flatnonzero(other.first_day > 0)
    fitted = NewProductForecaster().fit_panel(panel)
    inside: dict[float, list[bool]] = {0.8: [], 0.95: []}
    for row in rows:
        first = int(other.first_day[row])
        for seen in (0, 7):
            own = tuple(other.units[row, first : first + seen])
            one = asked(
                panel, category=str(other.statics["category"][row]), price=other.drivers["unit_price"][row, -1], own=own
            )
            fitted.with_panel(one)
            total = other.units[row, first + seen : first + HORIZON].sum()
            low, under, over, high = fitted.predict_total_quantiles(HORIZON - seen, (0.025, 0.1, 0.9, 0.975))[0]
            inside[0.8].append(under <= total <= over)
            inside[0.95].append(low <= total <= high)
    for nominal, hits in inside.items():
        assert np.mean(hits) == pytest.approx(nominal, abs=0.05)


def test_launches_after_the_day_of_training_are_not_read(panel):
    known, later = panel.until(200, HORIZON), panel.units.copy()
    later[:, 200:] = 99.0
    other = panel.with_units(later).until(200, HORIZON)
    one, two = (NewProductForecaster().fit_panel(which) for which in (known, other))
    assert one.to_payload() == two.to_payload()
