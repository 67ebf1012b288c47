import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.day_features import DayFeatures, feature_names
from storecast.forecasting.day_features import encoders_of as day_encoders_of
from storecast.forecasting.features import FEATURES, FeatureSource, encoders_of
from storecast.forecasting.panel import Panel


def features(panel: Panel, day: int, known: int) -> pd.DataFrame:
    source = FeatureSource(panel, 28, encoders_of(panel), 28)
    every_row = np.ones(len(panel.keys), dtype=bool)
    return pd.DataFrame(source.on_day(day, known, every_row), columns=list(FEATURES), index=panel.keys)


def test_features_of_one_day_match_those_made_by_hand(panel, daily_demand):
    known, day = 160, 170
    row = features(panel, day, known).loc[("fast", "shop")]
    series = daily_demand[(daily_demand["product_id"] == "fast") & (daily_demand["channel"] == "shop")]
    past, target = series.iloc[:known], series.iloc[day]
    units = past["units"]
    same_weekday = units[past["date"].dt.dayofweek == target["date"].dayofweek]
    expected = {
        "mean_7": units.tail(7).mean(),
        "mean_28": units.tail(28).mean(),
        "mean_91": units.tail(91).mean(),
        "mean_182": units.mean(),
        "weekday_mean_4": same_weekday.tail(4).mean(),
        "weekday_mean_8": same_weekday.tail(8).mean(),
        "mean_7_lag_7": units.iloc[-14:-7].mean(),
        "mean_28_lag_28": units.iloc[-56:-28].mean(),
        "size_91": units.tail(91).mean(),
        "sold_share_28": 1.0,
        "days_since_sale": 1.0,
        "age_days": 160.0,
        "step": 11.0,
        "unit_price": target["unit_price"],
        "price_to_mean": target["unit_price"] / past["unit_price"].tail(91).mean(),
        "is_on_promotion": target["is_on_promotion"],
        "discount_share": target["discount_share"],
        "promotion_share_28": past["is_on_promotion"].tail(28).mean(),
        "has_event": target["has_event"],
        "weekday": target["date"].dayofweek,
        "day_of_month": target["date"].day,
        "day_of_year": target["date"].dayofyear,
        "category": 0.0,
        "channel": 1.0,
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(float(value), rel=1e-6), name


def test_a_year_ago_is_the_week_around_the_same_weekday():
    keys = pd.MultiIndex.from_tuples([("p", "shop")], names=["product_id", "channel"])
    panel = Panel(
        keys, pd.date_range("2024-01-01", periods=500), np.arange(500.0)[None, :], statics=keys.to_frame(index=False)
    )
    row = features(panel, 510, 500).iloc[0]
    assert row["mean_year_ago"] == pytest.approx(510 - 364)
    assert row["mean_28_year_ago"] == pytest.approx(np.arange(500 - 364 - 28, 500 - 364).mean())


def test_a_series_of_one_day_has_a_level_and_no_season(panel):
    row = features(panel, panel.days + 3, panel.days).loc[("newborn", "shop")]
    assert row["mean_28"] == 3.0
    assert np.isnan(row["mean_28_lag_28"])


def test_a_price_that_was_not_planned_is_the_last_one_before_the_origin(panel):
    unplanned = {**panel.drivers, "is_price_planned": np.zeros_like(panel.drivers["is_price_planned"])}
    blind = Panel(panel.keys, panel.times, panel.units, unplanned, panel.statics, panel.event_names)
    source = features(blind, 170, 160)
    np.testing.assert_array_equal(source["unit_price"], blind.drivers["unit_price"][:, 159])
    assert not source["is_on_promotion"].any()


@given(st.integers(30, 190), st.integers(0, 27), st.integers(0, 2**32 - 1))
def test_shuffling_the_future_changes_no_feature(panel: Panel, known: int, ahead: int, seed: int):
    rng = np.random.default_rng(seed)
    units = panel.units.copy()
    units[:, known:] = rng.permuted(units[:, known:], axis=1)
    drivers = {name: driver.copy() for name, driver in panel.drivers.items()}
    drivers["is_price_planned"][:] = 0.0
    shuffled = {name: driver.copy() for name, driver in drivers.items()}
    for name in ("unit_price", "is_on_promotion", "discount_share"):
        shuffled[name][:, known:] = rng.permuted(shuffled[name][:, known:], axis=1)
    begun = panel.first_day < known
    one = Panel(panel.keys, panel.times, panel.units, drivers, panel.statics, panel.event_names).take(begun)
    other = Panel(panel.keys, panel.times, units, shuffled, panel.statics, panel.event_names).take(begun)
    pd.testing.assert_frame_equal(features(one, known + ahead, known), features(other, known + ahead, known))


def test_features_of_a_series_are_the_same_to_the_last_bit_alone_and_among_others(panel):
    together = features(panel, panel.days + 9, panel.days)
    for row in range(len(panel.keys)):
        alone = FeatureSource(panel.take(np.array([row])), 28, encoders_of(panel), 28)
        np.testing.assert_array_equal(
            alone.on_day(panel.days + 9, panel.days, np.array([True]))[0], together.to_numpy()[row]
        )


def test_fractions_too_are_summed_in_one_order_however_many_series_there_are(panel):
    rng = np.random.default_rng(0)
    fractions = panel.with_units(panel.units * rng.random(panel.units.shape))
    prices = panel.drivers["unit_price"] * rng.uniform(0.9, 1.1, panel.drivers["unit_price"].shape)
    fractions = fractions.with_drivers({**panel.drivers, "unit_price": prices})
    names = feature_names("levels", day_encoders_of(panel))
    direct, recursive = ([], [])
    for part in (fractions, *(fractions.take(np.array([row])) for row in range(len(panel.keys)))):
        source = FeatureSource(part, 28, encoders_of(panel), 28)
        direct.append(source.on_day(panel.days + 9, panel.days, np.arange(len(part.keys))))
        recursive.append(DayFeatures(part, 1, day_encoders_of(panel)).on_day(panel.days, names))
    for together, *alone in (direct, recursive):
        np.testing.assert_array_equal(np.concatenate(alone), together)


def test_an_event_training_never_saw_is_missing(panel):
    source = FeatureSource(panel, 28, {**encoders_of(panel), "event_code": {}}, 28)
    rows = source.on_day(panel.days, panel.days, np.ones(len(panel.keys), dtype=bool))
    assert np.isnan(rows[:, FEATURES.index("event_code")]).all()
    assert rows[:, FEATURES.index("has_event")].all()  # the first of July is payday
