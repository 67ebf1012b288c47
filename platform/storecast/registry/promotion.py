"""The alias `champion`: which version forecasts are made with, moved last and by this module only."""

from typing import Any

import mlflow.artifacts
import mlflow.pyfunc
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from storecast.registry import contracts as c
from storecast.registry.store import ModelStore, champion_version
from storecast.registry.training_log import MODEL_FOLDER
from storecast.settings import Settings

PROMOTED_TAG = "storecast.promoted"


def promote(client: MlflowClient, version: int) -> None:
    """Move the alias to a version, and mark the version as promoted once."""
    client.set_registered_model_alias(c.MODEL_NAME, c.CHAMPION_ALIAS, str(version))
    client.set_model_version_tag(c.MODEL_NAME, str(version), PROMOTED_TAG, "true")


def promote_once(client: MlflowClient, version: ModelVersion) -> bool:
    """Promote a version that never was champion; tell whether it was promoted now.

    A version that was promoted before stays where a person or a gate has put it since: logging the same training again
    takes back no rollback.
    """
    if PROMOTED_TAG in version.tags:
        return False
    promote(client, int(version.version))
    return True


def load_champion(settings: Settings) -> Any:
    """Return the champion as an `mlflow.pyfunc.PyFuncModel`; nothing is unpickled.

    The same model that `models:/storecast-demand@champion` names. Raises `LookupError` where no training has been
    registered yet.
    """
    store = ModelStore.of(settings)
    client = store.client()
    version = champion_version(client)
    if version is None:
        message = f"no version of {c.MODEL_NAME} is {c.CHAMPION_ALIAS} in {store.directory}: `storecast run` trains one"
        raise LookupError(message)
    run_id = client.get_model_version(c.MODEL_NAME, str(version)).run_id
    folder = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=MODEL_FOLDER, tracking_uri=store.uri)
    return mlflow.pyfunc.load_model(folder)
