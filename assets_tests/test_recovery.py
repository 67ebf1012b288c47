"""A person deletes the folders of MLflow and Dagster: the next run says so and goes on as if they were there."""

import shutil

import dagster as dg
import pytest


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_a_run_without_the_folders_of_mlflow_and_dagster_makes_them_anew_and_trains_nothing(small_shop, tmp_path):
    shop = small_shop.copy(tmp_path / "shop")
    settings = shop.settings()
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        keys = set(instance.get_dynamic_partitions("product"))
    versions = shop.published("select model_version, alias from ops.registered_models")
    for folder in (settings.mlflow_dir, settings.dagster_home):
        shutil.rmtree(folder)
    done = shop.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "champion is version 1" in done.stdout
    assert f"{len(keys)} product partitions are known again" in done.stdout
    assert "Models: champion is version 1, trained to" in done.stdout
    assert "Training" not in done.stdout
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert set(instance.get_dynamic_partitions("product")) == keys
    again = shop.run()
    assert "Nothing is new" in again.stdout
    assert "MLflow:" not in again.stdout
    assert shop.published("select model_version, alias from ops.registered_models").equals(versions)
