"""`storecast promote` and `rollback` as people call them: from the decision to published forecasts."""

from dataclasses import replace

import dagster as dg
import pytest
from click.testing import CliRunner
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.dagster_run import DagsterRun
from dagster._core.utils import make_new_run_id

from storecast.automation import REPLACE, partition_range
from storecast.cli import main
from storecast.registry import contracts as c
from storecast.registry.assets import newest_training, now
from storecast.registry.automation import moved_alias
from storecast.warehouse.resources import SettingsResource, WarehouseResource

STAGES = ("publish", "forecast")


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_folder_without_forecasts_is_an_error_that_says_what_to_do(tmp_path, command):
    answer = CliRunner().invoke(main, [command, "--data-dir", str(tmp_path / "data")])
    assert answer.exit_code == 1
    assert "`storecast run` makes them" in answer.output
    assert "--by" in CliRunner().invoke(main, [command, "--help"]).output


def add_challenger(settings) -> None:
    """Register the champion's tables once more as another training."""
    from storecast.registry.registration import register_training

    warehouse = WarehouseResource.of(settings)
    training = newest_training(warehouse, settings)
    tables = {
        name: table.assign(training_id="twin") if "training_id" in table else table
        for name, table in training.tables.items()
    }
    for name in c.KEPT_TABLES:
        warehouse.open().replace_rows(f"ops.{name}", tables[name], {"training_id": ["twin"]})
    register_training(settings, replace(training, training_id="twin", tables=tables), now())


def versions(shop) -> set[str]:
    return set(shop.published("select distinct model_version from gold.demand_forecasts")["model_version"])


def tick(shop, instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"settings": SettingsResource.of(shop.settings())}
    )
    return moved_alias(REPLACE, partition_range, deciding="publish")(context)


@pytest.mark.slow
def test_a_person_promotes_and_takes_back_and_each_time_the_published_forecasts_follow(small_shop, tmp_path):
    shop = small_shop.copy(tmp_path / "shop")
    none = shop.run("promote")
    assert none.returncode == 1
    assert "there is no challenger (champion: version 1)" in none.stderr
    add_challenger(shop.settings())
    done = shop.run("promote", "--by", "eva")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Promotion of version 2 by eva" in done.stdout
    assert "The gate never looked at version 2." in done.stdout
    assert versions(shop) == {"2"}
    shadows = shop.published("select distinct model_version from ops.shadow_forecasts")["model_version"]
    assert shadows.tolist() == ["1"], "the predecessor tells what it would have said of the same days"
    unknown = shop.run("rollback", "--to", "9")
    assert unknown.returncode == 1
    assert "has no version 9" in unknown.stderr
    back = shop.run("rollback", "--by", "eva")
    assert back.returncode == 0, back.stdout + back.stderr
    assert versions(shop) == {"1"}
    published = shop.published("select model_version from ops.registered_models where alias = 'champion'")
    assert published["model_version"].tolist() == [1]
    kinds = shop.published("select kind, decided_by from ops.promotions order by decided_at").iloc[-2:]
    assert kinds.to_numpy().tolist() == [["promotion", "eva"], ["rollback", "eva"]]


@pytest.mark.slow
def test_an_alias_moved_by_hand_is_followed_once_and_a_later_move_again(small_shop, tmp_path):
    from storecast.registry.store import ModelStore

    shop = small_shop.copy(tmp_path / "shop")
    add_challenger(shop.settings())
    client = ModelStore.of(shop.settings()).client()
    with dg.DagsterInstance.from_config(str(shop.settings().dagster_home)) as instance:
        calm = tick(shop, instance, None)
        assert not calm.run_requests
        client.set_registered_model_alias(c.MODEL_NAME, "champion", "2")
        asked = [tick(shop, instance, None).run_requests[0].run_key for _ in range(2)]
        assert asked[0] == asked[1], "Dagster starts a key once"
        origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("shop"), "shop"), "retrain")
        waiting = {"status": dg.DagsterRunStatus.QUEUED, "remote_job_origin": origin}
        instance.add_run(DagsterRun("retrain", make_new_run_id(), **waiting))
        assert tick(shop, instance, None).run_requests[0].run_key == asked[0], "it overtakes what is queued"
        works = {job: DagsterRun(job, make_new_run_id(), status=dg.DagsterRunStatus.STARTED) for job in STAGES}
        instance.add_run(works["publish"])
        assert tick(shop, instance, None).run_requests[0].run_key == asked[0], "it is queued while the gate's run ends"
        instance.add_run(works["forecast"])
        assert tick(shop, instance, None).skip_message == "a run of forecast is under way"
        for run in works.values():
            instance.delete_run(run.run_id)
        seen = tick(shop, instance, None).cursor
        assert isinstance(tick(shop, instance, seen), dg.SkipReason)
        client.set_registered_model_alias(c.MODEL_NAME, "champion", "1")
        assert not tick(shop, instance, seen).run_requests, "the forecasts are the first version's still"
        client.set_registered_model_alias(c.MODEL_NAME, "champion", "2")
        again = tick(shop, instance, None).run_requests[0]
        assert again.run_key not in asked
        assert again.tags.keys() >= partition_range(instance).keys()
    assert shop.run().returncode == 0
    assert versions(shop) == {"2"}
    client.set_registered_model_alias(c.MODEL_NAME, "champion", "1")
    assert "Forecasts of another champion" in shop.run().stdout, "without a daemon the next run follows"
    assert versions(shop) == {"1"}
    assert "Nothing is new" in shop.run().stdout
