"""The reconciled forecaster as an estimator: it adds up, it is never negative, it looks at no later day."""

import numpy as np
import pytest

from storecast.forecasting.baselines import SeasonalNaive, SeasonalWindowAverage
from storecast.forecasting.panel import Panel
from storecast.forecasting.reconciled_forecaster import ReconciledForecaster

HORIZON = 28
LEVELS = ((), ("category",), ("channel",), ("product_id",))
ALPHAS = (0.05, 0.5, 0.95)


def make(method: str = "auto") -> ReconciledForecaster:
    return ReconciledForecaster(SeasonalNaive(), SeasonalWindowAverage(), LEVELS, method)


@pytest.mark.parametrize("method", ["auto", "bottom_up", "ols", "wls_struct", "wls_var"])
def test_forecasts_add_up_and_are_never_negative(panel, method):
    found = make(method).fit_panel(panel).predict_nodes(HORIZON)
    series = found.mean[found.hierarchy.aggregates :]
    np.testing.assert_allclose(found.mean, found.hierarchy.totals(series), rtol=0, atol=1e-9)
    assert (found.mean >= 0).all()
    np.testing.assert_array_equal(make(method).fit_panel(panel).predict_panel(HORIZON), series)


def test_quantiles_of_every_node_rise_and_hold_its_mean(panel):
    found = make().fit_panel(panel).predict_nodes(HORIZON)
    quantiles = found.quantiles(ALPHAS)
    assert quantiles.shape == (found.hierarchy.nodes, HORIZON, len(ALPHAS))
    assert (quantiles >= 0).all()
    assert (np.diff(quantiles, axis=2) >= 0).all()
    total = found.hierarchy.rows["total"]
    assert (quantiles[total, :, 0] < found.mean[total]).all()
    assert (found.mean[total] < quantiles[total, :, 2]).all()


def test_intervals_of_the_errors_at_back_test_origins_cover_them(panel):
    found = make("wls_struct").fit_panel(panel).predict_nodes(7)
    assert found.backtests.shape == (3, found.hierarchy.nodes, 7)
    series = found.backtests[:, found.hierarchy.aggregates :]
    np.testing.assert_allclose(np.nan_to_num(found.backtests), found.hierarchy.totals(series))


def test_bottom_up_is_the_forecaster_itself(panel):
    ours = make("bottom_up").fit_panel(panel).predict_panel(HORIZON)
    np.testing.assert_array_equal(ours, SeasonalNaive().fit_panel(panel).predict_panel(HORIZON))


def test_the_choice_is_made_on_days_before_the_origin_alone(panel):
    """What comes after the origin is tripled: forecasts, choice and quantiles stay what they were."""
    units = panel.units.copy()
    units[:, 150:] = units[:, 150:] * 3 + 1
    answers = []
    for one in (panel, panel.with_units(units)):
        found = make().fit_panel(one.until(150, HORIZON)).predict_nodes(HORIZON)
        answers.append((found.mean, found.quantiles(ALPHAS), found.reconciliation))
    np.testing.assert_array_equal(answers[0][0], answers[1][0])
    np.testing.assert_array_equal(answers[0][1], answers[1][1])
    assert answers[0][2] == answers[1][2]


def test_a_history_too_short_for_a_back_test_is_forecast_bottom_up(panel):
    short = panel.until(20, HORIZON)
    found = make().fit_panel(short).predict_nodes(HORIZON)
    assert found.reconciliation.method == "bottom_up"
    assert found.quantiles(ALPHAS).shape == (found.hierarchy.nodes, HORIZON, 3)


def test_a_series_alone_has_nothing_to_be_reconciled_with(panel):
    alone = panel.take(np.array([0]))
    ours = make("wls_var").fit_panel(Panel(alone.keys, alone.times, alone.units, statics=alone.statics))
    np.testing.assert_array_equal(ours.predict_panel(7), SeasonalNaive().fit_panel(alone).predict_panel(7))


def test_a_method_that_is_not_known_is_an_error_that_names_it(panel):
    with pytest.raises(ValueError, match="mint_shrink"):
        make("mint_shrink").fit_panel(panel).predict_panel(7)
