import numpy as np
import pytest
from numpy.testing import assert_array_equal

from storecast.forecasting import contracts as c
from storecast.forecasting import metrics
from storecast.forecasting.accuracy import forecast_accuracy
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import champion_backtests, choose_champions

PLAN = BacktestPlan(horizon=14, selection_origins=3, evaluation_origins=2)


@pytest.fixture(scope="module")
def results(panel):
    return backtest(panel, models_named(["window_average", "tsb", "auto_ets"]), PLAN)


@pytest.fixture(scope="module")
def policy(results):
    return choose_champions(results.of_split(c.SELECTION))


@pytest.fixture(scope="module")
def accuracy(results, policy):
    return c.BacktestAccuracy.validate(forecast_accuracy(results, policy))


def one(accuracy, **where):
    for column, value in where.items():
        accuracy = accuracy[accuracy[column] == value]
    assert len(accuracy) == 1
    return accuracy.iloc[0]


def test_every_model_and_level_has_a_row_an_evaluation_origin(accuracy):
    whole = accuracy[accuracy["demand_class"] == "all"]
    assert set(whole["model"]) == {"champion", "seasonal_naive", "window_average", "tsb", "auto_ets"}
    assert (whole.groupby(["model", "level"]).size() == 2).all()
    assert set(whole["level"]) == set(c.LEVELS)


def test_only_evaluation_origins_are_shown(accuracy):
    assert set(accuracy["origin_date"].dt.strftime("%Y-%m-%d")) == {"2025-06-02", "2025-06-16"}
    assert set(accuracy["split"]) == {"evaluation"}


def test_the_total_is_that_of_sums_by_hand(accuracy, results, policy):
    champion = champion_backtests(results, policy)[4]
    actual, forecast = np.nansum(results.actual[4], axis=0), np.nansum(champion, axis=0)
    naive = np.nansum(results.forecasts["seasonal_naive"][4], axis=0)
    row = one(accuracy, level="total", model="champion", origin_date=accuracy["origin_date"].max())
    assert row["wape"] == pytest.approx(abs(actual - forecast).sum() / actual.sum())
    assert row["bias"] == pytest.approx(forecast.sum() / actual.sum() - 1)
    assert row["mape"] == pytest.approx((abs(actual - forecast) / actual).mean())
    assert row["skill_over_seasonal_naive"] == pytest.approx(
        1 - abs(actual - forecast).sum() / abs(actual - naive).sum()
    )


def test_seasonal_naive_has_no_skill_over_itself(accuracy):
    skill = accuracy[accuracy["model"] == "seasonal_naive"]["skill_over_seasonal_naive"].dropna()
    assert_array_equal(skill, np.zeros(len(skill)))


def test_mape_is_shown_at_aggregates_only(accuracy):
    shown = accuracy.dropna(subset=["mape"])
    assert set(shown["level"]) == {"category", "channel", "total"}


def test_a_model_that_ran_for_some_series_is_measured_on_those(accuracy, results):
    row = one(accuracy, level="product_channel", model="auto_ets", demand_class="all",
              origin_date=accuracy["origin_date"].max())  # fmt: skip
    assert row["series"] == (~np.isnan(results.forecasts["auto_ets"][4]).any(axis=1)).sum()


def test_series_can_be_read_by_demand_class(accuracy):
    rows = accuracy[(accuracy["level"] == "product_channel") & (accuracy["model"] == "champion")]
    newest = rows[rows["origin_date"] == rows["origin_date"].max()].set_index("demand_class")["series"]
    assert newest["all"] == newest.drop("all").sum()


def test_intervals_are_made_of_the_selection_origins_alone(results, policy, accuracy):
    import dataclasses

    doubled = dataclasses.replace(results, actual=results.actual.copy())
    doubled.actual[3:] *= 2
    again = forecast_accuracy(doubled, policy)
    lower = one(again, level="total", model="champion", origin_date=again["origin_date"].max())["coverage_90"]
    assert lower < one(accuracy, level="total", model="champion",
                       origin_date=accuracy["origin_date"].max())["coverage_90"]  # fmt: skip


def test_what_is_forecast_for_a_sold_out_day_counts_nowhere(results, policy):
    import dataclasses

    actual = results.actual.copy()
    actual[:, :3, 5:8] = np.nan
    sold_out = dataclasses.replace(results, actual=actual)
    wild = {model: np.where(sold_out.is_sold_out, values * 50, values) for model, values in results.forecasts.items()}
    found = c.BacktestAccuracy.validate(forecast_accuracy(sold_out, policy))
    one_of = forecast_accuracy(dataclasses.replace(sold_out, forecasts=wild), policy)
    single = found["model"] != "champion"  # a champion's fallbacks look at its whole forecast
    assert found[single].equals(one_of[single])
    naive, scored = results.forecasts["seasonal_naive"][4], ~np.isnan(actual[4])
    both = scored & ~np.isnan(naive)
    by_hand = abs(actual[4][both] - naive[both]).sum() / actual[4][both].sum()
    row = one(found, level="product_channel", model="seasonal_naive", demand_class="all",
              origin_date=found["origin_date"].max())  # fmt: skip
    assert row["wape"] == pytest.approx(by_hand)


def test_seasonal_naive_has_no_skill_over_itself_and_surely_so(accuracy):
    naive = accuracy[(accuracy["model"] == "seasonal_naive") & (accuracy["demand_class"] == "all")]
    assert set(naive["skill_over_seasonal_naive"]) == {0.0}
    assert set(naive["skill_error"]) == {0.0}


def test_the_error_of_a_skill_is_as_large_as_skills_vary():
    """400 pairs of forecasts that are equally bad: their skill is 0 in truth, and hardly any is surely worse."""
    rng = np.random.default_rng(1)
    skills, errors = [], []
    for _ in range(400):
        sold = rng.poisson(20.0, (1, 28)).astype(float)
        ours, theirs = (rng.normal(20.0, 4.0, (1, 28)) for _ in range(2))
        skills.append(metrics.skill(metrics.wape(sold, ours), metrics.wape(sold, theirs)))
        errors.append(metrics.skill_error(sold, ours, theirs))
    assert np.median(errors) == pytest.approx(np.std(skills), rel=0.25)
    assert np.mean(np.array(skills) + 3 * np.array(errors) < 0) < 0.05
