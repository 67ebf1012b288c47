import dataclasses

import numpy as np
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import (
    blended,
    champion_backtests,
    champions_table,
    choose_champions,
    members,
    picked,
)

PLAN = BacktestPlan(horizon=14, selection_origins=3, evaluation_origins=2)


@pytest.fixture(scope="module")
def results(panel):
    return backtest(panel, models_named(["window_average", "tsb"]), PLAN)


def with_model(results, name, forecast):
    return dataclasses.replace(results, forecasts={**results.forecasts, name: forecast})


def test_a_model_that_knows_the_outcome_becomes_every_classs_champion(results):
    oracle = with_model(results, "oracle", results.actual.copy())
    policy = choose_champions(oracle.of_split(c.SELECTION))
    assert set(policy.by_class.values()) == {"oracle"}


def test_two_models_that_err_to_opposite_sides_win_as_their_mean(results):
    both = with_model(with_model(results, "above", results.actual * 1.5), "below", results.actual * 0.5)
    policy = choose_champions(both.of_split(c.SELECTION))
    assert policy.by_class["smooth"] == "above+below"


def test_evaluation_origins_are_refused(results):
    with pytest.raises(ValueError, match="evaluation"):
        choose_champions(results)


def test_the_choice_does_not_depend_on_the_evaluation_origins(results):
    rng = np.random.default_rng(0)
    forecasts = {model: values.copy() for model, values in results.forecasts.items()}
    for values in forecasts.values():
        values[3:] = rng.random(values[3:].shape) * 100
    altered = dataclasses.replace(results, forecasts=forecasts, actual=results.actual * 1)
    altered.actual[3:] *= 7
    assert choose_champions(altered.of_split(c.SELECTION)) == choose_champions(results.of_split(c.SELECTION))


def test_a_series_can_have_its_own_champion(results, panel):
    row = panel.keys.get_loc(("fast", "market"))
    special = results.forecasts["window_average"] * 5
    special[:, row] = results.actual[:, row]
    policy = choose_champions(with_model(results, "special", special).of_split(c.SELECTION), by="series")
    assert policy.by_series[("fast", "market")] == "special"
    champions = champions_table(policy, panel, "t").set_index(["product_id", "channel"])
    assert champions.loc[("fast", "market"), "model"] == "special"
    assert "its own" in champions.loc[("fast", "market"), "reason"]


def test_champions_carry_class_and_reason(results, panel):
    policy = choose_champions(results.of_split(c.SELECTION))
    champions = c.Champions.validate(champions_table(policy, panel, "t"))
    assert len(champions) == len(panel.keys)
    reason = champions.set_index("product_id").loc["slow", "reason"]
    assert "3 selection origins" in reason
    assert "WAPE" in reason


def test_a_blend_is_the_mean_of_its_members():
    forecasts = {"a": np.array([[1.0]]), "b": np.array([[3.0]]), "c": np.array([[8.0]])}
    assert members("a+b+c") == ("a", "b", "c")
    assert blended("a+b+c", forecasts) == 4.0
    assert blended("b", forecasts) == 3.0
    np.testing.assert_array_equal(
        picked({name: np.vstack([value] * 2) for name, value in forecasts.items()}, np.array(["a+b", "c"], object)),
        [[2.0], [8.0]],
    )


def test_a_blend_of_a_model_that_was_not_run_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="theta"):
        blended("a+theta", {"a": np.zeros((1, 1))})


def test_champions_back_tests_hold_the_fallbacks_that_would_have_been_published(results, panel):
    policy = choose_champions(results.of_split(c.SELECTION))
    forecast = champion_backtests(results, policy)
    dead, young = (panel.keys.get_loc((name, "shop")) for name in ("dead", "young"))
    assert not forecast[4, dead].any()  # 186 days after its only sale
    begun = panel.units[young, 160:172].sum()
    np.testing.assert_allclose(forecast[3, young], begun / 14)  # twelve days old


def test_what_is_forecast_for_a_sold_out_day_decides_nothing(results):
    actual = results.actual.copy()
    actual[:, ::2, 3:6] = np.nan
    sold_out = dataclasses.replace(results, actual=actual).of_split(c.SELECTION)
    forecasts = {name: np.where(sold_out.is_sold_out, 1e6, values) for name, values in sold_out.forecasts.items()}
    policy, other = (
        choose_champions(backtests) for backtests in (sold_out, dataclasses.replace(sold_out, forecasts=forecasts))
    )
    assert policy == other
    by_series = choose_champions(sold_out, by="series")
    assert choose_champions(dataclasses.replace(sold_out, forecasts=forecasts), by="series") == by_series
