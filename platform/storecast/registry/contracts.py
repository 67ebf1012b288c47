"""The tables this room reads and publishes: every column name is spelled here and nowhere else."""

import pandera.pandas as pa

MODEL_NAME = "storecast-demand"
CHAMPION_ALIAS = "champion"
CANARY_ALIAS = "canary"
CHALLENGER_ALIAS = "challenger"
PREDECESSOR_ALIAS = "predecessor"
ALIASES = (CHAMPION_ALIAS, CANARY_ALIAS, CHALLENGER_ALIAS, PREDECESSOR_ALIAS)
"""Which version forecasts, which one forecasts a share of the products first, which one shadows until the gate decides,
and which one forecast before. A version has one of them at most: where MLflow says two, the first one counts."""
FORECASTING = (CHAMPION_ALIAS, CANARY_ALIAS)
"""The aliases whose moving makes forecasts due."""
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

WITH_ALIAS_SQL = """
    select alias, model_version::varchar as model_version, training_id
    from ops.registered_models where alias is not null
"""
"""The versions that forecast or shadow, with their trainings; versions are text, as forecasts have them."""
CHAMPION_TRAINING_SQL = f"(select training_id from ({WITH_ALIAS_SQL}) where alias = '{CHAMPION_ALIAS}')"
"""The training that forecasts are made with, as a subquery."""

DATE = "date"
CLUSTER = "product_id"
DEMAND_CLASS = "demand_class"
UNITS = "units"
FORECASTS = "forecasts"
SIDES = (CHAMPION_ALIAS, CHALLENGER_ALIAS)
CHAMPION_LOSS, CHALLENGER_LOSS = LOSSES = ("champion_loss", "challenger_loss")
PAIR_SUMS = (
    *LOSSES,
    UNITS,
    FORECASTS,
    *(f"{side}_{what}" for what in ("units", "inside") for side in SIDES),
)
PAIR_COLUMNS = (DATE, CLUSTER, DEMAND_CLASS, *PAIR_SUMS)
"""What the gate reads: sums over the series and origins that both sides forecast, a row a day, product and class."""


class RegisteredModels(pa.DataFrameModel):
    """One row a version of the registered model, as MLflow holds it: a mirror, never a second truth."""

    training_id: str = pa.Field(str_length={"min_value": 1})
    model_name: str = pa.Field(isin=[MODEL_NAME])
    model_version: int = pa.Field(ge=1, unique=True)
    alias: str = pa.Field(nullable=True, isin=ALIASES, description="Null where no alias leads to the version.")
    origin_date: pa.DateTime = pa.Field(description="The last day that its training knew.")
    run_id: str
    registered_at: pa.DateTime = pa.Field(description="UTC.")


TABLES = {"ops.registered_models": RegisteredModels}
