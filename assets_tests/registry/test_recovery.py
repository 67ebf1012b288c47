"""MLflow's folder is deleted, and the registry comes back from what the warehouse holds."""

import shutil
from datetime import datetime

import pandas as pd
import pytest
from mlflow import MlflowClient

from storecast.registry import contracts as c
from storecast.registry import promotion
from storecast.registry.mirror import mirrored_aliases
from storecast.registry.promotion import Registry
from storecast.registry.recovery import NEWEST_SQL
from storecast.registry.store import ModelStore, aliases_of, all_versions
from storecast.settings import Settings
from storecast.warehouse import Warehouse

pytestmark = pytest.mark.slow

NOW = datetime(2026, 7, 2)
ALIASES = {"champion": "1", "challenger": "3"}


class KilledError(BaseException):
    """Nothing in the product catches it, as nothing outlives a kill."""


@pytest.fixture
def settings(tmp_path, train, make_training) -> Settings:
    """A shop of three trainings, of which the second has no alias any more."""
    settings = Settings(data_dir=tmp_path / "data")
    warehouse = Warehouse(settings.warehouse_path)
    for number in (1, 2, 3):
        train(settings, f"t-{number}", level_units=float(number))
    warehouse.replace_table("ops.model_scores", make_training("t-3").tables["model_scores"])
    warehouse.replace_table("ops.backtest_accuracy", make_training("t-3").tables["accuracy"])
    assert mirrored_aliases(warehouse) == ALIASES
    return settings


def without_mlflow(settings: Settings, name: str = "lost") -> Settings:
    """A copy of the shop without MLflow's folder: a process that knows a database reads on in it when it is deleted."""
    shop = settings.model_copy(update={"data_dir": settings.data_dir.with_name(name)})
    shutil.copytree(settings.data_dir, shop.data_dir, ignore=shutil.ignore_patterns("mlflow"))
    return shop


def told(settings: Settings) -> str | None:
    with Registry.held(settings, NOW) as registry:
        assert mirrored_aliases(registry.warehouse) == registry.aliases
        return registry.restored


def assert_restored(settings: Settings) -> None:
    client = ModelStore.of(settings).client()
    assert aliases_of(client) == ALIASES
    versions = {version.version: version.tags["storecast.training_id"] for version in all_versions(client)}
    assert {str(number): name for number, name in versions.items()} == {"1": "t-1", "3": "t-3"}
    rows = Warehouse(settings.warehouse_path).read(f"select kind, applied_at from {c.PROMOTIONS} order by decided_at")
    assert rows["kind"].tolist() == ["first", "challenger", "challenger", "restored"]
    assert rows["applied_at"].notna().all()


def test_without_a_loss_nothing_is_said_or_decided(settings):
    assert told(settings) is None
    assert len(Warehouse(settings.warehouse_path).read(f"select 1 from {c.PROMOTIONS}")) == 3


def test_versions_come_back_under_their_numbers_with_their_aliases_and_tables(settings, train, make_training):
    settings = without_mlflow(settings)
    tables = {name: Warehouse(settings.warehouse_path).content_hash(f"ops.{name}") for name in c.KEPT_TABLES}
    assert "champion is version 1, challenger is version 3" in (told(settings) or "")
    assert_restored(settings)
    assert told(settings) is None, "once"
    assert {name: Warehouse(settings.warehouse_path).content_hash(f"ops.{name}") for name in c.KEPT_TABLES} == tables
    for name in c.KEPT_TABLES:
        stored = next(settings.mlflow_dir.rglob(f"{run_of(settings, '3')}/**/{name}.parquet"))
        expected = make_training("t-3", 3.0).tables[name]
        pd.testing.assert_frame_equal(pd.read_parquet(stored), expected, check_dtype=False)
    assert train(settings, "t-3", level_units=3.0).decision is None, "it came in before"
    assert train(settings, "t-4").model_version == 4


def run_of(settings: Settings, version: str) -> str:
    return str(ModelStore.of(settings).client().get_model_version(c.MODEL_NAME, version).run_id)


def test_killed_before_any_step_a_recovery_is_completed_by_the_next_look(settings, monkeypatch):
    steps = (
        (MlflowClient, "create_model_version"),
        (MlflowClient, "delete_model_version"),
        (MlflowClient, "set_registered_model_alias"),
        (MlflowClient, "set_model_version_tag"),
        (promotion, "insert_rows"),
        (promotion, "mirror"),
    )
    for step in range(100):
        shop = without_mlflow(settings, f"killed before {step}")
        left = [step]

        def deadly(work, left=left):
            def begun(*arguments, **options):
                if left[0] == 0:
                    raise KilledError
                left[0] -= 1
                return work(*arguments, **options)

            return begun

        with monkeypatch.context() as patch:
            for owner, name in steps:
                patch.setattr(owner, name, deadly(getattr(owner, name)))
            try:
                told(shop)
            except KilledError:
                was_killed = True
            else:
                was_killed = False
        told(shop)
        assert_restored(shop)
        if not was_killed:
            assert step > 6, "these are all steps there are"
            return


@pytest.mark.parametrize("table", ["champions", "interval_scales"])
def test_where_the_warehouse_lacks_the_champion_s_tables_no_model_is_left_and_it_is_said(settings, table):
    settings = without_mlflow(settings)
    with Warehouse(settings.warehouse_path).writing() as connection:
        connection.execute(f"delete from ops.{table} where training_id = 't-1'")
    assert "train anew" in (told(settings) or "")
    assert Warehouse(settings.warehouse_path).read(f"select * from {c.REGISTERED_MODELS}").empty
    assert told(settings) is None


def test_the_newest_training_is_the_one_whose_rows_came_last(settings):
    assert Warehouse(settings.warehouse_path).read(NEWEST_SQL)["training_id"].tolist() == ["t-3"]
