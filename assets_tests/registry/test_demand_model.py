"""The registered model against the pipeline: a small training with hostile product ids, through the asset, and back."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.contracts import FittedModels
from storecast.forecasting.demand_classes import demand_classes
from storecast.forecasting.forecast import forecast_demand, train_global_models
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.registry import models_named
from storecast.registry import assets, checks
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

pytestmark = pytest.mark.slow

HISTORY_DAYS = 120
HORIZON = 14
CHAMPIONS = ("seasonal_naive", "lightgbm", "tsb", "lightgbm+window_average")

LOAD_AND_PREDICT = """
import sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/storecast-demand@champion")
model.predict(pd.read_parquet(sys.argv[2])).to_parquet(sys.argv[3])
"""


def days_of(product_ids: tuple[str, ...]) -> pd.DataFrame:
    """History and plans of each product, one below the other; `units` is null on the days to come."""
    rng = np.random.default_rng(11)
    days = pd.date_range("2026-01-01", periods=HISTORY_DAYS + HORIZON)
    keys = pd.MultiIndex.from_product([product_ids, ["webshop"], days], names=["product_id", "channel", "date"])
    frame = keys.to_frame(index=False)
    rows = len(frame)
    frame["unit_price"] = rng.choice([9.5, 10.0, 12.0], rows)
    frame["is_on_promotion"] = rng.random(rows) < 0.1
    frame["discount_share"] = np.where(frame["is_on_promotion"], 0.2, 0.0)
    frame["is_price_planned"] = True
    frame["has_event"] = frame["date"].dt.day == 1
    frame["event_name"] = np.where(frame["has_event"], "first of the month", None)
    is_planned = frame["date"] >= days[HISTORY_DAYS]
    frame["units"] = np.where(is_planned, np.nan, rng.poisson(2.0 + frame["date"].dt.dayofweek, rows))
    frame["is_in_stock"] = ~(
        (frame["product_id"] == product_ids[0]) & frame["date"].isin(days[HISTORY_DAYS - 10 : HISTORY_DAYS - 5])
    )
    frame["units"] = frame["units"].where(frame["is_in_stock"], 0.0)
    frame["category"] = "shoes"
    return frame


@pytest.fixture(scope="module")
def model_input(hostile_ids) -> pd.DataFrame:
    return days_of(hostile_ids)


@pytest.fixture(scope="module")
def panel(model_input):
    is_history = model_input["units"].notna()
    return panel_from_tables(model_input[is_history], model_input[~is_history], model_input)


@pytest.fixture(scope="module")
def tables(panel, make_training) -> dict[str, pd.DataFrame]:
    """The forecasting room's tables of one training."""
    models = [CHAMPIONS[number % len(CHAMPIONS)] for number in range(len(panel.keys))]
    champions = panel.keys.to_frame(index=False).assign(
        training_id="t-1", demand_class=demand_classes(panel.units), model=models, reason="given"
    )
    actual = panel.units[None, :, -HORIZON:]
    classes = np.array([champions["demand_class"]], dtype=object)
    scales = fit_interval_scales(actual, actual * 0.8 + 0.5, classes)
    fitted = train_global_models(
        panel, models_named(["lightgbm"]), training_id="t-1", snapshot_hash="5eed", horizon=HORIZON, seed=3
    )
    other = make_training().tables
    return {
        "ops.champions": champions,
        "ops.interval_scales": scales_table(scales, panel.keys, "t-1"),
        "ops.fitted_models": fitted,
        "ops.level_backtests": other["level_backtests"],
        "ops.model_scores": other["model_scores"],
        "ops.backtest_accuracy": other["accuracy"],
    }


@pytest.fixture(scope="module")
def settings(tables, tmp_path_factory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), horizon_days=HORIZON, seed=3)
    warehouse = Warehouse(settings.warehouse_path)
    for name, table in tables.items():
        warehouse.replace_table(name, table)
    warehouse.replace_table("gold.daily_demand", days_of(("P-1",)).dropna(subset="units"))
    return settings


@pytest.fixture(scope="module")
def materialised(settings) -> list[dg.ExecuteInProcessResult]:
    """The asset, materialised twice."""
    resources = {
        "warehouse": WarehouseResource.of(settings),
        "settings": SettingsResource.of(settings),
        "io_manager": WarehouseIOManager.of(settings),
    }
    mirrored = [assets.registered_models, checks.one_champion, checks.contract_checks(checks.TABLES)[0]]
    return [dg.materialize(mirrored, resources=resources) for _ in range(2)]


