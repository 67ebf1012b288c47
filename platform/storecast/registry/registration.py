"""All that happens to a finished training: logged, registered, let into the race."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlparse

import pandas as pd
from mlflow import MlflowClient

from storecast.registry import contracts as c
from storecast.registry.decisions import Decision
from storecast.registry.promotion import Registry, enter
from storecast.registry.store import ModelStore, version_rows
from storecast.registry.training import Training
from storecast.registry.training_log import DEMAND_MODEL, log_training
from storecast.settings import Settings


@dataclass(frozen=True, eq=False)
class Registration:
    """Where a training lies in MLflow, and the rows of ops.registered_models after it came."""

    rows: pd.DataFrame
    model_version: int
    run_id: str
    experiment_id: str
    artifacts: Path
    decision: Decision | None

    @property
    def model_uri(self) -> str:
        """The version in MLflow's words."""
        return f"models:/{c.MODEL_NAME}/{self.model_version}"


def register_training(settings: Settings, training: Training, now: datetime, code: Path = DEMAND_MODEL) -> Registration:
    """Log a training, register it, and let it in: as champion where nothing compares to it, else as challenger.

    A second call changes nothing; one after a call that was killed completes it.
    """
    version = log_training(ModelStore.of(settings), training, code)
    with Registry.held(settings, now) as registry:
        client, champion = registry.client, registry.aliases.get(c.CHAMPION_ALIAS)
        decision = enter(registry, str(version.version), differences(client, champion, training), now)
        rows = version_rows(client)
    run = client.get_run(str(version.run_id)).info
    return Registration(
        rows=rows,
        model_version=int(version.version),
        run_id=run.run_id,
        experiment_id=run.experiment_id,
        artifacts=Path(unquote(urlparse(run.artifact_uri).path)),
        decision=decision,
    )


def differences(client: MlflowClient, champion: str | None, training: Training) -> dict[str, tuple[str, str]]:
    """Return the deciding settings in which a training differs from the champion's; what either does not tell is none.

    Another seed is no other setting: it gives a challenger like any other.
    """
    if champion is None:
        return {}
    before = client.get_run(str(client.get_model_version(c.MODEL_NAME, champion).run_id)).data.params
    now = {"horizon_days": str(training.horizon_days), **training.parameters}
    return {name: (before[name], value) for name, value in now.items() if before.get(name, value) != value}
