"""Forecasts of product, category, seller, channel and total: they add up, and their intervals cover."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.assets import forecasts, training
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.checks import levels_add_up
from storecast.forecasting.forecast import forecast_demand
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.level_forecasts import backtest_levels, forecast_levels, shop_levels
from storecast.forecasting.registry import models_named
from storecast.forecasting.revenue import forecast_revenue
from storecast.forecasting.selection import champion_backtests, champions_table, choose_champions
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

HORIZON = 90
TEXT = {"level": str, "node": str}
MEANS = ["mean_units", "mean_revenue"]


@pytest.fixture(scope="module")
def sold_by(products) -> pd.DataFrame:
    """`silver.products` of the small shop; two products have no seller, four no category."""
    names = ["fast", "jumpy", "slow", "lumpy", "young", "newborn", "constant", "dead"]
    sellers = ["own", "own", "guest", "guest", None, None, "own", "guest"]
    return pd.DataFrame({"product_id": names, "seller_id": sellers}).merge(products, how="left")


@pytest.fixture(scope="module")
def results(panel):
    return backtest(panel, models_named(["window_average"]), BacktestPlan(HORIZON, 1, 1))


@pytest.fixture(scope="module")
def champion(results) -> np.ndarray:
    return champion_backtests(results, choose_champions(results.of_split(c.SELECTION)))


@pytest.fixture(scope="module")
def revenue(panel) -> np.ndarray:
    return np.nan_to_num(panel.units * panel.drivers["unit_price"][:, : panel.days])


@pytest.fixture(scope="module")
def known(results, champion, revenue, sold_by) -> pd.DataFrame:
    return backtest_levels(results, champion, revenue, sold_by, "t")


@pytest.fixture(scope="module")
def demand(panel, results, champion) -> pd.DataFrame:
    chosen_on = results.of_split(c.SELECTION)
    scales = fit_interval_scales(chosen_on.actual, champion[:1], chosen_on.classes)
    champions = champions_table(choose_champions(chosen_on), panel, "one")
    keys = dict.fromkeys(panel.keys.get_level_values(0), "all")
    return forecast_demand(
        panel, champions, pd.DataFrame(), scales_table(scales, panel.keys, "one"),
        horizon=HORIZON, partition_keys=keys, model_version="1",
    )  # fmt: skip


@pytest.fixture(scope="module")
def money(demand, planned_drivers) -> pd.DataFrame:
    return forecast_revenue(demand, planned_drivers)


@pytest.fixture(scope="module")
def published(demand, money, known, sold_by) -> pd.DataFrame:
    return c.LevelForecasts.validate(forecast_levels(demand, money, known, sold_by).astype(TEXT))


def test_every_level_adds_up_to_the_products_forecasts_90_days_ahead(published, demand, money, sold_by):
    series = demand.merge(money[["product_id", "channel", "date", "mean_revenue"]]).merge(sold_by, how="left")
    series = series.fillna({"category": "unknown", "seller_id": "unknown"}).assign(total="total")
    columns = ["product_id", "category", "seller_id", "channel", "total"]
    for level, column in zip(c.SHOP_LEVELS, columns, strict=True):
        expected = series.groupby([column, "date"])[MEANS].sum()
        found = published[published["level"] == level].set_index(["node", "date"])
        assert len(found) == len(expected) == series[column].nunique() * HORIZON
        np.testing.assert_allclose(found.loc[expected.index, MEANS], expected, rtol=0, atol=1e-9)
    assert published["horizon_day"].max() == HORIZON


def test_levels_of_the_same_series_have_the_same_quantiles(published, demand):
    quantiles = list(c.UNIT_QUANTILES)
    own = demand[demand["product_id"] == "jumpy"].set_index("date")[quantiles]
    node = published[(published["level"] == "product") & (published["node"] == "jumpy")].set_index("date")[quantiles]
    pd.testing.assert_frame_equal(node, own)
    small = published[(published["level"] == "product") & (published["node"] == "fast")]
    alone = published[(published["level"] == "channel") & (published["node"] == "market")]
    assert set(small["series"]) == {2}
    assert set(alone["series"]) == {1}
    one = demand[(demand["product_id"] == "fast") & (demand["channel"] == "market")]
    np.testing.assert_array_equal(alone[quantiles], one[quantiles])


def test_the_interval_of_a_sum_is_narrower_than_the_sum_of_intervals(published, demand):
    total = published[published["level"] == "total"].set_index("date")
    summed = demand.groupby("date")[["p05_units", "p95_units"]].sum()
    width = total["p95_units"] - total["p05_units"]
    assert (width < summed["p95_units"] - summed["p05_units"]).mean() > 0.9
    assert (total["p05_units"] < total["mean_units"]).all()
    assert (total["mean_units"] < total["p95_units"]).all()


def test_units_without_a_price_are_told_and_not_in_the_revenue(demand, known, sold_by, planned_drivers):
    unpriced = planned_drivers["product_id"].isin(["fast", "dead"])
    money = forecast_revenue(demand, planned_drivers[~unpriced])
    found = c.LevelForecasts.validate(forecast_levels(demand, money, known, sold_by).astype(TEXT))
    fast = found[found["node"] == "fast"]
    assert fast[["mean_revenue", *c.REVENUE_QUANTILES]].isna().all(axis=None)
    np.testing.assert_array_equal(fast["unpriced_units"], fast["mean_units"])
    own = found[(found["level"] == "seller") & (found["node"] == "own")]
    priced = money[money["product_id"].isin(["jumpy", "constant"])].groupby("date")["mean_revenue"].sum()
    np.testing.assert_allclose(own["mean_revenue"], priced)
    np.testing.assert_allclose(own["unpriced_units"], fast["mean_units"])


def test_back_tests_are_sums_of_the_champions_at_prices_known_then(known, results, champion, panel, revenue):
    total = known[known["level"] == "total"]
    for place, (origin, split) in enumerate(results.origins):
        found = total[total["origin_date"] == panel.times[origin - 1]]
        begun = panel.first_day < origin
        days = slice(origin, origin + HORIZON)
        assert set(found["split"]) == {split}
        np.testing.assert_allclose(found["mean_units"], np.nansum(champion[place], axis=0))
        np.testing.assert_allclose(found["units"], panel.units[begun, days].sum(axis=0))
        np.testing.assert_allclose(found["revenue"], revenue[begun, days].sum(axis=0))
        planned = panel.drivers["unit_price"][begun, days]
        np.testing.assert_allclose(found["mean_revenue"], (champion[place, begun] * planned).sum(axis=0))


def test_quantiles_come_of_the_selection_origins_alone(demand, money, known, sold_by, published):
    doubled = known.copy()
    later = doubled["split"] == c.EVALUATION
    doubled.loc[later, ["units", "revenue"]] *= 2
    again = forecast_levels(demand, money, doubled, sold_by)
    pd.testing.assert_frame_equal(again.astype(TEXT), published)


def test_what_has_no_seller_or_category_is_unknown(panel, sold_by):
    levels = {level.name: level for level in shop_levels(panel.keys, sold_by).levels}
    assert levels["seller"].labels == ("guest", "own", "unknown")
    assert levels["category"].labels == ("a", "b", "unknown")
    assert tuple(levels) == c.SHOP_LEVELS


def test_forecasts_of_which_a_day_lacks_are_an_error(demand, money, known, sold_by):
    with pytest.raises(ValueError, match="one row a series and day"):
        forecast_levels(demand.iloc[1:], money, known, sold_by)
    without = money[money["product_id"] != "fast"]
    with pytest.raises(ValueError, match="differ in their rows"):
        forecast_levels(demand, without, known, sold_by)
    with pytest.raises(ValueError, match="no selection origin of the champion's training: run the job `train`"):
        forecast_levels(demand, money, known.iloc[:0], sold_by)


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory, daily_demand, planned_drivers, panel, sold_by) -> WarehouseResource:
    """A warehouse with the tables that forecasts are made of, and the levels Dagster made of them."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("levels"), horizon_days=HORIZON, selection_origins=1, evaluation_origins=1,
        models=("window_average",), fit_processes=1,
    )  # fmt: skip
    warehouse = WarehouseResource.of(settings)
    opened = warehouse.open()
    revenue = daily_demand["units"] * daily_demand["unit_price"]
    opened.replace_table("gold.daily_demand", daily_demand.assign(revenue=revenue, is_in_stock=True, is_recorded=True))
    opened.replace_table("gold.planned_drivers", planned_drivers)
    opened.replace_table("silver.products", sold_by)
    resources = {
        "settings": SettingsResource.of(settings),
        "warehouse": warehouse,
        "io_manager": WarehouseIOManager.of(settings),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        trained = [forecasts.product_partitions, training.backtests, training.selection, training.fitted_models]
        assert dg.materialize(trained, instance=instance, resources=resources).success
        ids = warehouse.read("select distinct training_id from ops.champions")
        opened.replace_table("ops.registered_models", ids.assign(model_version="1", alias="champion"))
        keys = instance.get_dynamic_partitions("product")
        tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        made = [forecasts.demand_forecasts, forecasts.revenue_forecasts]
        assert dg.materialize(made, instance=instance, resources=resources, tags=tags).success
        for _ in range(2):  # made again, the origin's rows are replaced
            levels = dg.materialize([forecasts.level_forecasts, levels_add_up], instance=instance, resources=resources)
    assert levels.success
    assert [check.passed for check in levels.get_asset_check_evaluations()] == [True]
    return warehouse


@pytest.mark.slow
def test_dagster_makes_what_the_function_says(warehouse, published):
    stored = warehouse.read("select * from gold.level_forecasts")
    assert len(stored) == len(published) == (8 + 3 + 3 + 2 + 1) * HORIZON
    order = ["level", "node", "date"]
    ours, theirs = (
        table.sort_values(order, ignore_index=True)[["mean_units", "mean_revenue", "series"]]
        for table in (stored, published)
    )
    np.testing.assert_allclose(ours, theirs)


@pytest.mark.slow
def test_the_check_finds_a_sum_that_is_wrong_and_one_that_lacks(warehouse):
    for spoil in (
        "update gold.level_forecasts set mean_units = mean_units + 2e-6 where level = 'seller' and node = 'own'",
        "delete from gold.level_forecasts where level = 'total' and horizon_day = 90",
    ):
        with warehouse.open().writing() as connection:
            connection.execute(spoil)
        found = levels_add_up(warehouse=warehouse)
        assert not found.passed
    assert found.metadata["wrong_rows"].value == HORIZON + 1


@pytest.mark.slow
def test_a_run_publishes_every_level_of_the_shop(small_shop):
    sums = small_shop.published(
        "select level, count(distinct node) as nodes, sum(mean_units) as units, sum(mean_revenue) as revenue "
        "from gold.level_forecasts group by level"
    ).set_index("level")
    expected = small_shop.published(
        "select sum(mean_units) as units, sum(mean_revenue) as revenue "
        "from gold.demand_forecasts join gold.revenue_forecasts using (origin_date, product_id, channel, date)"
    ).iloc[0]
    assert set(sums.index) == set(c.SHOP_LEVELS)
    np.testing.assert_allclose(sums["units"], expected["units"])
    np.testing.assert_allclose(sums["revenue"], expected["revenue"])
    sellers = pd.read_csv(small_shop.source / "products.csv", dtype=str)["seller_id"].nunique()
    assert sums["nodes"].to_dict() == {"product": 16, "category": 8, "seller": sellers, "channel": 3, "total": 1}
