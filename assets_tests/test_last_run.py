"""Whether a run would do anything: what is remembered, and when a file's hash may be."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from storecast.last_run import (
    COARSE_GRAIN_NS,
    LAST_RUN,
    KnownHashes,
    LastRun,
    aliases_now,
    has_read_all,
    last_run,
    remember,
    state_of,
)
from storecast.settings import Settings
from storecast.simulation.shop import write_demo_shop

LONG_AGO = 1_700_000_000_500_000_000


@pytest.fixture
def settings(tmp_path) -> Settings:
    """A folder in which a run has ended: its warehouse and published copy need only be there."""
    own = Settings(data_dir=tmp_path / "data", demo_products=2, demo_days=60)
    write_demo_shop(own.source_folder, own.truth_folder, products=2, days=60, end_date=own.demo_end_date, seed=1)
    own.published_path.parent.mkdir(parents=True)
    own.published_path.touch()
    return own


def written(path: Path, text: str, changed_ns: int = LONG_AGO) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(changed_ns, changed_ns))
    return path


def known(folder: Path) -> KnownHashes:
    return KnownHashes(folder / "hashes.json")


def hash_of(folder: Path, path: Path) -> str:
    hashes = known(folder)
    sha256 = hashes.sha256(path)
    hashes.keep()
    return sha256


def test_a_file_that_did_not_change_is_not_read_again(tmp_path, monkeypatch):
    path = written(tmp_path / "orders.csv", "a")
    monkeypatch.setattr("storecast.last_run.FINE_GRAIN_NS", 0)
    first = hash_of(tmp_path, path)
    monkeypatch.setattr("storecast.last_run.file_sha256", lambda path: pytest.fail(f"{path} was read"))
    assert hash_of(tmp_path, path) == first


@pytest.mark.parametrize("text", ["b", "longer"])
def test_a_file_that_changed_is_read_again_even_where_its_time_was_set_back(tmp_path, text):
    path = written(tmp_path / "orders.csv", "a")
    time.sleep(0.2)
    first = hash_of(tmp_path, path)
    assert hash_of(tmp_path, written(path, text)) != first


def test_a_file_put_in_another_s_place_is_read(tmp_path):
    path = written(tmp_path / "orders.csv", "a")
    time.sleep(0.2)
    first = hash_of(tmp_path, path)
    written(tmp_path / "new.csv", "b").replace(path)
    assert hash_of(tmp_path, path) != first


def test_the_hash_of_a_file_that_has_just_changed_is_not_kept(tmp_path):
    path = written(tmp_path / "orders.csv", "a", time.time_ns() + COARSE_GRAIN_NS)
    hash_of(tmp_path, path)
    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.parametrize("text", ["", "[1, 2]", '{"half'])
def test_damaged_notes_mean_that_files_are_read_and_a_run_looks(tmp_path, settings, text):
    (tmp_path / "hashes.json").write_text(text)
    assert len(hash_of(tmp_path, written(tmp_path / "orders.csv", "a"))) == 64
    settings.warehouse_path.touch()
    (settings.data_dir / LAST_RUN).write_text(text)
    assert last_run(settings) is None


def test_what_is_remembered_comes_back_with_the_aliases_of_that_moment(settings):
    settings.warehouse_path.touch()
    settings.mlflow_dir.mkdir()
    with closing(sqlite3.connect(settings.mlflow_dir / "mlflow.db")) as connection, connection:
        connection.execute("create table registered_model_aliases (alias text, version integer)")
        connection.execute("insert into registered_model_aliases values ('champion', 3)")
    remember(settings, "state")
    assert last_run(settings) == LastRun("state", {"champion": "3"})


def test_without_mlflow_there_are_no_aliases_and_without_its_tables_neither(settings):
    assert aliases_now(settings) == {}
    settings.mlflow_dir.mkdir()
    (settings.mlflow_dir / "mlflow.db").touch()
    assert aliases_now(settings) == {}


@pytest.mark.parametrize("gone", ["warehouse_path", "published_path"])
def test_nothing_is_remembered_of_a_folder_whose_tables_are_gone(settings, gone):
    settings.warehouse_path.touch()
    remember(settings, "state")
    assert last_run(settings) is not None
    getattr(settings, gone).unlink()
    assert last_run(settings) is None


def test_the_state_is_another_when_a_file_changes_and_the_same_again_when_it_is_put_back(settings):
    before = state_of(settings)
    prices = settings.source_folder / "prices.csv"
    text = prices.read_bytes()
    prices.write_bytes(text + b"\n")
    assert state_of(settings) != before
    prices.write_bytes(text)
    assert state_of(settings) == before


def test_a_run_has_read_what_did_not_change_since_it_began_even_where_times_are_set_back(settings):
    began = time.time() + 1
    assert has_read_all(settings, began, began)
    now = time.time()
    time.sleep(0.05)
    prices = settings.source_folder / "prices.csv"
    written(prices, prices.read_text(encoding="utf-8"))
    assert not has_read_all(settings, began, now)
    assert not has_read_all(settings, 0.0, began), "the code is younger than the run"
