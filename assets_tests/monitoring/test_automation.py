"""The sensor on a real Dagster instance, whose runs and checks really fail."""

import json
import socket

import dagster as dg
import pytest

from storecast.monitoring import assets, automation, checks
from storecast.monitoring import contracts as c
from storecast.monitoring.notification import URLS_VARIABLE
from storecast.monitoring.watch import stored_alerts
from storecast.services import write_instance_config
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseResource


class World:
    """Two assets, one of which has a check; what fails is decided from outside."""

    def __init__(self, folder) -> None:
        self.settings = Settings(data_dir=folder)
        self.warehouse = Warehouse(self.settings.warehouse_path)
        (folder / "instance").mkdir()
        self.instance = dg.DagsterInstance.local_temp(str(folder / "instance"))
        self.broken: set[str] = set()
        self.definitions = dg.Definitions(
            assets=[self._asset()], asset_checks=[self._check()], jobs=[dg.define_asset_job("train", "*")]
        )

    def _asset(self) -> dg.AssetsDefinition:
        @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["P1", "P2"]))
        def model(context: dg.AssetExecutionContext) -> None:
            if context.partition_key in self.broken:
                raise ValueError("no such data")

        return model

    def _check(self) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset="model")
        def accurate() -> dg.AssetCheckResult:
            passed = "accurate" not in self.broken
            return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.WARN, description="3 of 4")

        return accurate

    def run(self, partition: str) -> None:
        self.definitions.resolve_job_def("train").execute_in_process(
            instance=self.instance, partition_key=partition, raise_on_error=False
        )

    def tick(self) -> str:
        with dg.build_sensor_context(instance=self.instance, definitions=self.definitions) as context:
            told = automation.watch(context, settings=SettingsResource.of(self.settings))
        assert isinstance(told, dg.SkipReason)
        return str(told.skip_message)

    def open(self) -> list[tuple[str, str, str]]:
        alerts = stored_alerts(self.warehouse)
        still = alerts[alerts[c.RESOLVED_AT].isna()]
        return list(still[[c.KIND, c.SUBJECT, c.SEVERITY]].itertuples(index=False, name=None))


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.instance.dispose()


def test_failed_runs_and_checks_are_told_once_each_and_again_when_they_are_mended(world, webhook, monkeypatch):
    monkeypatch.setenv(URLS_VARIABLE, webhook.address())
    assert world.tick() == "0 incidents are open, 0 messages went out"
    assert not world.settings.warehouse_path.exists(), "a calm shop needs no row"
    world.broken = {"P1", "accurate"}
    world.run("P1")
    world.run("P2")
    assert world.tick() == "2 incidents are open, 4 messages went out"
    assert world.open() == [(c.RUN_FAILURE, "train P1", c.ERROR), (c.CHECK_FAILURE, "model accurate", c.WARNING)]
    assert world.tick() == "2 incidents are open, 0 messages went out"
    world.broken = set()
    world.run("P1")
    assert world.tick() == "0 incidents are open, 4 messages went out"
    assert webhook.titles == [
        "Storecast error: run failure: train P1",
        "Storecast warning: check failure: model accurate",
        "Storecast: over: run failure: train P1",
        "Storecast: over: check failure: model accurate",
    ]
    assert "did not pass: 3 of 4" in webhook.messages[1]["message"]


def test_a_failure_that_was_mended_before_anyone_looked_is_not_lost(world, webhook, monkeypatch):
    monkeypatch.setenv(URLS_VARIABLE, webhook.address())
    world.broken = {"P1"}
    world.run("P1")
    world.broken = set()
    world.run("P1")
    world.tick()
    world.tick()
    assert webhook.titles == ["Storecast: over: run failure: train P1"]
    [row] = stored_alerts(world.warehouse).to_dict("records")
    assert row[c.OPENED_AT] < row[c.RESOLVED_AT]


def test_a_busy_warehouse_puts_a_tick_off(world, monkeypatch):
    monkeypatch.setattr(automation, "PATIENCE_SECONDS", 0.1)
    world.broken = {"P1"}
    world.run("P1")
    with world.warehouse.lease.exclusive():
        world.warehouse.path.touch()
        busy = []
        import threading

        thread = threading.Thread(target=lambda: busy.append(world.tick()))
        thread.start()
        thread.join()
    world.warehouse.path.unlink()
    assert busy[0].startswith("busy, the next tick looks again: waited 0.1 s")
    assert world.tick() == "1 incidents are open, 1 messages went out"


def test_the_asset_makes_the_table_and_tells_nobody(tmp_path, webhook, monkeypatch):
    monkeypatch.setenv(URLS_VARIABLE, webhook.address())
    settings = Settings(data_dir=tmp_path)
    mine = [check for check in checks.CHECKS if next(iter(check.check_keys)).asset_key == assets.alerts.key]
    result = dg.materialize(
        [assets.alerts, *mine],
        resources={"warehouse": WarehouseResource.of(settings), "settings": SettingsResource.of(settings)},
    )
    assert [evaluation.passed for evaluation in result.get_asset_check_evaluations()] == [True]
    assert Warehouse(settings.warehouse_path).count_rows(["ops.alerts"]) == {"ops.alerts": 0}
    assert webhook.messages == []


@dg.job
def training() -> None:
    """Be at work, as far as Dagster knows."""


def test_a_run_whose_server_is_gone_has_failed_and_will_be_started_again_unless_a_person_stopped_it(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    write_instance_config(settings)
    with (
        dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance,
        socket.socket(socket.AF_UNIX) as alive,
        socket.socket(socket.AF_UNIX) as dead,
    ):
        runs = {}
        for name, server in {"alive": alive, "dead": dead}.items():
            server.bind(str(tmp_path / name))
            server.listen()
            tags = {".dagster/grpc_info": json.dumps({"host": "localhost", "socket": str(tmp_path / name)})}
            runs[name] = instance.create_run_for_job(training, status=dg.DagsterRunStatus.STARTED, tags=tags).run_id
        in_process = instance.create_run_for_job(training, status=dg.DagsterRunStatus.STARTED).run_id
        runs["stopped"] = instance.create_run_for_job(training, status=dg.DagsterRunStatus.CANCELING, tags=tags).run_id
        dead.close()
        with dg.build_sensor_context(instance=instance) as context:
            told = automation.lost_runs(context)
        assert told.skip_message == "2 of 4 runs at work were lost"
        after = {name: instance.get_run_by_id(run_id) for name, run_id in (*runs.items(), ("in process", in_process))}
        assert {name: run.status.value for name, run in after.items()} == {
            "alive": "STARTED",
            "dead": "FAILURE",
            "stopped": "CANCELED",
            "in process": "STARTED",
        }
        assert after["dead"].tags["dagster/will_retry"] == "true"
