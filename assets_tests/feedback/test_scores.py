"""Live scores against a sum by hand, against the code that scores back-tests, and in whatever order rows lie."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets_tests.feedback.daily_shop import SERIES, Shop, sales
from storecast.feedback import contracts as f
from storecast.feedback.scores import LIVE_SCORES, by_day
from storecast.forecasting import contracts as c
from storecast.forecasting.accuracy import forecast_accuracy
from storecast.forecasting.backtest import BacktestPlan, Backtests, backtest
from storecast.forecasting.intervals import fit_interval_scales
from storecast.forecasting.levels import Level, levels_of
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import champion_backtests, choose_champions

MEASURES = [
    "wape",
    "bias",
    "rmsse",
    "mase",
    "mape",
    "pinball",
    "coverage_90",
    "coverage_50",
    "skill_over_seasonal_naive",
]
QUANTILE_MEASURES = ["pinball", "coverage_90", "coverage_50"]
HISTORY = sales(200)
"""One history of which tests load more and more."""


def until(days: int) -> pd.DataFrame:
    return HISTORY[HISTORY["date"] < HISTORY["date"].min() + pd.Timedelta(days=days)].reset_index(drop=True)


def test_the_scores_are_those_of_a_sum_by_hand(tmp_path):
    shop = Shop(tmp_path, horizon=2, demand=until(60))
    forecasts = shop.forecasts()
    forecasts["mean_units"] = 10.0
    forecasts[list(c.UNIT_QUANTILES)] = [4.0, 5.0, 8.0, 10.0, 12.0, 15.0, 16.0]
    shop.write(forecasts)
    shop.run()
    sold = {"lamp": 13.0, "bulb": 17.0, "chair": 10.0}
    shop.next_days(HISTORY, 2)
    is_new = shop.demand["date"] > forecasts["origin_date"].iloc[0]
    shop.demand.loc[is_new, "units"] = shop.demand["product_id"].map(sold)
    is_out = is_new & (shop.demand["product_id"] == "bulb") & (shop.demand["date"] == shop.origin)
    shop.demand["is_in_stock"] = ~is_out  # on the second day the bulb is left out, with its forecast
    shop.publish()

    [series] = shop.live(level="product_channel", demand_class="all", horizon="all").to_dict("records")
    assert series["units"] == 13 + 13 + 17 + 10 + 13 + 13 + 10
    assert series["wape"] == pytest.approx((3 + 3 + 7 + 0 + 3 + 3 + 0) / 89)
    assert series["bias"] == pytest.approx(-19 / 89)
    assert series["coverage_90"] == pytest.approx(6 / 7)
    assert series["coverage_50"] == pytest.approx(2 / 7)
    losses = [[0.05 * 9, 0.1 * 8, 0.25 * 5, 0.5 * 3, 0.75 * 1, 0.1 * 2, 0.05 * 3],  # 13 sold
              [0.05 * 13, 0.1 * 12, 0.25 * 9, 0.5 * 7, 0.75 * 5, 0.9 * 2, 0.95 * 1],  # 17
              [0.05 * 6, 0.1 * 5, 0.25 * 2, 0.0, 0.25 * 2, 0.1 * 5, 0.05 * 6]]  # 10; # fmt: skip
    assert series["pinball"] == pytest.approx(
        (4 * np.mean(losses[0]) + np.mean(losses[1]) + 2 * np.mean(losses[2])) / 7
    )
    [second] = shop.live(level="category", horizon="day 2").to_dict("records")
    assert second["units"] == 13 + 13 + 10
    assert second["wape"] == pytest.approx((6 + 0) / 36)
    assert second["mape"] == pytest.approx((6 / 26 + 0) / 2)
    [first] = shop.live(level="total", horizon="day 1").to_dict("records")
    naive = sum(HISTORY[HISTORY["date"] == first["window_start_date"] - pd.Timedelta(days=7)]["units"])
    assert first["skill_over_seasonal_naive"] == pytest.approx(1 - 13 / abs(naive - 53))
    assert (first["window_start_date"], first["window_end_date"]) == (first["as_of_date"] - pd.Timedelta(days=1),) * 2


def test_every_horizon_of_which_the_days_have_arrived_has_a_row_and_no_other(shop):
    shop.demand = until(60)
    shop.publish()
    shop.next_days(HISTORY, 10)
    shop.publish()
    expected = {*(f"day {day}" for day in range(1, 11)), "week 1"}
    found = shop.live()
    for level in f.LIVE_LEVELS:
        assert set(found.loc[found["level"] == level, "horizon"]) == expected, level
    series = found[(found["level"] == "product_channel") & (found["horizon"] == "week 1")].set_index("demand_class")
    assert series["series"].to_dict() == {"all": 4, **SERIES["demand_class"].value_counts().to_dict()}
    assert series["units"]["all"] == series["units"].drop("all").sum()
    shop.next_days(HISTORY, 4)
    shop.publish()
    assert set(shop.live(origin_date=pd.Timestamp("2026-03-05"))["horizon"]) == {
        *(f"day {day}" for day in range(1, 15)), "week 1", "week 2", "all"
    }  # fmt: skip


def of_level(level: Level, backtests: Backtests, values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(backtests.actual).all(axis=1, keepdims=True), np.nan, level.total(values))


def published(backtests: Backtests, champion, chosen_on: Backtests, before) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What would have been published at the evaluation origin: series, and levels, each with quantiles of its own."""
    panel, origin = backtests.panel, backtests.origins[0][0]
    days = panel.times[origin : origin + backtests.horizon]
    tables = []
    for level in levels_of(panel):
        is_series = level.name == c.LEVELS[0]
        counted = ~np.isnan(chosen_on.actual)
        actual, mean = (level.total(np.where(counted, values, 0.0)) for values in (chosen_on.actual, before))
        is_node = level.total(counted.astype(float)) > 0
        classes = chosen_on.classes if is_series else np.full(actual.shape[:2], level.name, dtype=object)
        scales = fit_interval_scales(np.where(is_node, actual, np.nan), np.where(is_node, mean, np.nan), classes)
        now = level.total(champion)[0]
        of_now = backtests.classes[0] if is_series else classes[-1]
        quantiles = scales.quantiles(now, of_now, scales.series_spreads)
        nodes = np.repeat(np.arange(level.nodes), len(days))
        table = pd.DataFrame({"mean_units": now.ravel(), "place": nodes, "date": np.tile(days, level.nodes)})
        for place, name in enumerate(c.UNIT_QUANTILES):
            table[name] = quantiles[:, :, place].ravel()
        table = table.assign(origin_date=panel.times[origin - 1])
        table["horizon_day"] = (table["date"] - table["origin_date"]).dt.days
        table["level"] = level.name
        if not is_series:
            table["node"] = np.array(level.labels)[nodes]
            table["series"] = np.bincount(level.node)[nodes]
        tables.append(table)
    series, *levels = tables
    series = series.assign(
        product_id=panel.keys.get_level_values(0).to_numpy()[series["place"]],
        channel=panel.keys.get_level_values(1).to_numpy()[series["place"]],
        model="m", model_version="1", fallback_reason=None, partition_key="p",
    )  # fmt: skip
    sums = pd.concat(levels, ignore_index=True).assign(
        **dict.fromkeys(("mean_revenue", *c.REVENUE_QUANTILES), 1.0), unpriced_units=0.0
    )
    return series[list(c.DemandForecasts.to_schema().columns)], sums[list(c.LevelForecasts.to_schema().columns)]


