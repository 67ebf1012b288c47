"""Where MLflow keeps things: one SQLite file in the data folder, artifacts beside it.

The addresses are handed to every call. MLflow's process-wide address is never set, so that two data folders cannot
touch each other in one process.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from storecast.registry import contracts as c
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


def champion_version(client: MlflowClient) -> int | None:
    """Return the version that the alias `champion` leads to, None where it leads nowhere yet."""
    try:
        found = client.get_model_version_by_alias(c.MODEL_NAME, c.CHAMPION_ALIAS)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise
    return int(found.version)


def version_rows(client: MlflowClient) -> pd.DataFrame:
    """Return the rows of ops.registered_models: every version, with the alias that leads to it now."""
    champion = champion_version(client)
    rows = [
        {
            "training_id": version.tags[TRAINING_ID_TAG],
            "model_name": version.name,
            "model_version": int(version.version),
            "alias": c.CHAMPION_ALIAS if int(version.version) == champion else None,
            "origin_date": pd.Timestamp(version.tags[ORIGIN_DATE_TAG]),
            "run_id": version.run_id,
            "registered_at": pd.Timestamp(version.creation_timestamp, unit="ms"),
        }
        for version in all_versions(client)
    ]
    frame = pd.DataFrame(rows, columns=list(c.RegisteredModels.to_schema().columns))
    days = dict.fromkeys(("origin_date", "registered_at"), "datetime64[ns]")
    return frame.astype({"model_version": "int64", **days})
