"""The tables this room reads and publishes: every column name is spelled here and nowhere else."""

import pandera.pandas as pa

MODEL_NAME = "storecast-demand"
CHAMPION_ALIAS = "champion"
CHAMPION_MODEL = "champion"
"""How ops.backtest_accuracy calls the champions' own forecasts."""

CHAMPIONS = "champions"
INTERVAL_SCALES = "interval_scales"
FITTED_MODELS = "fitted_models"
MODEL_SCORES = "model_scores"
ACCURACY = "accuracy"
MODEL_TABLES = (CHAMPIONS, INTERVAL_SCALES, FITTED_MODELS)
"""What the registered model itself carries; the other tables lie beside it in the run."""

MEASURES = (
    "wape",
    "bias",
    "rmsse",
    "mase",
    "mape",
    "pinball",
    "coverage_90",
    "coverage_50",
    "skill_over_seasonal_naive",
)
"""Measures of ops.backtest_accuracy that become metrics of the run."""


class RegisteredModels(pa.DataFrameModel):
    """One row a version of the registered model, as MLflow holds it: a mirror, never a second truth."""

    training_id: str = pa.Field(str_length={"min_value": 1})
    model_name: str = pa.Field(isin=[MODEL_NAME])
    model_version: int = pa.Field(ge=1, unique=True)
    alias: str = pa.Field(nullable=True, isin=[CHAMPION_ALIAS], description="Null where no alias leads to the version.")
    run_id: str
    registered_at: pa.DateTime = pa.Field(description="UTC.")


TABLES = {"ops.registered_models": RegisteredModels}
