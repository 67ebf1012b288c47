"""Single products trained anew by the room's assets, from request to forecast."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import checks
from storecast.forecasting import contracts as c
from storecast.forecasting.assets import forecasts, retraining
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import Policy, champion_backtests, champions_table
from storecast.registry.contracts import Promotions
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

DAYS, CHANGE = 200, 186
LAST_DAY = pd.Timestamp("2025-06-30")
CHANGED = LAST_DAY - pd.Timedelta(days=DAYS - 1 - CHANGE)
IDS = ["halved", "calm", "calm too", "x'); drop table ops.champions; --"]
MOVED = [IDS[0], IDS[3]]
MODEL = "long_window_average"


@pytest.fixture(scope="module")
def demand() -> pd.DataFrame:
    """Four products in one channel; the level of two that stand apart halved 14 days ago."""
    week = 1 + 0.4 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    tables = []
    for number, product_id in enumerate(IDS):
        rate = 40 * week * np.where((np.arange(DAYS) >= CHANGE) & (product_id in MOVED), 0.5, 1.0)
        units = np.random.default_rng(number).poisson(rate).astype(float)
        tables.append(
            pd.DataFrame({"product_id": product_id, "date": pd.date_range(end=LAST_DAY, periods=DAYS), "units": units})
        )
    plain = {"channel": "shop", "unit_price": 10.0, "is_on_promotion": False, "discount_share": 0.0}
    flags = {"is_price_planned": True, "has_event": False, "event_name": None, "is_in_stock": True, "is_recorded": True}
    return pd.concat(tables, ignore_index=True).assign(**plain, **flags)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, horizon_days=14, fit_processes=1)


@pytest.fixture
def warehouse(settings, demand) -> Warehouse:
    """The tables of a shop that was trained, and whose drift report tells of the two products."""
    opened, panel = Warehouse(settings.warehouse_path), panel_from_tables(demand)
    policy = Policy(dict.fromkeys(("smooth", "erratic", "intermittent", "lumpy"), MODEL), {})
    results = backtest(panel, models_named([MODEL]), BacktestPlan(14, 2, 1)).of_split(c.SELECTION)
    scales = fit_interval_scales(results.actual, champion_backtests(results, policy), results.classes)
    ahead = demand[demand["date"] > LAST_DAY - pd.Timedelta(days=14)]
    planned = ahead.assign(date=ahead["date"] + pd.Timedelta(days=14)).drop(
        columns=["units", "is_in_stock", "is_recorded"]
    )
    drift = pd.DataFrame({"product_id": MOVED}).assign(
        report_date=LAST_DAY, scope="series", channel="shop", kind="level", is_drifted=True, change_date=CHANGED
    )
    signals = pd.DataFrame({"node": IDS, "smoothed_absolute_error_units": [5.0, 0.1, 0.1, 4.0]}).assign(
        as_of_date=LAST_DAY, level="product_channel", channel="shop", is_biased=False
    )
    tables = {
        "gold.daily_demand": demand,
        "gold.planned_drivers": planned,
        "silver.products": pd.DataFrame({"product_id": IDS, "category": "c", "seller_id": "s"}),
        "ops.product_partitions": pd.DataFrame({"product_id": IDS, "partition_key": IDS}),
        "ops.champions": champions_table(policy, panel, "t"),
        "ops.fitted_models": pd.DataFrame(columns=list(c.FittedModels.to_schema().columns)),
        "ops.interval_scales": scales_table(scales, panel.keys, "t"),
        "ops.registered_models": pd.DataFrame({"training_id": ["t"], "model_version": ["1"], "alias": ["champion"]}),
        "ops.product_drift": drift,
        "ops.tracking_signals": signals,
    }
    for name, rows in tables.items():
        opened.replace_table(name, rows)
    opened.replace_table("ops.promotions", pd.DataFrame(columns=list(sql_types(Promotions))), sql_types(Promotions))
    return opened


def materialise(settings: Settings, instance: dg.DagsterInstance, asset: dg.AssetsDefinition, key: str | None = None):
    resources = {
        "settings": SettingsResource.of(settings),
        "warehouse": WarehouseResource.of(settings),
        "io_manager": WarehouseIOManager.of(settings),
    }
    keys = {check: [*check.check_keys] for check in checks.CHECKS}
    own = [check for check, [key] in keys.items() if key.name == "contract" and key.asset_key in asset.keys]
    done = dg.materialize([asset, *own], instance=instance, resources=resources, partition_key=key)
    assert [check.check_name for check in done.get_asset_check_evaluations() if not check.passed] == []


def retrained(settings: Settings, instance: dg.DagsterInstance, keys: list[str]) -> set[tuple[str, str]]:
    """Run the job `retrain` for some keys; return the tables and partitions of which it says that it made them."""
    resources = {
        "settings": SettingsResource.of(settings),
        "warehouse": WarehouseResource.of(settings),
        "io_manager": WarehouseIOManager.of(settings),  # as composed: what an op gives back goes through it
    }
    config = {"ops": {"retrain_products": {"config": {"keys": keys}}}}
    done = retraining.retrain.execute_in_process(instance=instance, resources=resources, run_config=config)
    made = done.filter_events(lambda event: event.is_step_materialization)
    assert [check.check_name for check in done.get_asset_check_evaluations()].count("contract") == len(retraining.MADE)
    assert all(check.passed for check in done.get_asset_check_evaluations())
    return {(event.asset_key.to_user_string(), event.partition) for event in made}


def partitions_of_all_tables(keys: list[str]) -> set[tuple[str, str]]:
    return {(name.replace(".", "/"), key) for name in retraining.MADE for key in keys}


def forecasts_of(warehouse: Warehouse) -> pd.DataFrame:
    return warehouse.read("select * from gold.demand_forecasts order by product_id, date").set_index("product_id")


def test_what_drifted_is_asked_for_trained_anew_and_forecast_and_nothing_else(settings, warehouse):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("product", IDS)
        for key in IDS:
            materialise(settings, instance, forecasts.demand_forecasts, key)
        before = forecasts_of(warehouse)
        assert before["fallback_reason"].isna().all()

        materialise(settings, instance, retraining.retraining_requests)
        asked = warehouse.read("select product_id, kinds, error_units from ops.retraining_requests order by 1")
        assert asked["product_id"].tolist() == MOVED
        assert asked["error_units"].tolist() == [5.0, 4.0]
        seconds = [retrained(settings, instance, MOVED) for _ in range(2)]  # a run that is repeated changes nothing
        assert seconds == [partitions_of_all_tables(MOVED)] * 2
        for asset in (retraining.retrained_series, forecasts.demand_forecasts):
            materialise(settings, instance, asset, MOVED[0])  # nor does one of its assets by hand
        found = warehouse.read("select * from ops.retrained_series order by product_id")
        assert found["product_id"].tolist() == MOVED
        assert found["level_factor"].to_numpy() == pytest.approx(0.5, abs=0.1)

        after = forecasts_of(warehouse)
        calm = IDS[1:3]
        pd.testing.assert_frame_equal(after.loc[calm], before.loc[calm], check_exact=True)
        [told] = instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey(["gold", "demand_forecasts"]), asset_partitions=[IDS[0]]), limit=1
        ).records
        assert told.asset_materialization.metadata["series"].value == 1
        for row in found.itertuples():
            own = after.loc[[row.product_id]]
            assert own["mean_units"].mean() == pytest.approx(20.0, rel=0.15)
            assert before.loc[[row.product_id], "mean_units"].mean() > 28.0
            reason = f"history before {CHANGED:%Y-%m-%d} times {row.level_factor:.2f}: level drift"
            assert own["fallback_reason"].unique().tolist() == [reason]
            assert own["model"].unique().tolist() == [MODEL]
