"""The champion as MLflow loads it."""

from typing import Any

import mlflow.artifacts
import mlflow.pyfunc

from storecast.registry import contracts as c
from storecast.registry.store import ModelStore, aliases_of
from storecast.registry.training_log import MODEL_FOLDER
from storecast.settings import Settings


def load_champion(settings: Settings) -> Any:
    """Return the champion as an `mlflow.pyfunc.PyFuncModel`; nothing is unpickled.

    The same model that `models:/storecast-demand@champion` names. Raises `LookupError` where no training has been
    registered yet.
    """
    store = ModelStore.of(settings)
    client = store.client()
    version = aliases_of(client).get(c.CHAMPION_ALIAS)
    if version is None:
        message = f"no version of {c.MODEL_NAME} is {c.CHAMPION_ALIAS} in {store.directory}: `storecast run` trains one"
        raise LookupError(message)
    run_id = client.get_model_version(c.MODEL_NAME, version).run_id
    folder = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=MODEL_FOLDER, tracking_uri=store.uri)
    return mlflow.pyfunc.load_model(folder)
