"""The registered model's code: MLflow keeps a copy of this file beside the tables and runs it to load the model.

It is no part of the room's own imports: MLflow is given its path. It alone reaches into the forecasting room for more
than contracts, for a model that did not forecast as the pipeline does would not be the pipeline's model.
"""

from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from storecast.forecasting import contracts as c
from storecast.forecasting.forecast import forecast_demand
from storecast.forecasting.panel import panel_from_tables
from storecast.registry.contracts import CHAMPIONS, FITTED_MODELS, INTERVAL_SCALES


class DemandModel(PythonModel):
    """Forecasts each product by its own champion, from history and plans."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model's tables; nothing is unpickled."""
        self.champions = pd.read_parquet(context.artifacts[CHAMPIONS])
        self.fitted_models = pd.read_parquet(context.artifacts[FITTED_MODELS])
        self.interval_scales = pd.read_parquet(context.artifacts[INTERVAL_SCALES])

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002 - MLflow's signature
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return forecasts, one row a series and day ahead, of every series in `model_input`.

        `model_input` holds gold.daily_demand's rows and, with null `units`, gold.planned_drivers'; a `category` helps
        products the training did not know, and `is_in_stock` and `is_recorded` tell what sales do not say. `params` may
        set `horizon_days` and `seed`.
        """
        chosen = params or {}
        is_history = model_input[c.UNITS].notna()
        history = model_input[is_history]
        products = history if c.CATEGORY in history else None
        forecasts = forecast_demand(
            panel_from_tables(history, model_input[~is_history], products),
            self.champions,
            self.fitted_models,
            self.interval_scales,
            horizon=int(chosen[c.HORIZON_DAYS]),
            seed=int(chosen["seed"]),
            partition_keys={product: product for product in history[c.PRODUCT_ID].unique()},
            model_version=str(self.champions[c.TRAINING_ID].iloc[0]),
        )
        return forecasts.drop(columns=c.PARTITION_KEY)


mlflow.models.set_model(DemandModel())
