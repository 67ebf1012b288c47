"""What the assets of this room ask of the warehouse."""

import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.assets.forecasts import forecast_keys, keep_partitions
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.panel_reading import key_chunks
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import Policy, champion_backtests, champions_table
from storecast.forecasting.versions import versions_by_alias
from storecast.settings import Settings
from storecast.warehouse.resources import WarehouseResource

KEYS = ["product_id", "partition_key"]


@pytest.fixture
def warehouse(tmp_path) -> WarehouseResource:
    return WarehouseResource.of(Settings(data_dir=tmp_path))


def test_forecasts_follow_their_product_to_the_key_it_shares_with_others(warehouse):
    opened = warehouse.open()
    former = pd.DataFrame({"product_id": ["a", "b", "gone"], "partition_key": ["a", "b", "gone"], "units": [1.0, 2, 3]})
    opened.replace_table("gold.demand_forecasts", former)
    opened.replace_table("ops.product_partitions", pd.DataFrame([("a", "group-001"), ("b", "b")], columns=KEYS))
    keep_partitions(warehouse, "gold.demand_forecasts")
    kept = warehouse.read("select * from gold.demand_forecasts order by product_id")
    assert kept["partition_key"].tolist() == ["group-001", "b", "gone"]
    assert kept["units"].tolist() == [1.0, 2.0, 3.0]


def test_a_table_that_is_not_there_yet_has_no_keys_to_keep(warehouse):
    warehouse.open().replace_table("ops.product_partitions", pd.DataFrame([("a", "a")], columns=KEYS))
    keep_partitions(warehouse, "gold.demand_forecasts")
    assert not warehouse.open().exists("gold.demand_forecasts")


def test_forecasts_are_the_same_however_many_partitions_are_held_in_memory(
    tmp_path, warehouse, panel, daily_demand, planned_drivers, products
):
    opened, ids = warehouse.open(), sorted(daily_demand["product_id"].unique())
    policy = Policy(dict.fromkeys(("smooth", "erratic", "intermittent", "lumpy"), "tsb+window_average"), {})
    results = backtest(panel, models_named(["window_average", "tsb"]), BacktestPlan(14, 2, 1)).of_split(c.SELECTION)
    scales = fit_interval_scales(results.actual, champion_backtests(results, policy), results.classes)
    tables = {
        "gold.daily_demand": daily_demand.assign(is_in_stock=True, is_recorded=True),
        "gold.planned_drivers": planned_drivers,
        "silver.products": products.assign(seller_id="s"),
        "ops.product_partitions": pd.DataFrame({"product_id": ids, "partition_key": ids}),
        "ops.champions": champions_table(policy, panel, "t"),
        "ops.interval_scales": scales_table(scales, panel.keys, "t"),
        "ops.registered_models": pd.DataFrame({"training_id": ["t"], "model_version": [1], "alias": "champion"}),
        "ops.fitted_models": pd.DataFrame(columns=list(c.FittedModels.to_schema().columns)),
    }
    for name, table in tables.items():
        opened.replace_table(name, table)
    versions = versions_by_alias(opened)
    shops = [Settings(data_dir=tmp_path, horizon_days=14, fit_processes=1, panel_memory_gb=gb) for gb in (1.0, 1e-9)]
    said = []
    for shop in shops:
        parts = [forecast_keys(warehouse, shop, part, versions) for part in key_chunks(opened, shop, ids)]
        said.append([pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True)])
        assert len(parts) == (1 if shop is shops[0] else len(ids))
    for whole, by_product in zip(*said, strict=True):
        order = ["product_id", "channel", "date"]
        pd.testing.assert_frame_equal(
            *(table.sort_values(order).reset_index(drop=True) for table in (whole, by_product)), check_exact=True
        )
    assert set(said[0][0]["product_id"]) == set(ids)
