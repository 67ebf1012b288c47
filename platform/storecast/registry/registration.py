"""All that happens to a finished training: logged, registered, made champion."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.promotion import promote_once
from storecast.registry.store import ModelStore, version_rows
from storecast.registry.training import Training
from storecast.registry.training_log import DEMAND_MODEL, log_training


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a training lies in MLflow, and the rows of ops.registered_models after it came."""

    rows: pd.DataFrame
    model_version: int
    run_id: str
    experiment_id: str
    artifacts: Path
    is_promoted_now: bool

    @property
    def model_uri(self) -> str:
        """The version in MLflow's words."""
        return f"models:/{c.MODEL_NAME}/{self.model_version}"


def register_training(store: ModelStore, training: Training, code: Path = DEMAND_MODEL) -> Registration:
    """Log a training, register it, and make it champion where it never was: every finished training becomes champion.

    A second call changes nothing; one after a call that was killed completes it.
    """
    version = log_training(store, training, code)
    client = store.client()
    is_promoted_now = promote_once(client, version)
    run = client.get_run(str(version.run_id)).info
    return Registration(
        rows=version_rows(client),
        model_version=int(version.version),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        artifacts=Path(unquote(urlparse(run.artifact_uri).path)),
        is_promoted_now=is_promoted_now,
    )
