"""One MLflow run a training, and the version it is registered as."""

import tempfile
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import mlflow.pyfunc
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models.model import Model
from mlflow.utils.git_utils import get_git_commit

from storecast.registry import contracts as c
from storecast.registry.model_signature import input_example, signature
from storecast.registry.store import ORIGIN_DATE_TAG, TRAINING_ID_TAG, ModelStore, all_versions
from storecast.registry.training import Training, level_metrics

DEMAND_MODEL = Path(__file__).with_name("demand_model.py")
MODEL_FOLDER = "model"
TABLES_FOLDER = "tables"
DESCRIPTION = (
    "Forecasts of units by product, channel and day: each product by its own champion. One version a training."
)


def log_training(store: ModelStore, training: Training, code: Path = DEMAND_MODEL) -> ModelVersion:
    """Log a training as one run, register its model, and return the version; a second call returns the same one.

    Each step is looked up before it is taken, so a call that was killed is completed by the next. The version is
    made last, when all it leads to is there: no version leads to half a model. `code` is the models-from-code file.
    """
    client = store.client()
    with store.lease.exclusive():
        run = find_run(client, store, training) or start_run(client, store, training)
        version = find_version(client, run)
        if version is not None:
            return version
        write_run(client, run, training, code)
        client.set_terminated(run.info.run_id, RunStatus.to_string(RunStatus.FINISHED))
        return register(client, run, training)


def find_run(client: MlflowClient, store: ModelStore, training: Training) -> Run | None:
    """Return the training's run, finished or not, None where there is none."""
    condition = f"tags.`{TRAINING_ID_TAG}` = '{training.training_id}'"
    found = client.search_runs([store.experiment_id(client)], condition, order_by=["attributes.start_time ASC"])
    return found[0] if found else None


def start_run(client: MlflowClient, store: ModelStore, training: Training) -> Run:
    """Start the training's run with its tags."""
    run_name = f"training to {training.origin_date}"
    return client.create_run(store.experiment_id(client), tags=tags_of(training), run_name=run_name)


def tags_of(training: Training) -> dict[str, str]:
    """Return what identifies a training: on its run and on its version."""
    commit = get_git_commit(str(DEMAND_MODEL.parent))
    return {
        TRAINING_ID_TAG: training.training_id,
        "storecast.snapshot_hash": training.snapshot_hash,
        ORIGIN_DATE_TAG: str(training.origin_date),
        "storecast.version": installed_version("storecast"),
        **({} if commit is None else {"mlflow.source.git.commit": commit}),
    }


def find_version(client: MlflowClient, run: Run) -> ModelVersion | None:
    """Return the version registered from a run, None where there is none."""
    return next((version for version in all_versions(client) if version.run_id == run.info.run_id), None)


def write_run(client: MlflowClient, run: Run, training: Training, code: Path = DEMAND_MODEL) -> None:
    """Write parameters, metrics, tables and model; what a killed call wrote is written over with the same."""
    run_id, moment = run.info.run_id, run.info.start_time
    metrics = level_metrics(training.tables[c.ACCURACY])
    parameters = {"horizon_days": training.horizon_days, "seed": training.seed, **training.parameters}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, moment, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)) for name, value in parameters.items()],
    )
    with tempfile.TemporaryDirectory() as folder:
        tables, model = Path(folder, TABLES_FOLDER), Path(folder, MODEL_FOLDER)
        write_tables(tables, {name: frame for name, frame in training.tables.items() if name not in c.MODEL_TABLES})
        parts = write_tables(Path(folder, "parts"), {name: training.tables[name] for name in c.MODEL_TABLES})
        mlflow.pyfunc.save_model(str(model), mlflow_model=Model(run_id=run_id), **recipe(training, code, parts))
        client.log_artifacts(run_id, str(tables), TABLES_FOLDER)
        client.log_artifacts(run_id, str(model), MODEL_FOLDER)


def write_tables(folder: Path, tables: dict[str, pd.DataFrame]) -> dict[str, Path]:
    """Write each frame as `<name>.parquet` and return the paths."""
    folder.mkdir()
    paths = {name: folder / f"{name}.parquet" for name in tables}
    for name, frame in tables.items():
        frame.to_parquet(paths[name], index=False)
    return paths


def recipe(training: Training, code: Path, parts: dict[str, Path]) -> dict[str, Any]:
    """Return what MLflow makes a model of: a code file and parquet tables, nothing pickled.

    The requirements are given, for MLflow would find them out by loading the model in a process of its own.
    """
    return {
        "python_model": str(code),
        "artifacts": {name: str(path) for name, path in parts.items()},
        "signature": signature(horizon_days=training.horizon_days, seed=training.seed),
        "input_example": input_example(),
        "pip_requirements": [f"{package}=={installed_version(package)}" for package in ("storecast", "mlflow")],
    }


def register(
    client: MlflowClient, run: Run, training: Training, tags: Mapping[str, str] = MappingProxyType({})
) -> ModelVersion:
    """Register the run's model as a new version with some more tags, without moving any alias."""
    try:
        client.create_registered_model(c.MODEL_NAME, description=DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run_id = run.info.run_id
    return client.create_model_version(
        c.MODEL_NAME, source=f"runs:/{run_id}/{MODEL_FOLDER}", run_id=run_id, tags={**tags_of(training), **tags}
    )