@pytest.mark.parametrize("is_sold_out", [False, True])
def test_forecasts_scored_as_live_get_what_the_back_test_s_code_gives_them(tmp_path, is_sold_out):
    demand = until(150)
    if is_sold_out:  # a product has one stock for all channels
        age = (demand["date"] - demand["date"].min()).dt.days
        is_out = (demand["product_id"] == "lamp") & age.isin([30, 31, 100, 135, 140, 141, 142])
        demand = demand.assign(is_in_stock=~is_out, units=demand["units"].where(~is_out, 1.0))
    products = SERIES[["product_id", "category"]].drop_duplicates("product_id")
    results = backtest(
        panel_from_tables(demand, None, products), models_named(["window_average"]), BacktestPlan(14, 3, 1)
    )
    chosen_on, evaluated = results.of_split(c.SELECTION), results.of_split(c.EVALUATION)
    policy = choose_champions(chosen_on)
    expected = forecast_accuracy(results, policy)
    champion, before = champion_backtests(evaluated, policy), champion_backtests(chosen_on, policy)

    shop = Shop(tmp_path, demand=demand[demand["date"] <= results.panel.times[evaluated.origins[0][0] - 1]])
    shop.write(*published(evaluated, champion, chosen_on, before))
    classes = results.panel.keys.to_frame(index=False).assign(demand_class=evaluated.classes[0])
    shop.train(classes)
    shop.run()
    shop.demand = demand
    shop.publish()

    keys = ["level", "demand_class"]
    ours = shop.live(horizon="all").set_index(keys)
    theirs = expected[expected["model"] == "champion"].set_index(keys)
    assert set(theirs.index) == {key for key in ours.index if key[0] != "seller"}
    exact = [name for name in MEASURES if not (is_sold_out and name in QUANTILE_MEASURES)]
    ours = ours.loc[theirs.index]
    pd.testing.assert_frame_equal(ours[[*exact, "series"]], theirs[[*exact, "series"]], rtol=1e-7)
    if is_sold_out:  # above the products quantiles are drawn in, and not made anew
        below = [key for key in theirs.index if key[0] in {"product_channel", "product"}]
        pd.testing.assert_frame_equal(
            ours.loc[below, QUANTILE_MEASURES], theirs.loc[below, QUANTILE_MEASURES], rtol=1e-7
        )
        assert ours["pinball"].to_numpy() == pytest.approx(theirs["pinball"].to_numpy(), rel=0.05)
        assert (ours["coverage_90"] - theirs["coverage_90"]).abs().max() <= 1 / 14 + 1e-9


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> dict[str, pd.DataFrame]:
    """What the scores are made of: two origins, with sold-out days."""
    shop = Shop(tmp_path_factory.mktemp("order"), demand=until(60), lift=1.37)
    for days in (7, 12):
        shop.publish()
        shop.next_days(HISTORY.assign(is_in_stock=np.arange(len(HISTORY)) % 13 > 0), days)
    shop.write()
    names = ["gold.daily_demand", "ops.published_forecasts", "ops.published_level_forecasts"]
    nothing_yet = shop.read("select * from gold.forecast_accuracy limit 0")
    return {name: shop.read(f"select * from {name}") for name in names} | {"gold.forecast_accuracy": nothing_yet}


