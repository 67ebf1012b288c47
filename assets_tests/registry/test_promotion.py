"""Decisions carried out in the real MLflow and DuckDB: as meant, once, whatever is killed or moved by hand."""

import json
import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pandas as pd
import pytest

from storecast.registry import contracts as c
from storecast.registry.champion import load_champion
from storecast.registry.decisions import promotion_by, rollback_by, veto_by
from storecast.registry.mirror import mirrored_aliases
from storecast.registry.promotion import PROMOTED_TAG, Registry, decide_by
from storecast.registry.store import ModelStore, aliases_of
from storecast.settings import Settings
from storecast.warehouse import Warehouse

pytestmark = pytest.mark.slow

NOW = datetime(2026, 7, 2)
STEPS = 8
KILLED_BEFORE_A_STEP = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from mlflow import MlflowClient
from storecast.registry import promotion
from storecast.registry.decisions import promotion_by
from storecast.settings import Settings

left = [int(sys.argv[2])]
def deadly(work):
    def step(*arguments, **options):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return work(*arguments, **options)
    return step
with promotion.Registry.held(Settings(data_dir=Path(sys.argv[1])), datetime(2026, 7, 2)) as registry:
    for owner, name in (
        (promotion, "insert_rows"),
        (promotion, "mirror"),
        (MlflowClient, "set_model_version_tag"),
        (MlflowClient, "delete_registered_model_alias"),
        (MlflowClient, "set_registered_model_alias"),
    ):
        setattr(owner, name, deadly(getattr(owner, name)))
    promotion.decide_by(registry, promotion_by, None, "eva", datetime(2026, 7, 2))
