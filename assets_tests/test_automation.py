"""Which job follows which, and that a repeated tick asks for the same."""

from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pandas as pd
import pytest

from storecast import automation
from storecast.forecasting.trainings import training_of
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseResource

LAST_DAY = date(2026, 6, 30)


@dg.job
def finished():
    """Nothing: what is followed is that it succeeded."""


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        one.add_dynamic_partitions("product", ["a", "b"])
        yield one


@pytest.fixture
def settings(tmp_path) -> Settings:
    settings = Settings(data_dir=tmp_path)
    warehouse = Warehouse(settings.warehouse_path)
    warehouse.replace_table("gold.daily_demand", pd.DataFrame({"date": [pd.Timestamp(LAST_DAY)], "units": [1.0]}))
    products = pd.DataFrame({"product_id": ["a"], "category": ["c"], "seller_id": ["s"]})
    warehouse.replace_table("silver.products", products)
    return settings


def trained(settings: Settings, age_days: int) -> None:
    warehouse = Warehouse(settings.warehouse_path)
    training_id, _ = training_of(warehouse, settings)
    day = pd.Timestamp(LAST_DAY - timedelta(days=age_days))
    rows = pd.DataFrame({"training_id": [training_id], "model_version": [1], "origin_date": [day]})
    warehouse.replace_table("ops.registered_models", rows)


def follow(name: str, instance: dg.DagsterInstance, tags: dict[str, str] | None = None, **resources):
    """Tell a follower twice of one and the same run that succeeded, as after a tick that was cut off."""
    done = finished.execute_in_process(instance=instance, tags=tags)
    [sensor] = [own for own in automation.followers() if own.name == name]
    context = dg.build_run_status_sensor_context(
        name, done.get_run_success_event(), instance, done.dagster_run, resources=resources
    )
    first, again = sensor(context), sensor(context)
    assert first == again
    return first


def after_refresh(settings: Settings, instance: dg.DagsterInstance, **tags: str):
    own = {"warehouse": WarehouseResource.of(settings), "settings": SettingsResource.of(settings)}
    return follow("train_or_forecast_follows_refresh", instance, tags, **own)


def test_the_first_data_are_trained_on(settings, instance):
    request = after_refresh(settings, instance)
    assert request.job_name == "train"
    assert request.tags[automation.REASON] == "no training was finished yet"


@pytest.mark.parametrize(("age_days", "job"), [(27, "forecast"), (28, "train")])
def test_new_data_are_forecast_at_once_unless_the_training_is_old(settings, instance, age_days, job):
    trained(settings, age_days)
    request = after_refresh(settings, instance)
    assert request.job_name == job
    has_keys = "dagster/asset_partition_range_start" in request.tags
    assert has_keys is (job == "forecast")


def test_a_run_that_is_chained_by_its_starter_is_not_followed(settings, instance):
    answer = after_refresh(settings, instance, **{automation.CHAINED_BY: automation.CLI})
    assert isinstance(answer, dg.SkipReason)


def test_publication_follows_the_last_retraining_only(instance):
    other = instance.create_run_for_job(dg.JobDefinition(name="retrain", graph_def=finished.graph))
    answer = follow("publish_follows_retrain", instance)
    assert isinstance(answer, dg.SkipReason)
    assert other.run_id in (answer.skip_message or "")
    instance.report_run_failed(other)
    assert follow("publish_follows_retrain", instance).job_name == "publish"


def test_a_retraining_waits_for_the_run_in_which_the_gate_decides_and_for_forecasts_of_the_right_version(
    settings, instance
):
    def forecast_with(version: str) -> None:
        made = pd.DataFrame({"origin_date": [pd.Timestamp(LAST_DAY)], "model_version": [version]})
        for path in (settings.warehouse_path, settings.published_path):
            Warehouse(path).replace_table("gold.demand_forecasts", made)

    rows = pd.DataFrame({"model_version": [1, 2], "alias": ["champion", None]})
    Warehouse(settings.warehouse_path).replace_table("ops.registered_models", rows)
    forecast_with("1")
    assert automation.comes_first(instance, settings) is None
    forecast_with("2")
    assert "made anew first" in (automation.comes_first(instance, settings) or "")
    forecast_with("1")
    deciding = instance.create_run_for_job(dg.JobDefinition(name="publish", graph_def=finished.graph))
    assert "publish" in (automation.comes_first(instance, settings) or "")
    instance.report_run_failed(deciding)
    assert automation.comes_first(instance, settings) is None
