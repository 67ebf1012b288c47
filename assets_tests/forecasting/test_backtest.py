import importlib.util
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan, backtest, backtests_from_table, backtests_table, model_scores
from storecast.forecasting.registry import models_named
from storecast.forecasting.unconstraining import unconstrained

PLAN = BacktestPlan(horizon=14, selection_origins=3, evaluation_origins=2)
MODELS = models_named(["window_average", "tsb", "auto_ets"])


@pytest.fixture(scope="module")
def results(panel):
    return backtest(panel, MODELS, PLAN)


def test_origins_are_a_horizon_apart_and_the_newest_evaluate():
    assert PLAN.origins(200) == (
        (130, c.SELECTION),
        (144, c.SELECTION),
        (158, c.SELECTION),
        (172, c.EVALUATION),
        (186, c.EVALUATION),
    )


def test_a_horizon_of_ninety_days_is_possible(panel):
    results = backtest(panel, models_named(["window_average"]), BacktestPlan(90, 1, 1))
    assert results.forecasts["window_average"].shape == (2, len(panel.keys), 90)


def test_too_short_a_history_is_an_error_that_says_how_much_is_needed():
    with pytest.raises(ValueError, match="load at least 56 days"):
        PLAN.origins(40)


def test_a_forecast_is_what_the_model_says_when_it_knows_the_past_alone(panel, results):
    past = panel.units[:, :144]
    row = panel.keys.get_loc(("fast", "shop"))
    by_hand = [past[row, [144 + step - 7 * week for week in range(step // 7 + 1, step // 7 + 5)]].mean()
               for step in range(14)]  # fmt: skip
    np.testing.assert_allclose(results.forecasts["window_average"][1, row], by_hand)


def test_actual_units_are_those_after_the_origin(panel, results):
    row = panel.keys.get_loc(("slow", "shop"))
    np.testing.assert_array_equal(results.actual[1, row], panel.units[row, 144:158])


def test_a_series_that_begins_later_is_not_in_an_origin(panel, results):
    newborn, young = (panel.keys.get_loc((name, "shop")) for name in ("newborn", "young"))
    assert np.isnan(results.forecasts["seasonal_naive"][:, newborn]).all()
    assert np.isnan(results.forecasts["seasonal_naive"][:3, young]).all()  # it begins on day 160
    assert not np.isnan(results.forecasts["seasonal_naive"][3:, young]).any()
    assert results.classes[:, young].tolist() == ["", "", "", "new", "new"]


def test_a_model_runs_only_for_the_demand_it_suits(panel, results):
    ran = ~np.isnan(results.forecasts["auto_ets"]).any(axis=2)
    assert set(results.classes[ran]) <= {"smooth", "erratic"}


def test_changing_what_comes_after_an_origin_changes_no_forecast_of_it(panel, results):
    rng = np.random.default_rng(0)
    units = panel.units.copy()
    units[:, 172:] = np.where(np.isnan(units[:, 172:]), np.nan, rng.poisson(30, units[:, 172:].shape))
    altered = backtest(panel.with_units(units), MODELS, PLAN)
    for model, forecast in results.forecasts.items():
        np.testing.assert_array_equal(altered.forecasts[model][:4], forecast[:4])
    np.testing.assert_array_equal(altered.classes[:4], results.classes[:4])


@pytest.mark.slow
def test_processes_do_not_change_the_numbers(panel):
    many = panel.take(np.tile(np.arange(len(panel.keys)), 12))  # enough that sharing out pays
    alone, shared_out = backtest(many, MODELS, PLAN), backtest(many, MODELS, PLAN, n_jobs=2)
    for model, forecast in alone.forecasts.items():
        np.testing.assert_array_equal(shared_out.forecasts[model], forecast)


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra `ray` is not installed")
def test_a_cluster_is_asked_where_its_address_is_given(panel):
    many = panel.take(np.tile(np.arange(len(panel.keys)), 12))
    with pytest.raises(ConnectionError, match=r"ray_address is '127\.0\.0\.1:1'"):
        backtest(many, MODELS, PLAN, ray_address="127.0.0.1:1")


def test_each_model_and_origin_is_reported(panel):
    lines: list[str] = []
    backtest(panel, models_named(["tsb"]), PLAN, report=lines.append)
    assert len(lines) == 10
    assert lines[0].startswith("back-test seasonal_naive from 2025-04-21 (selection)")


def test_the_table_keeps_all_that_the_arrays_hold(panel, results):
    table = backtests_table(results)
    c.Backtests.validate(table.astype(dict.fromkeys(table.columns[table.dtypes == "category"], object)))
    again = backtests_from_table(table.sample(frac=1, random_state=0), panel)
    assert again.origins == results.origins
    np.testing.assert_array_equal(again.actual, results.actual)
    np.testing.assert_array_equal(again.classes, results.classes)
    for model, forecast in results.forecasts.items():
        np.testing.assert_array_equal(again.forecasts[model], forecast)


def test_a_table_of_other_days_is_an_error(panel, results):
    table = backtests_table(results)
    with pytest.raises(ValueError, match="origin_date"):
        backtests_from_table(table.assign(origin_date=table["origin_date"] - pd.Timedelta(days=999)), panel)


def test_a_table_with_text_instead_of_categories_is_read_the_same(panel, results):
    table = backtests_table(results)
    text = table.astype(dict.fromkeys(table.columns[table.dtypes == "category"], object))
    again = backtests_from_table(text, panel)
    for model, forecast in results.forecasts.items():
        np.testing.assert_array_equal(again.forecasts[model], forecast)


def test_a_table_of_other_series_is_an_error(panel, results):
    with pytest.raises(ValueError, match="'constant', 'shop'"):
        backtests_from_table(backtests_table(results), panel.take(np.arange(1, len(panel.keys))))


def test_scores_of_a_series_are_the_ratios_by_hand(panel, results):
    scores = c.ModelScores.validate(model_scores(results))
    row = panel.keys.get_loc(("fast", "shop"))
    found = scores[(scores["product_id"] == "fast") & (scores["channel"] == "shop") & (scores["model"] == "tsb")].iloc[
        2
    ]
    actual, forecast = results.actual[2, row], results.forecasts["tsb"][2, row]
    assert found["wape"] == pytest.approx(abs(actual - forecast).sum() / actual.sum())
    assert found["bias"] == pytest.approx(forecast.sum() / actual.sum() - 1)
    history = panel.units[row, :158]
    assert found["mase"] == pytest.approx(abs(actual - forecast).mean() / abs(history[7:] - history[:-7]).mean())
    assert found["rmsse"] == pytest.approx(np.sqrt(((actual - forecast) ** 2).mean() / (np.diff(history) ** 2).mean()))


@pytest.fixture(scope="module")
def sold_out(panel):
    """The small shop, the fast product sold out on three days after the third origin and one before it."""
    is_in_stock, units = np.ones(panel.units.shape, bool), panel.units.copy()
    rows = np.flatnonzero(panel.keys.get_level_values("product_id") == "fast")
    for day in (150, 160, 165, 170):
        is_in_stock[rows, day], units[rows, day] = False, 0.0
    return replace(panel, units=units, is_in_stock=is_in_stock)


@pytest.fixture(scope="module")
def sold_out_results(sold_out):
    return backtest(sold_out, MODELS, PLAN)


def test_a_sold_out_day_is_forecast_and_not_scored(panel, results, sold_out_results):
    row = panel.keys.get_loc(("fast", "shop"))
    is_scored = ~np.isnan(sold_out_results.actual[2, row])
    assert np.flatnonzero(~is_scored).tolist() == [2, 7, 12]
    np.testing.assert_array_equal(sold_out_results.is_sold_out[2, row], ~is_scored)
    assert not np.isnan(sold_out_results.forecasts["window_average"][2, row]).any()
    np.testing.assert_array_equal(sold_out_results.actual[2, row, is_scored], results.actual[2, row, is_scored])
    slow = panel.keys.get_loc(("slow", "shop"))
    np.testing.assert_array_equal(sold_out_results.actual[:, slow], results.actual[:, slow])


def test_models_learn_from_the_demand_of_sold_out_days(panel, sold_out, sold_out_results):
    row = panel.keys.get_loc(("fast", "shop"))
    demand = unconstrained(sold_out).units[row]
    assert demand[150] > 5
    forecast = sold_out_results.forecasts["window_average"][2, row, 150 - 144]  # same weekday, weeks 1-4 before it
    assert forecast == pytest.approx(demand[[136, 143, 150, 157]].mean())


def test_scores_leave_sold_out_days_out(panel, sold_out_results):
    scores = c.ModelScores.validate(model_scores(sold_out_results))
    row = panel.keys.get_loc(("fast", "shop"))
    found = scores[(scores["product_id"] == "fast") & (scores["channel"] == "shop") & (scores["model"] == "tsb")].iloc[
        2
    ]
    is_scored = ~sold_out_results.is_sold_out[2, row]
    actual, forecast = sold_out_results.actual[2, row, is_scored], sold_out_results.forecasts["tsb"][2, row, is_scored]
    assert found["wape"] == pytest.approx(abs(actual - forecast).sum() / actual.sum())
    assert found["bias"] == pytest.approx(forecast.sum() / actual.sum() - 1)


def test_the_table_keeps_the_rows_of_sold_out_days_without_units(panel, sold_out, sold_out_results):
    table = backtests_table(sold_out_results)
    c.Backtests.validate(table.astype(dict.fromkeys(table.columns[table.dtypes == "category"], object)))
    ran = [~np.isnan(forecast) & sold_out_results.is_sold_out for forecast in sold_out_results.forecasts.values()]
    assert table["units"].isna().sum() == np.sum(ran) > 0
    again = backtests_from_table(table, sold_out)
    np.testing.assert_array_equal(again.actual, sold_out_results.actual)
    np.testing.assert_array_equal(again.is_sold_out, sold_out_results.is_sold_out)