def test_the_table_holds_one_champion_however_often_it_is_materialised(settings, materialised):
    rows = Warehouse(settings.warehouse_path).read("select * from ops.registered_models")
    assert rows[["training_id", "model_name", "model_version", "alias"]].to_numpy().tolist() == [
        ["t-1", "storecast-demand", 1, "champion"]
    ]
    assert {check.check_name: check.passed for check in materialised[1].get_asset_check_evaluations()} == {
        "contract": True,
        "one_champion": True,
    }


def test_the_metadata_lead_to_the_run_and_show_its_metrics(settings, materialised):
    first, second = (
        dict(run.asset_materializations_for_node("ops__registered_models")[0].metadata) for run in materialised
    )
    run_id = Warehouse(settings.warehouse_path).read("select run_id from ops.registered_models")["run_id"].iloc[0]
    assert first["decision"].value == "first of version 1 by gate: there was no champion"
    assert second["decision"].value == "none: it came in before"
    assert second["mlflow_run"].value.endswith(f":5000/#/experiments/1/runs/{run_id}")
    assert {path.name for path in Path(second["artifacts"].value).iterdir()} == {"model", "tables"}
    assert "| total" in second["metrics"].value


def test_the_alias_forecasts_in_a_fresh_process_without_unpickling_what_the_pipeline_forecasts(
    settings, materialised, panel, tables, model_input, tmp_path
):
    from storecast.registry.store import ModelStore

    assert os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] == "false"
    model_input.to_parquet(tmp_path / "input.parquet")
    output = tmp_path / "output.parquet"
    command = [sys.executable, "-c", LOAD_AND_PREDICT, ModelStore.of(settings).uri, tmp_path / "input.parquet", output]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    expected = forecast_demand(
        panel,
        tables["ops.champions"],
        tables["ops.fitted_models"],
        tables["ops.interval_scales"],
        horizon=HORIZON,
        partition_keys=dict.fromkeys(panel.keys.get_level_values(0), "any"),
        model_version="t-1",
        seed=3,
    )
    found = pd.read_parquet(output)
    pd.testing.assert_frame_equal(found, expected.drop(columns="partition_key"), check_dtype=False)
    assert found["fallback_reason"].isna().all()
    assert set(found["model"]) == set(CHAMPIONS)


def test_one_product_alone_gets_the_same_numbers_as_among_all(settings, materialised, model_input, hostile_ids):
    from storecast.registry.champion import load_champion

    model = load_champion(settings)
    everything = model.predict(model_input)
    for product in hostile_ids:
        alone = model.predict(model_input[model_input["product_id"] == product])
        among = everything[everything["product_id"] == product].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, among, check_dtype=False)


def test_a_shorter_horizon_can_be_asked_for(settings, materialised, model_input):
    from storecast.registry.champion import load_champion

    forecasts = load_champion(settings).predict(model_input, params={"horizon_days": 3})
    assert forecasts["horizon_day"].max() == 3


@pytest.fixture
def other(settings, tables, model_input, tmp_path) -> tuple[Settings, Warehouse]:
    """A second data folder with the same training."""
    other = settings.model_copy(update={"data_dir": tmp_path})
    warehouse = Warehouse(other.warehouse_path)
    for name, table in tables.items():
        warehouse.replace_table(name, table)
    warehouse.replace_table("gold.daily_demand", model_input[model_input["units"].notna()])
    return other, warehouse


def test_parts_of_two_trainings_are_refused(other, tables):
    settings, warehouse = other
    champions = tables["ops.champions"]
    warehouse.replace_table("ops.champions", pd.concat([champions, champions.assign(training_id="t-2")]))
    with pytest.raises(ValueError, match="interval_scales not the same"):
        assets.newest_training(WarehouseResource.of(settings), settings)


def test_without_a_global_model_the_snapshot_is_that_of_the_demand(other, tables, model_input):
    settings, warehouse = other
    history = model_input[model_input["units"].notna()]
    warehouse.replace_table("ops.fitted_models", tables["ops.fitted_models"].iloc[:0], sql_types(FittedModels))
    training = assets.newest_training(WarehouseResource.of(settings), settings)
    assert training.origin_date == history["date"].max().date()
    assert training.snapshot_hash == warehouse.content_hash("gold.daily_demand")
