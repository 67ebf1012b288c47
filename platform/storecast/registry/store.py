"""Where MLflow keeps things: one SQLite file in the data folder, artifacts beside it.

The addresses are handed to every call. MLflow's process-wide address is never set, so that two data folders cannot
touch each other in one process.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from storecast.registry import contracts as c
from storecast.registry.decisions import one_alias_each
from storecast.settings import Settings
from storecast.warehouse import Lease

EXPERIMENT = "demand_forecasts"
FOLLOW = (
    "UPDATE runs SET artifact_uri = :now || substr(artifact_uri, length(:former) + 1) "
    "WHERE substr(artifact_uri, 1, length(:former)) = :former",
    "UPDATE experiments SET artifact_location = :now WHERE artifact_location = :former",
)
KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Makes MLflow's UI show runs and metrics first, not its pages for language models."""

TRAINING_ID_TAG = "storecast.training_id"
ORIGIN_DATE_TAG = "storecast.origin_date"


@dataclass(frozen=True)
class ModelStore:
    """MLflow's database and artifacts below one folder."""

    directory: Path
    lease_timeout_seconds: float = 900.0

    @classmethod
    def of(cls, settings: Settings) -> "ModelStore":
        """Take the folder and the patience from the settings."""
        return cls(settings.mlflow_dir, settings.lease_timeout_seconds)

    @property
    def uri(self) -> str:
        """The address for `mlflow.set_tracking_uri`, `MLFLOW_TRACKING_URI` and MLflow's own UI."""
        return f"sqlite:///{self.directory.resolve() / 'mlflow.db'}"

    @property
    def lease(self) -> Lease:
        """The lease of who logs and registers, so that two at once do not register one training twice."""
        return Lease(self.directory / "registry", self.lease_timeout_seconds)

    @property
    def artifacts_uri(self) -> str:
        """Where runs keep their artifacts."""
        return (self.directory / "artifacts").resolve().as_uri()

    def client(self) -> MlflowClient:
        """Return a client of this store and no other; the first one makes the database."""
        self.directory.mkdir(parents=True, exist_ok=True)
        client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.follow_its_folder()
        return client

    def follow_its_folder(self) -> None:
        """Lead MLflow to the artifacts of this folder where it was copied or moved: MLflow stores absolute addresses.

        Otherwise a copy would read the original's artifacts, and write new ones there. MLflow itself cannot do this.
        """
        database = self.directory / "mlflow.db"
        if not database.exists():
            return
        with closing(sqlite3.connect(database)) as connection, connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone() is None:
                return  # its maker was killed, or is at it
            places = "SELECT artifact_location FROM experiments WHERE name = ? AND artifact_location <> ?"
            for (former,) in connection.execute(places, [EXPERIMENT, self.artifacts_uri]).fetchall():
                for statement in FOLLOW:
                    connection.execute(statement, {"former": former, "now": self.artifacts_uri})

    def experiment_id(self, client: MlflowClient) -> str:
        """Return the experiment's id; the first call makes it."""
        found = client.get_experiment_by_name(EXPERIMENT)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(EXPERIMENT, artifact_location=self.artifacts_uri, tags=KIND))


def all_versions(client: MlflowClient) -> list[ModelVersion]:
    """Return every version of the model, oldest first."""
    versions: list[ModelVersion] = []
    token: str | None = None
    while True:
        page = client.search_model_versions(f"name='{c.MODEL_NAME}'", page_token=token)
        versions.extend(page)
        token = page.token
        if not token:
            return sorted(versions, key=lambda version: int(version.version))


def aliases_of(client: MlflowClient) -> dict[str, str]:
    """Return the version of each alias that leads somewhere; none before the first training."""
    try:
        found = client.get_registered_model(c.MODEL_NAME).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise
    return {alias: str(version) for alias, version in found.items()}


def move_aliases(client: MlflowClient, wanted: Mapping[str, str]) -> None:
    """Bring the aliases of this room to what is wanted, the champion's last; what is as wanted is left alone."""
    present = aliases_of(client)
    for alias in reversed(c.ALIASES):
        if alias not in wanted and alias in present:
            client.delete_registered_model_alias(c.MODEL_NAME, alias)
        elif alias in wanted and present.get(alias) != wanted[alias]:
            client.set_registered_model_alias(c.MODEL_NAME, alias, wanted[alias])


def version_rows(client: MlflowClient) -> pd.DataFrame:
    """Return the rows of ops.registered_models: every version, with the alias that leads to it now."""
    alias_of = {version: alias for alias, version in one_alias_each(aliases_of(client)).items()}
    rows = [
        {
            "training_id": version.tags[TRAINING_ID_TAG],
            "model_name": version.name,
            "model_version": int(version.version),
            "alias": alias_of.get(str(version.version)),
            "origin_date": pd.Timestamp(version.tags[ORIGIN_DATE_TAG]),
            "run_id": version.run_id,
            "registered_at": pd.Timestamp(version.creation_timestamp, unit="ms"),
        }
        for version in all_versions(client)
    ]
    frame = pd.DataFrame(rows, columns=list(c.RegisteredModels.to_schema().columns))
    days = dict.fromkeys(("origin_date", "registered_at"), "datetime64[ns]")
    return frame.astype({"model_version": "int64", "alias": object, **days})