print(left[0])
"""


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


def decided(settings: Settings, choose, version: str | None = None, now: datetime = NOW):
    with Registry.held(settings, now) as registry:
        return decide_by(registry, choose, version, "eva", now)


def rows(settings: Settings) -> pd.DataFrame:
    return Warehouse(settings.warehouse_path).read(f"select * from {c.PROMOTIONS} order by decided_at")


def trainings(settings: Settings, table: str = "champions") -> set[str]:
    return set(Warehouse(settings.warehouse_path).read(f"select distinct training_id from ops.{table}")["training_id"])


def assert_agreement(settings: Settings) -> dict[str, str]:
    """MLflow and the warehouse say the same, nothing is pending, and each aliased version has its tables."""
    aliases = aliases_of(ModelStore.of(settings).client())
    assert mirrored_aliases(Warehouse(settings.warehouse_path)) == aliases
    assert len(set(aliases.values())) == len(aliases)
    assert rows(settings)[c.APPLIED_AT].notna().all()
    assert json.loads(rows(settings)[c.EVIDENCE].iloc[-1])["aliases"] == aliases
    own = Warehouse(settings.warehouse_path).read(
        "select training_id from ops.registered_models where alias is not null"
    )
    for table in c.KEPT_TABLES:
        assert set(own["training_id"]) <= trainings(settings, table)
    return aliases


def test_trainings_come_in_as_first_challenger_and_champion_of_other_settings(settings, train):
    kinds = [
        train(settings, "t-1").decision.kind,
        train(settings, "t-2").decision.kind,
        train(settings, "t-3").decision.kind,
        train(settings, "t-4", horizon_days=14).decision.kind,
        train(settings, "t-5", horizon_days=14, seed=7).decision.kind,
    ]
    assert kinds == ["first", "challenger", "challenger", "settings_changed", "challenger"]
    assert assert_agreement(settings) == {"champion": "4", "challenger": "5"}
    assert rows(settings)[c.REASON].iloc[3] == "horizon_days 28 is 14 now"
    assert trainings(settings) == {"t-4", "t-5"}, "what has no alias is in MLflow alone"


def test_a_rollback_and_a_veto_outlive_a_repetition_of_the_training(settings, train, model_input):
    train(settings, "old", level_units=1.0)
    train(settings, "new", level_units=100.0)
    decided(settings, promotion_by)
    assert assert_agreement(settings) == {"champion": "2", "predecessor": "1"}
    assert load_champion(settings).predict(model_input)["level_units"].min() == 100.0
    decided(settings, rollback_by)
    assert train(settings, "new", level_units=100.0).decision is None
    assert assert_agreement(settings) == {"champion": "1"}
    assert load_champion(settings).predict(model_input)["level_units"].min() == 1.0
    train(settings, "third")
    decided(settings, veto_by)
    assert train(settings, "third").decision is None
    assert assert_agreement(settings) == {"champion": "1"}
    assert rows(settings)[c.KIND].tolist() == ["first", "challenger", "promotion", "rollback", "challenger", "veto"]
    moments = rows(settings)[c.DECIDED_AT]
    assert moments.is_unique
    tags = ModelStore.of(settings).client().get_model_version(c.MODEL_NAME, "3").tags
    assert (tags["storecast.decision"], tags["storecast.decided_by"]) == ("veto", "eva")


def test_a_version_without_tables_is_restored_from_mlflow_value_for_value(settings, train, make_training):
    for number in (1, 2, 3):
        train(settings, f"t-{number}", level_units=float(number))
    decided(settings, promotion_by)
    decided(settings, rollback_by)
    train(settings, "t-4")
    assert trainings(settings) == {"t-1", "t-4"}
    decided(settings, rollback_by, "2")
    assert assert_agreement(settings) == {"champion": "2", "challenger": "4"}
    for name in c.KEPT_TABLES:
        back = Warehouse(settings.warehouse_path).read(f"select * from ops.{name} where training_id = 't-2'")
        expected = make_training("t-2", 2.0).tables[name]
        pd.testing.assert_frame_equal(back, expected, check_dtype=False)


def test_a_version_that_is_unknown_or_lacks_a_table_is_an_error_and_nothing_is_decided(settings, train):
    train(settings, "t-1")
    train(settings, "t-2")
    train(settings, "t-3")
    client = ModelStore.of(settings).client()
    run_id = client.get_model_version(c.MODEL_NAME, "2").run_id
    [lost] = settings.mlflow_dir.rglob(f"{run_id}/**/fitted_models.parquet")
    lost.unlink()
    before = rows(settings)
    with pytest.raises(ValueError, match="no version 9"):
        decided(settings, promotion_by, "9")
    with pytest.raises(ValueError, match=r"version 2 .* lacks model/artifacts/fitted_models.parquet"):
        decided(settings, promotion_by, "2")
    pd.testing.assert_frame_equal(rows(settings), before)
    assert assert_agreement(settings) == {"champion": "1", "challenger": "3"}


def test_an_alias_moved_in_mlflow_itself_is_taken_over_with_a_row_and_its_tables(settings, train):
    for number in (1, 2, 3):
        train(settings, f"t-{number}")
    assert trainings(settings) == {"t-1", "t-3"}
    client = ModelStore.of(settings).client()
    client.set_registered_model_alias(c.MODEL_NAME, "champion", "2")
    for _ in range(2):
        with Registry.held(settings, NOW) as registry:
            assert registry.aliases == {"champion": "2", "challenger": "3"}
    assert assert_agreement(settings) == {"champion": "2", "challenger": "3"}
    assert rows(settings)[c.DECIDED_BY].tolist() == ["gate", "gate", "gate", "MLflow"]
    client.set_registered_model_alias(c.MODEL_NAME, "champion", "3")  # now it has two
    with Registry.held(settings, NOW + timedelta(hours=1)) as registry:
        assert registry.aliases == {"champion": "3"}
    assert assert_agreement(settings) == {"champion": "3"}


def test_a_champion_from_before_there_was_a_gate_goes_on_working(settings, train):
    train(settings, "t-1")
    client = ModelStore.of(settings).client()
    client.delete_model_version_tag(c.MODEL_NAME, "1", "storecast.decision")
    client.set_model_version_tag(c.MODEL_NAME, "1", PROMOTED_TAG, "true")
    with Warehouse(settings.warehouse_path).writing() as connection:
        connection.execute(f"drop table {c.PROMOTIONS}")
    assert train(settings, "t-1").decision is None
    assert train(settings, "t-2").decision.kind == "challenger"
    assert assert_agreement(settings) == {"champion": "1", "challenger": "2"}


def test_killed_before_any_step_a_promotion_is_completed_by_the_same_call_once(settings, train):
    train(settings, "t-0")
    for step in range(STEPS + 1):
        train(settings, f"t-{step + 1}")
        before = aliases_of(ModelStore.of(settings).client())
        command = [sys.executable, "-c", KILLED_BEFORE_A_STEP, str(settings.data_dir), str(step)]
        killed = subprocess.run(command, capture_output=True, text=True, check=False)
        if step == STEPS:
            assert (killed.returncode, killed.stdout) == (0, "0\n"), "these are all steps there are"
        else:
            assert killed.returncode == -signal.SIGKILL, killed.stderr
        with Registry.held(settings, NOW) as registry:
            if step == 0:
                assert registry.aliases == before, "nothing was meant yet"
            again = decide_by(registry, promotion_by, None, "eva", NOW)
        challenger = before["challenger"]
        assert again.challenger_version == challenger
        assert assert_agreement(settings) == {"champion": challenger, "predecessor": before["champion"]}
        found = rows(settings)
        assert ((found[c.KIND] == "promotion") & (found[c.CHALLENGER_VERSION] == challenger)).sum() == 1
        tags = ModelStore.of(settings).client().get_model_version(c.MODEL_NAME, challenger).tags
        assert tags["storecast.decision"] == "promotion"
        assert tags["storecast.reason"] == "eva made it champion"
