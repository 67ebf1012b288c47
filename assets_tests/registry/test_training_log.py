"""MLflow runs for real here, on SQLite in a temporary folder."""

import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from storecast.registry.champion import load_champion
from storecast.registry.store import ModelStore, aliases_of, version_rows
from storecast.registry.training_log import find_run, log_training
from storecast.settings import Settings

pytestmark = pytest.mark.slow

KILLED_WHILE_LOGGING = """
import os, runpy, signal, sys
from pathlib import Path
training_of = runpy.run_path(sys.argv[1])["training_of"]
from mlflow import MlflowClient
from storecast.registry.store import ModelStore
from storecast.registry.training_log import log_training
setattr(MlflowClient, sys.argv[4], lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL))
log_training(ModelStore(Path(sys.argv[2])), training_of("killed-" + sys.argv[4]), Path(sys.argv[3]))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def store(settings) -> ModelStore:
    return ModelStore.of(settings)


@pytest.fixture(scope="module")
def client(store, settings, train) -> MlflowClient:
    """A store with one training, logged and champion."""
    train(settings, "t-1")
    return store.client()


def python(script: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_run_holds_parameters_metrics_tags_and_tables(client, store, make_training):
    run = find_run(client, store, make_training("t-1"))
    assert run.info.status == "FINISHED"
    assert run.data.params == {"horizon_days": "28", "seed": "1", "models": "seasonal_naive, auto_ets"}
    assert run.data.metrics == pytest.approx(
        {
            "total.wape": 0.2,
            "total.skill_over_seasonal_naive": 0.1,
            "product_channel.wape": 0.6,
            "product_channel.skill_over_seasonal_naive": 0.05,
        }
    )
    assert run.data.tags["storecast.snapshot_hash"] == "5eed"
    assert run.data.tags["storecast.origin_date"] == "2026-06-30"
    artifacts = Path(client.download_artifacts(run.info.run_id, ""))
    tables = {path.stem: pd.read_parquet(path) for path in artifacts.rglob("*.parquet")}
    for name, frame in make_training("t-1").tables.items():
        pd.testing.assert_frame_equal(tables[name], frame)


def test_nothing_is_pickled_and_no_file_is_named_after_a_product(client, settings):
    files = [path for path in settings.mlflow_dir.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".db", ".lock", ".parquet", ".py", ".yaml", ".json", ".txt", ""}
    assert {path.name for path in files if not path.suffix} == {"MLmodel"}
    text = b"".join(path.read_bytes() for path in files if path.suffix != ".parquet")
    assert b"OR 1=1" not in text
    assert b"etc/passwd" not in text


def test_every_hostile_product_id_comes_back_as_itself(client, settings, model_input):
    here = load_champion(settings).predict(model_input)
    expected = {product: 1.0 + number for number, product in enumerate(model_input["product_id"].unique())}
    assert len(expected) == 8
    assert dict(zip(here["product_id"], here["level_units"], strict=True)) == expected


def test_loading_leaves_mlflows_own_address_and_the_working_folder_alone(client, settings, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    before = mlflow.get_tracking_uri()
    load_champion(settings)
    assert mlflow.get_tracking_uri() == before
    assert list(tmp_path.iterdir()) == []


def test_logging_the_same_training_again_adds_nothing(client, store, make_training, level_model):
    before = version_rows(client)
    log_training(store, make_training("t-1"), level_model)
    pd.testing.assert_frame_equal(version_rows(client), before)
    assert len(client.search_runs([store.experiment_id(client)])) == len(before)


def test_without_a_training_there_is_no_champion_to_load(tmp_path):
    with pytest.raises(LookupError, match="storecast run"):
        load_champion(Settings(data_dir=tmp_path))


@pytest.mark.parametrize("victim", ["log_artifacts", "create_model_version", "set_model_version_tag"])
def test_a_training_killed_on_its_way_is_completed_by_the_next_with_one_version(
    client, store, settings, train, level_model, tmp_path, victim
):
    """The last victim is never called while logging: that process is killed between the version and its entry."""
    before = version_rows(client)
    conftest = Path(__file__).with_name("conftest.py")
    killed = python(KILLED_WHILE_LOGGING, conftest, store.directory, level_model, victim, cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    aliases = aliases_of(client)
    assert set(aliases.values()) <= set(before["model_version"].astype(str))
    train(settings, f"killed-{victim}")
    after = version_rows(client)
    assert after["training_id"].tolist() == [*before["training_id"], f"killed-{victim}"]
    assert aliases_of(client) == {"champion": "1", "challenger": str(after["model_version"].max())}
    runs = client.search_runs([store.experiment_id(client)])
    assert len(runs) == len(after)
    assert {run.info.status for run in runs} == {"FINISHED"}
