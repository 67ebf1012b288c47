import json

import lightgbm as lgb
import numpy as np
import pytest

from storecast.forecasting.boosted_ensemble import BoostedEnsemble
from storecast.forecasting.calendar_regression import forecast_group_totals
from storecast.forecasting.day_features import DayFeatures, feature_names
from storecast.forecasting.level_corrections import Groups
from storecast.forecasting.panel import Panel
from storecast.forecasting.recursive_boosting import RecursiveLightGBM

HORIZON = 28
SMALL = {"n_trees": 20, "min_rows_a_leaf": 20, "n_leaves": 15}


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    """The shop with twenty times its sales: its groups are large enough for a calendar."""
    return panel.with_units(20 * panel.units).until(panel.days, HORIZON)


@pytest.fixture(scope="module", params=["lags", "levels", "ensemble"])
def fitted(request: pytest.FixtureRequest, known: Panel) -> RecursiveLightGBM | BoostedEnsemble:
    if request.param == "ensemble":
        return BoostedEnsemble(n_trees=10, n_leaves=7).fit_panel(known)
    return RecursiveLightGBM(request.param, **SMALL).fit_panel(known)


def test_a_days_features_are_what_pandas_computes(known):
    names = ("lag_7", "mean_7_lag_1", "mean_28_lag_7", "weekday_mean_4", "sold_share_28")
    encoders = {"recurring_events": [], "rare_events": {}}
    source, day = DayFeatures(known, 0, encoders), known.days - 3
    found = source.on_day(day, names)
    for row, units in enumerate(known.units):
        before = units[:day]
        lived = before[~np.isnan(before)]
        expected = [
            before[-7],
            np.nanmean(before[-7:]) if len(lived) else np.nan,
            np.nanmean(before[-34:-6]) if not np.isnan(before[-34:-6]).all() else np.nan,
            np.nanmean(before[[-7, -14, -21, -28]]) if not np.isnan(before[[-7, -14, -21, -28]]).all() else np.nan,
            (before[-28:] > 0).sum() / 28,
        ]
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)


def test_features_of_a_day_do_not_change_with_what_comes_after_it(known):
    encoders = {"recurring_events": [], "rare_events": {}}
    names = feature_names("levels", encoders)
    day = known.days - 30
    changed = known.units.copy()
    changed[:, day:] = 999.0
    before = DayFeatures(known, 0, encoders).on_day(day, names)
    after = DayFeatures(known.with_units(changed), 0, encoders).on_day(day, names)
    np.testing.assert_array_equal(before, after)


def test_the_first_day_ahead_is_lightgbm_on_hand_made_features_times_the_factor(known):
    model = RecursiveLightGBM("lags", **SMALL).fit_panel(known)
    names = feature_names("lags", model.encoders_)
    features = DayFeatures(known, 1, model.encoders_).on_day(known.days, names)
    booster = lgb.Booster(model_str=json.loads(model.to_payload())["trees"])
    by_hand = booster.predict(features) * model.corrections_.of(known, 1)[:, 0]
    np.testing.assert_allclose(model.predict_panel(1)[:, 0], by_hand * (known.units > 0).any(axis=1), rtol=1e-12)


def test_held_by_the_calendar_alone_groups_sum_up_to_it(known):
    model = RecursiveLightGBM(**SMALL, anchor_weight=1.0).fit_panel(known)
    groups = Groups.of(known)
    assert groups.names
    sums = groups.total(groups.codes(known), model.predict_panel(HORIZON))
    np.testing.assert_allclose(sums, forecast_group_totals(known, groups, HORIZON), rtol=1e-6)


def test_the_ensembles_groups_sum_up_to_the_mean_of_its_recursive_models(known):
    model = BoostedEnsemble(n_trees=10, n_leaves=7).fit_panel(known)
    groups = Groups.of(known)
    codes = groups.codes(known)
    recursive = np.mean([member.predict_panel(HORIZON) for member in model.recursive_], axis=0)
    np.testing.assert_allclose(
        groups.total(codes, model.predict_panel(HORIZON)), groups.total(codes, recursive), rtol=1e-9
    )


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


def test_a_wrong_feature_set_is_named():
    with pytest.raises(ValueError, match="feature_set is 'lagz': choose from"):
        feature_names("lagz", {"recurring_events": []})
