"""What the retraining sensor requests, and that it requests nothing twice."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pytest

from storecast.forecasting import automation
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.retraining_requests import ANSWERS, TABLE
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import SettingsResource

DAY = pd.Timestamp("2026-06-30")
CHANGED = pd.Timestamp("2026-06-17")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        one.add_dynamic_partitions("product", ["a", "b", "c", "d", "e"])
        yield one


def ask_for(settings: Settings, *keys: str, day: pd.Timestamp = DAY, done: tuple[str, ...] = ()) -> None:
    """Write what the newest report asks for, and what of it was done."""
    warehouse = Warehouse(settings.warehouse_path)
    warehouse.replace_table("ops.product_drift", pd.DataFrame({"report_date": [day]}), {"report_date": "DATE"})
    trained(settings, day - pd.Timedelta(days=3))
    shared = {"report_date": day, "channel": "shop", "change_date": CHANGED, "kinds": "level"}
    for name, contract in r.RETRAINING_TABLES.items():
        kept = keys if name == TABLE else done
        rows = pd.DataFrame({"partition_key": kept, "product_id": kept}).assign(**shared)
        types = sql_types(contract)
        warehouse.replace_table(name, rows.reindex(columns=list(types)), types)


def trained(settings: Settings, day: pd.Timestamp) -> None:
    """Let the champion be of a training that saw the days until one."""
    rows = pd.DataFrame({"training_id": ["t"], "model_version": [1], "alias": ["champion"], "origin_date": [day]})
    Warehouse(settings.warehouse_path).replace_table("ops.registered_models", rows)


def tick(settings: Settings, instance: dg.DagsterInstance, first: str | None = None) -> list[dg.RunRequest]:
    """Evaluate the sensor once, as a daemon that knows nothing of an earlier evaluation; `first` is waited for."""
    sensor = automation.retrain_drifted(lambda *_: first)
    with dg.build_sensor_context(instance=instance) as context:
        result = sensor(context, settings=SettingsResource.of(settings))
    return list(result.run_requests or []) if isinstance(result, dg.SensorResult) else []


def keys_of(requests: list[dg.RunRequest]) -> list[list[str]]:
    """The partition keys of each run that is requested."""
    return [request.run_config["ops"]["retrain_products"]["config"]["keys"] for request in requests]


def test_before_the_first_publication_nothing_is_requested(settings, instance):
    assert tick(settings, instance) == []


def test_one_run_takes_all_keys_side_by_side_or_not_and_no_others(settings, instance):
    ask_for(settings, "d", "a", "b")
    assert keys_of(tick(settings, instance)) == [["a", "b", "d"]]


def test_what_the_champion_s_training_saw_is_not_requested(settings, instance):
    ask_for(settings, "a", "d")
    trained(settings, DAY)
    assert tick(settings, instance) == []
    trained(settings, DAY - pd.Timedelta(days=1))
    assert keys_of(tick(settings, instance)) == [["a", "d"]]


def test_a_tick_that_is_repeated_requests_the_same_run_by_the_same_key(settings, instance):
    ask_for(settings, "a", "b", "d")
    [first], [again] = tick(settings, instance), tick(settings, instance)
    assert again.run_key == first.run_key
    assert again.run_config == first.run_config


def test_the_daemon_starts_nothing_twice_when_it_is_restarted_in_the_middle_of_a_tick(settings, instance):
    ask_for(settings, "a", "b", "d")
    started: dict[str, list[str]] = {}
    for _ in range(2):  # what the daemon does with requests: a run for each key that has none
        for request in tick(settings, instance):
            tags = {**request.tags, "dagster/run_key": str(request.run_key)}
            known = instance.get_runs(dg.RunsFilter(tags={"dagster/run_key": str(request.run_key)}))
            if not known:
                run = instance.create_run_for_job(EMPTY, tags=tags)
                started[run.run_id] = keys_of([request])[0]
    assert list(started.values()) == [["a", "b", "d"]]


def test_what_was_done_is_not_requested_again(settings, instance):
    ask_for(settings, "a", "b", "d", done=("a", "b"))
    assert keys_of(tick(settings, instance)) == [["d"]]
    ask_for(settings, "a", "b", "d", done=("a", "b", "d"))
    assert tick(settings, instance) == []


def test_what_was_left_undone_is_requested_anew_by_the_next_report(settings, instance):
    ask_for(settings, "a")
    [first] = tick(settings, instance)
    ask_for(settings, "a", day=DAY + pd.Timedelta(days=1))
    [second] = tick(settings, instance)
    assert keys_of([first]) == keys_of([second])
    assert first.run_key != second.run_key


def test_a_product_that_is_gone_is_not_requested(settings, instance):
    ask_for(settings, "a", "gone")
    assert keys_of(tick(settings, instance)) == [["a"]]


def test_a_busy_warehouse_is_looked_at_by_the_next_tick(settings, instance, monkeypatch):
    ask_for(settings, "a")
    monkeypatch.setattr(automation, "PATIENCE_SECONDS", 0.1)
    with Warehouse(settings.warehouse_path).writing():
        assert tick(settings, instance) == []
    assert len(tick(settings, instance)) == 1


def test_nothing_is_requested_while_something_else_comes_first(settings, instance):
    ask_for(settings, "a")
    assert tick(settings, instance, first="forecasts are made anew") == []
    assert len(tick(settings, instance)) == 1


def test_the_sensor_starts_the_job_that_retrains():
    assert automation.retrain_drifted(lambda *_: None).job_name == "retrain"
    assert ANSWERS in r.RETRAINING_TABLES


@dg.job
def EMPTY():  # noqa: N802
    """Nothing: a run is needed, not its work."""
