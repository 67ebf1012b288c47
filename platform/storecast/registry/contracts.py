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
LEVEL_BACKTESTS = "level_backtests"
MODEL_TABLES = (CHAMPIONS, INTERVAL_SCALES, FITTED_MODELS)
"""What the registered model itself carries; the other tables lie beside it in the run."""
KEPT_TABLES = (*MODEL_TABLES, LEVEL_BACKTESTS)
"""Tables in ops that hold several trainings side by side: what a version needs to forecast."""

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


CHAMPION_VERSION, CHALLENGER_VERSION = "champion_version", "challenger_version"
MODEL_VERSION = "model_version"
ORIGIN_DATE = "origin_date"

FIRST, SETTINGS_CHANGED, ENTERED = "first", "settings_changed", "challenger"
LOOK, CANARY, PROMOTION, ROLLBACK, SETTLED, VETO = "look", "canary", "promotion", "rollback", "settled", "veto"
RESTORED = "restored"
"""MLflow had lost versions, and got them back from the warehouse."""
KINDS = (FIRST, SETTINGS_CHANGED, ENTERED, LOOK, CANARY, PROMOTION, ROLLBACK, SETTLED, VETO, RESTORED)
DECISION_TAG = "storecast.decision"
"""The tag of a version that holds the kind of the last decision on it."""
NEW_CHAMPION = (FIRST, SETTINGS_CHANGED, PROMOTION, ROLLBACK)
"""Decisions after which another version is champion."""
DECIDED_AT, KIND, DECIDED_BY, APPLIED_AT, EVIDENCE = "decided_at", "kind", "decided_by", "applied_at", "evidence"
ANSWER, REASON, GAIN, BOUND, ALPHA_SPENT = "answer", "reason", "gain", "bound", "alpha_spent"
FIRST_DATE, LAST_DATE = "first_date", "last_date"
GATE, BY_HAND = "gate", "MLflow"
"""Who decided, where it was no person that told a name: the gate, or somebody who moved an alias in MLflow itself."""


class Promotions(pa.DataFrameModel):
    """One row a decision or look, never changed but for `applied_at`."""

    decided_at: pa.DateTime = pa.Field(unique=True, description="UTC.")
    kind: str = pa.Field(isin=KINDS)
    champion_version: str = pa.Field(nullable=True, description="Champion when it was decided; null before the first.")
    challenger_version: str = pa.Field(description="The version that it was decided on.")
    answer: str = pa.Field(nullable=True, isin=["promote", "wait", "keep"], description="The gate's, where it looked.")
    reason: str
    gain: float = pa.Field(nullable=True, description="Share of the champion's loss saved, where it was looked at.")
    bound: float = pa.Field(nullable=True, description="What the gain is at least but for the chance spent.")
    alpha_spent: float = pa.Field(nullable=True, ge=0, description="What all looks at the pair have used up.")
    first_date: pa.DateTime = pa.Field(nullable=True)
    last_date: pa.DateTime = pa.Field(nullable=True, description="The newest day that the decision knew of.")
    evidence: str = pa.Field(description="JSON: the look's figures, and under `aliases` who has which after it.")
    decided_by: str
    applied_at: pa.DateTime = pa.Field(nullable=True, description="Null until the aliases have moved. UTC.")


class RegisteredModels(pa.DataFrameModel):
    """One row a version of the registered model, as MLflow holds it: a mirror, never a second truth."""

    training_id: str = pa.Field(str_length={"min_value": 1})
    model_name: str = pa.Field(isin=[MODEL_NAME])
    model_version: int = pa.Field(ge=1, unique=True)
    alias: str = pa.Field(nullable=True, isin=ALIASES, description="Null where no alias leads to the version.")
    origin_date: pa.DateTime = pa.Field(description="The last day that its training knew.")
    run_id: str
    registered_at: pa.DateTime = pa.Field(description="UTC.")


DEMAND_FORECASTS = "gold.demand_forecasts"
PAIRED_LOSSES, MODEL_COSTS = "ops.paired_losses", "ops.model_costs"
REGISTERED_MODELS, PROMOTIONS = "ops.registered_models", "ops.promotions"
TABLES = {REGISTERED_MODELS: RegisteredModels, PROMOTIONS: Promotions}