def scores_of(tables: dict[str, pd.DataFrame], threads: int) -> pd.DataFrame:
    with duckdb.connect(config={"threads": threads}) as connection:
        for name, table in tables.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.register("incoming", table)
            days = ", ".join(f"{day}::date as {day}" for day in ("origin_date", "date") if day in table)
            connection.execute(f"create table {name} as select * replace ({days}) from incoming")
            connection.unregister("incoming")
        rows = connection.execute(f"select * from ({LIVE_SCORES}) order by all", {"correction_days": 28}).df()
    assert len(rows) > 100
    return rows


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1), threads=st.integers(1, 4))
def test_scores_are_the_same_to_the_last_bit_however_rows_lie(tables, seed, threads):
    rng = np.random.default_rng(seed)
    shuffled = {name: table.iloc[rng.permutation(len(table))] for name, table in tables.items()}
    pd.testing.assert_frame_equal(scores_of(shuffled, threads), scores_of(tables, 1), check_exact=True)


def test_scores_of_products_do_not_depend_on_which_others_are_beside_them(tables):
    whole = scores_of(tables, 1)
    parts = []
    for products in (["lamp"], ["bulb", "chair"]):
        rows = {
            name: table[table["product_id"].isin(products)] if "product_id" in table else table
            for name, table in tables.items()
        }
        parts.append(scores_of(rows, 1))
    keys = ["origin_date", "level", "demand_class", "horizon"]
    series = pd.concat(parts)
    series = series[(series["level"] == "product_channel") & (series["demand_class"] != "all")].sort_values(keys)
    expected = whole[(whole["level"] == "product_channel") & (whole["demand_class"] != "all")].sort_values(keys)
    pd.testing.assert_frame_equal(series.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True)


def test_the_picture_pools_by_units_and_takes_the_newest_edition():
    row = {"split": "live", "demand_class": "all", "level": "total", "horizon": "day 1", "from_day": 1, "edition": 1,
           "window_end_date": pd.Timestamp("2026-03-06"), "wape": 0.5, "bias": 0.1, "units": 10.0}  # fmt: skip
    rows = [
        row | {"origin_date": pd.Timestamp("2026-03-05")},
        row | {"origin_date": pd.Timestamp("2026-03-05"), "edition": 2, "wape": 0.2, "bias": -0.2, "units": 30.0},
        row | {"origin_date": pd.Timestamp("2026-03-04"), "wape": 1.0},
        row | {"origin_date": pd.Timestamp("2026-02-01"), "window_end_date": pd.Timestamp("2026-02-02"), "wape": 9.0},
        row | {"origin_date": pd.Timestamp("2026-03-05"), "split": "evaluation", "wape": 9.0},
    ]
    [found] = by_day(pd.DataFrame(rows)).to_dict("records")
    assert found == {"level": "total", "from_day": 1, "wape": pytest.approx(0.4), "bias": pytest.approx(-0.125)}
