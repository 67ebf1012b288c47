"""The registry made anew of what the warehouse holds, where MLflow's folder is gone or lost versions with an alias.

The warehouse has all that a version with an alias forecasts with, so nothing has to be trained again. A version keeps
its number. What MLflow alone held – versions without an alias, metrics of older trainings – is gone.
"""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run, RunStatus
from mlflow.entities.model_registry import ModelVersion

from storecast.registry import contracts as c
from storecast.registry.decisions import Decision
from storecast.registry.store import TRAINING_ID_TAG, ModelStore, all_versions
from storecast.registry.training import Training, parameters_of
from storecast.registry.training_log import find_run, find_version, register, start_run, write_run
from storecast.settings import Settings
from storecast.warehouse import Warehouse

RESTORED_TAG: Final = "storecast.restored"
KNOWN_SQL: Final = f"""
    select training_id, model_version, alias, origin_date from {c.REGISTERED_MODELS} as registered
    where alias is not null or model_version = (select max(model_version) from {c.REGISTERED_MODELS})
    order by model_version
"""
"""The versions whose tables the warehouse keeps: those with an alias, and the newest."""
WHOLE_SQL: Final = "select training_id from ops.champions intersect select training_id from ops.interval_scales"
NEWEST_SQL: Final = "select training_id from ops.champions order by rowid desc limit 1"
OF_NEWEST: Final = {c.MODEL_SCORES: "ops.model_scores", c.ACCURACY: "ops.backtest_accuracy"}
"""Tables that hold the newest training alone."""


def are_models_lost(warehouse: Warehouse, client: MlflowClient) -> bool:
    """Whether MLflow lacks a version to which the warehouse knows an alias, or such a one was registered just now."""
    if not warehouse.exists(c.REGISTERED_MODELS):
        return False
    known = warehouse.read(KNOWN_SQL).dropna(subset="alias")
    versions = {version.tags[TRAINING_ID_TAG]: version for version in all_versions(client)}
    is_lost = ~known["training_id"].isin(list(versions))
    champions = known.loc[known["alias"] == c.CHAMPION_ALIAS, "training_id"]
    return bool(is_lost.any()) or any(is_undecided(versions[training_id].tags) for training_id in champions)


def is_undecided(tags: Mapping[str, str]) -> bool:
    """Whether a version was restored by a call that was killed before it moved the aliases.

    >>> is_undecided({RESTORED_TAG: "true"}), is_undecided({RESTORED_TAG: "true", "storecast.decision": "restored"})
    (True, False)
    """
    return RESTORED_TAG in tags and c.DECISION_TAG not in tags


def restore_models(
    store: ModelStore, client: MlflowClient, warehouse: Warehouse, settings: Settings
) -> tuple[Decision | None, str]:
    """Register anew what the warehouse knows; return the decision to carry out, and what was done in words.

    A second call completes one that was killed. Where the champion's tables are not whole nothing is registered, there
    is no decision, and the next training is the first. The caller holds the store's lease.
    """
    known = warehouse.read(KNOWN_SQL)
    whole = set(warehouse.read(WHOLE_SQL)["training_id"]) if warehouse.exists("ops.interval_scales") else set()
    known = known[known["training_id"].isin(list(whole))]
    if c.CHAMPION_ALIAS not in set(known["alias"]):
        return (
            None,
            f"{settings.mlflow_dir} holds no champion, nor does the warehouse hold all of its tables: train anew",
        )
    numbers = {}
    for row in known.to_dict("records"):
        training = training_of_row(row, warehouse, settings)
        run = find_run(client, store, training) or start_run(client, store, training)
        version = numbered(client, run, training, row)
        numbers[row["training_id"]] = str(version.version)
    aliases = {
        str(alias): numbers[training_id]
        for alias, training_id in known.dropna(subset="alias").set_index("alias")["training_id"].items()
    }
    told = ", ".join(f"{alias} is version {version}" for alias, version in aliases.items())
    reason = f"{settings.mlflow_dir} had lost versions; registered anew from the warehouse's tables: {told}"
    champion = aliases[c.CHAMPION_ALIAS]
    last_day = pd.Timestamp(known.loc[known["alias"] == c.CHAMPION_ALIAS, "origin_date"].iloc[0])
    return Decision(c.RESTORED, champion, champion, reason, c.GATE, aliases, last_day), reason


def numbered(client: MlflowClient, run: Run, training: Training, row: Mapping[Any, Any]) -> ModelVersion:
    """Register a run's model under the version number that the warehouse knows, or the next one where that is taken.

    MLflow counts on from the highest number it ever gave, deleted ones with it: so those below are made and deleted.
    """
    wanted = int(row["model_version"])
    version = find_version(client, run)
    if version is None:
        write_run(client, run, training)
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FINISHED))
    tags = {RESTORED_TAG: "true"} | ({} if row["alias"] == c.CHAMPION_ALIAS else {c.DECISION_TAG: c.RESTORED})
    while version is None or int(version.version) < wanted:
        if version is not None:
            client.delete_model_version(c.MODEL_NAME, str(version.version))
        version = register(client, run, training, tags)
    return version


def training_of_row(row: Mapping[Any, Any], warehouse: Warehouse, settings: Settings) -> Training:
    """Read a training's tables; scores and accuracy are there of the newest alone."""
    training_id = str(row["training_id"])
    tables = {
        name: warehouse.read(f"select * from ops.{name} where training_id = ?", [training_id]) for name in c.KEPT_TABLES
    }
    is_newest = training_id in set(warehouse.read(NEWEST_SQL)["training_id"])
    tables |= {name: warehouse.read(f"select * from {table} where ?", [is_newest]) for name, table in OF_NEWEST.items()}
    hashes = tables[c.FITTED_MODELS]["snapshot_hash"]
    return Training(
        training_id=training_id,
        origin_date=pd.Timestamp(row["origin_date"]).date(),
        snapshot_hash=str(hashes.iloc[0]) if len(hashes) else "unknown",
        horizon_days=settings.horizon_days,
        seed=settings.seed,
        parameters=parameters_of(settings),
        tables=tables,
    )
