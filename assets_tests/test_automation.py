"""Which job follows which, and that a repeated tick asks for the same."""

import time
from collections.abc import Iterator
from datetime import date, timedelta

import dagster as dg
import pandas as pd
import pytest

from storecast import automation
from storecast.forecasting.trainings import training_of
from storecast.last_run import last_run, state_of
from storecast.settings import Settings
from storecast.simulation.shop import write_demo_shop
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


def made_by_daemon(settings: Settings) -> None:
    """What a publication leaves: source files, the forecasts that people read, and who made them."""
    write_demo_shop(
        settings.source_folder, settings.truth_folder, products=1, days=60, end_date=settings.demo_end_date, seed=1
    )
    made = pd.DataFrame({"origin_date": [pd.Timestamp(LAST_DAY)], "model_version": ["1"]})
    for path in (settings.warehouse_path, settings.published_path):
        Warehouse(path).replace_table("gold.demand_forecasts", made)
    rows = pd.DataFrame({"model_version": [1], "alias": ["champion"]})
    Warehouse(settings.warehouse_path).replace_table("ops.registered_models", rows)


def chain(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    """Run jobs of the main line's names, each by the key of the one before as sensors do; return the publication."""
    done = finished.graph.to_job(name="refresh").execute_in_process(instance=instance)
    for name in ("forecast", "publish"):
        tags = {"dagster/run_key": done.run_id}
        done = finished.graph.to_job(name=name).execute_in_process(instance=instance, tags=tags)
    return done


def after_publication(settings: Settings, instance: dg.DagsterInstance, done: dg.ExecuteInProcessResult) -> str:
    [sensor] = [own for own in automation.followers() if own.name == "remember_what_is_done"]
    context = dg.build_run_status_sensor_context(
        sensor.name,
        done.get_run_success_event(),
        instance,
        done.dagster_run,
        resources={"settings": SettingsResource.of(settings)},
    )
    return sensor(context).skip_message


def test_after_the_daemon_has_published_a_run_by_hand_finds_nothing_new(settings, instance, monkeypatch):
    made_by_daemon(settings)
    monkeypatch.setattr("storecast.last_run.code_files", list)
    assert last_run(settings) is None
    time.sleep(0.05)
    assert after_publication(settings, instance, chain(instance)) == "`storecast run` has nothing to do"
    assert last_run(settings).state == state_of(settings)


def test_files_that_came_after_the_refresh_are_not_taken_for_published(settings, instance, monkeypatch):
    made_by_daemon(settings)
    monkeypatch.setattr("storecast.last_run.code_files", list)
    done = chain(instance)
    time.sleep(0.05)
    (settings.source_folder / "prices.csv").touch()
    assert after_publication(settings, instance, done).startswith("files changed since the refresh")
    assert last_run(settings) is None


def test_a_publication_that_goes_back_to_no_refresh_is_not_remembered(settings, instance, monkeypatch):
    made_by_daemon(settings)
    monkeypatch.setattr("storecast.last_run.code_files", list)
    alone = finished.graph.to_job(name="publish").execute_in_process(instance=instance)
    after_publication(settings, instance, alone)
    assert last_run(settings) is None
