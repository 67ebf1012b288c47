"""The tables this room reads and publishes: every column name is spelled here and nowhere else.

Columns are the pandas columns of the DuckDB tables of the same name, strict: one more or less breaks the contract.
"""

from typing import Any, Final

import numpy as np
import pandas as pd
import pandera.pandas as pa

PRODUCT_ID: Final = "product_id"
CHANNEL: Final = "channel"
CATEGORY: Final = "category"
SELLER_ID: Final = "seller_id"
DATE: Final = "date"
UNITS: Final = "units"
REVENUE: Final = "revenue"
UNPRICED_UNITS: Final = "unpriced_units"
UNIT_PRICE: Final = "unit_price"
IS_ON_PROMOTION: Final = "is_on_promotion"
DISCOUNT_SHARE: Final = "discount_share"
IS_IN_STOCK: Final = "is_in_stock"
IS_RECORDED: Final = "is_recorded"
IS_PRICE_PLANNED: Final = "is_price_planned"
HAS_EVENT: Final = "has_event"
EVENT_NAME: Final = "event_name"
EVENT_JOIN: Final = " + "
ORIGIN_DATE: Final = "origin_date"
HORIZON_DAY: Final = "horizon_day"
HORIZON_DAYS: Final = "horizon_days"
ESTIMATED_UNITS: Final = "estimated_demand_units"
LOST_UNITS: Final = "lost_units"
LOST_REVENUE: Final = "lost_revenue"
MEAN_UNITS: Final = "mean_units"
MEAN_REVENUE: Final = "mean_revenue"
MODEL: Final = "model"
MODEL_VERSION: Final = "model_version"
FALLBACK_REASON: Final = "fallback_reason"
PARTITION_KEY: Final = "partition_key"
DEMAND_CLASS: Final = "demand_class"
SPLIT: Final = "split"
LEVEL: Final = "level"
NODE: Final = "node"
SERIES: Final = "series"
WINDOW_START_DATE: Final = "window_start_date"
WINDOW_END_DATE: Final = "window_end_date"
WAPE: Final = "wape"
BIAS: Final = "bias"
RMSSE: Final = "rmsse"
MASE: Final = "mase"
MAPE: Final = "mape"
PINBALL: Final = "pinball"
COVERAGE_90: Final = "coverage_90"
COVERAGE_50: Final = "coverage_50"
SKILL: Final = "skill_over_seasonal_naive"
TRAINING_ID: Final = "training_id"
REASON: Final = "reason"
PAYLOAD: Final = "payload"
PARAMETERS: Final = "parameters"
LAYOUT: Final = "layout"
STATES_BLOB: Final = "states_blob"
DAYS_BLOB: Final = "days_blob"
SNAPSHOT_HASH: Final = "snapshot_hash"
SCOPE: Final = "scope"
FROM_DAY: Final = "from_day"
FROM_UNITS: Final = "from_units"
QUANTILE: Final = "quantile"
VALUE: Final = "value"
LOSS: Final = "loss"
DEFAULT_LOSS: Final = "default_loss"
TRIALS: Final = "trials"

SELECTION: Final = "selection"
EVALUATION: Final = "evaluation"
CHAMPION: Final = "champion"
ALL_CLASSES: Final = "all"
LEVELS: Final = ("product_channel", "product", "category", "channel", "total")
SHOP_LEVELS: Final = ("product", "category", "seller", "channel", "total")
"""Levels of `gold.level_forecasts`; the series themselves are in `gold.demand_forecasts`."""

QUANTILES: Final = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
UNIT_QUANTILES: Final = tuple(f"p{round(alpha * 100):02d}_units" for alpha in QUANTILES)
REVENUE_QUANTILES: Final = tuple(f"p{round(alpha * 100):02d}_revenue" for alpha in QUANTILES)

PARTS: Final = ("level_units", "season_units", "price_units", "promotion_units", "event_units", "reconciliation_units")
LARGEST_REST: Final = 1e-6
"""Units by which a forecast's parts may miss it."""
CLASS_WORDS: Final = "Smooth, erratic, intermittent, lumpy, new or inactive; `all` for every class."
RMSSE_WORDS: Final = "Root mean squared error over that of the last value carried forward."
MASE_WORDS: Final = "Mean absolute error over that of seasonal naive in the history."


def _quantity(*, required: bool = True, **rules: Any) -> Any:
    """A number; `required` forbids NaN."""
    return pa.Field(nullable=not required, **rules)


class _Contract(pa.DataFrameModel):
    """Strict and without coercion: what does not fit is an error."""

    class Config:
        strict = True
        coerce = False


class DailyDemand(pa.DataFrameModel):
    """The columns of `gold.daily_demand` that this room reads; dense up to one common last day."""

    product_id: str
    channel: str
    date: Any = pa.Field(nullable=False)
    unit_price: float = _quantity(required=False, ge=0)
    is_on_promotion: bool
    discount_share: float = _quantity(ge=0, le=1)
    is_price_planned: bool
    has_event: bool
    event_name: str = pa.Field(nullable=True)
    units: float = _quantity(ge=0)


class LostDemand(_Contract):
    """One row a product, channel and day that ended sold out."""

    product_id: str
    channel: str
    date: pa.DateTime
    units: float = _quantity(ge=0, description="Units sold before the stock was gone.")
    estimated_demand_units: float = _quantity(ge=0, description="Units that would have been sold, as estimated.")
    lost_units: float = _quantity(ge=0, description="Estimated demand less units sold.")
    unit_price: float = _quantity(required=False, ge=0, description="Price of a piece that day.")
    lost_revenue: float = _quantity(required=False, ge=0, description="Lost units at that price; null without one.")


class _DayAhead(_Contract):
    """One row an origin, product, channel and day ahead."""

    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    product_id: str
    channel: str
    date: pa.DateTime


class DemandForecasts(_DayAhead):
    """One row an origin, product, channel and day ahead."""

    horizon_day: int = _quantity(ge=1, description="Days after the origin, from 1.")
    mean_units: float = _quantity(ge=0, description="Expected units.")
    p05_units: float = _quantity(ge=0, description="5 % quantile of units.")
    p10_units: float = _quantity(ge=0, description="10 % quantile of units.")
    p25_units: float = _quantity(ge=0, description="25 % quantile of units.")
    p50_units: float = _quantity(ge=0, description="50 % quantile of units.")
    p75_units: float = _quantity(ge=0, description="75 % quantile of units.")
    p90_units: float = _quantity(ge=0, description="90 % quantile of units.")
    p95_units: float = _quantity(ge=0, description="95 % quantile of units.")
    model: str
    model_version: str = pa.Field(description="Version of the registered model whose training made it.")
    fallback_reason: str = pa.Field(nullable=True, description="Why not the champion; null where it was.")
    partition_key: str = pa.Field(description="The Dagster partition that holds the product.")

    @pa.dataframe_check(error="quantiles rise with their share and nothing is infinite")
    @classmethod
    def quantiles_rise(cls, forecasts: pd.DataFrame) -> bool:
        """Whether each row's quantiles are in order and finite."""
        return _is_rising(forecasts, UNIT_QUANTILES) and bool(np.isfinite(forecasts[MEAN_UNITS]).all())


class ForecastExplanations(_DayAhead):
    """One row an origin, product, channel and day ahead: the published forecast as a sum of its parts."""

    horizon_day: int = _quantity(ge=1, description="Days after the origin, from 1.")
    mean_units: float = _quantity(ge=0, description="Expected units: that of gold.demand_forecasts.")
    level_units: float = _quantity(description="Mean of whole weeks ahead without driver; the same on each day.")
    season_units: float = _quantity(description="What a day differs from it by weekday, season and trend.")
    price_units: float = _quantity(description="What the price adds, or takes, by not being the usual one.")
    promotion_units: float = _quantity(description="What the promotion adds, its discount with it.")
    event_units: float = _quantity(description="What the events of the days add or take.")
    reconciliation_units: float = _quantity(description="Published less what the model itself said.")
    model: str
    partition_key: str = pa.Field(description="The Dagster partition that holds the product.")

    @pa.dataframe_check(error="the parts of each forecast add up to it to 1e-6")
    @classmethod
    def parts_add_up(cls, explanations: pd.DataFrame) -> bool:
        """Whether every row's parts are finite and their sum is the published number."""
        rest = explanations[list(PARTS)].to_numpy(np.float64).sum(axis=1) - explanations[MEAN_UNITS].to_numpy()
        return bool((np.abs(rest) <= LARGEST_REST).all())  # false for what is not finite


class RevenueForecasts(_DayAhead):
    """One row an origin, product, channel and day ahead; revenue is missing where no price is known."""

    mean_revenue: float = _quantity(required=False, ge=0, description="Expected revenue, in the shop's currency.")
    p05_revenue: float = _quantity(required=False, ge=0, description="5 % quantile of revenue.")
    p10_revenue: float = _quantity(required=False, ge=0, description="10 % quantile of revenue.")
    p25_revenue: float = _quantity(required=False, ge=0, description="25 % quantile of revenue.")
    p50_revenue: float = _quantity(required=False, ge=0, description="50 % quantile of revenue.")
    p75_revenue: float = _quantity(required=False, ge=0, description="75 % quantile of revenue.")
    p90_revenue: float = _quantity(required=False, ge=0, description="90 % quantile of revenue.")
    p95_revenue: float = _quantity(required=False, ge=0, description="95 % quantile of revenue.")
    unit_price: float = _quantity(required=False, ge=0)
    model: str
    model_version: str = pa.Field(description="Version of the registered model whose training made it.")
    partition_key: str = pa.Field(description="The Dagster partition that holds the product.")


class LevelForecasts(_Contract):
    """One row an origin, level, node and day ahead; revenue is missing where a node's units have no price at all."""

    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    level: str = pa.Field(isin=SHOP_LEVELS)
    node: str = pa.Field(description="Product, category, seller or channel; `total` for the shop.")
    date: pa.DateTime
    horizon_day: int = _quantity(ge=1, description="Days after the origin, from 1.")
    series: int = _quantity(ge=1, description="Products by channel that the node sums.")
    mean_units: float = _quantity(ge=0, description="Expected units: the sum of gold.demand_forecasts.")
    p05_units: float = _quantity(ge=0, description="5 % quantile of units; quantiles do not add up.")
    p10_units: float = _quantity(ge=0, description="10 % quantile of units.")
    p25_units: float = _quantity(ge=0, description="25 % quantile of units.")
    p50_units: float = _quantity(ge=0, description="50 % quantile of units.")
    p75_units: float = _quantity(ge=0, description="75 % quantile of units.")
    p90_units: float = _quantity(ge=0, description="90 % quantile of units.")
    p95_units: float = _quantity(ge=0, description="95 % quantile of units.")
    unpriced_units: float = _quantity(ge=0, description="Expected units without a known price, not in the revenue.")
    mean_revenue: float = _quantity(required=False, ge=0, description="Expected revenue: gold.revenue_forecasts' sum.")
    p05_revenue: float = _quantity(required=False, ge=0, description="5 % quantile of revenue; they do not add up.")
    p10_revenue: float = _quantity(required=False, ge=0, description="10 % quantile of revenue.")
    p25_revenue: float = _quantity(required=False, ge=0, description="25 % quantile of revenue.")
    p50_revenue: float = _quantity(required=False, ge=0, description="50 % quantile of revenue.")
    p75_revenue: float = _quantity(required=False, ge=0, description="75 % quantile of revenue.")
    p90_revenue: float = _quantity(required=False, ge=0, description="90 % quantile of revenue.")
    p95_revenue: float = _quantity(required=False, ge=0, description="95 % quantile of revenue.")

    @pa.dataframe_check(error="quantiles rise with their share and nothing is infinite")
    @classmethod
    def quantiles_rise(cls, forecasts: pd.DataFrame) -> bool:
        """Whether each row's quantiles are in order and finite, those of revenue where it has any."""
        is_priced = forecasts[MEAN_REVENUE].notna()
        return _is_rising(forecasts, UNIT_QUANTILES) and _is_rising(forecasts[is_priced], REVENUE_QUANTILES)


class BacktestAccuracy(_Contract):
    """One row an evaluation origin, level, demand class and model; days that ended sold out are left out."""

    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    level: str = pa.Field(isin=LEVELS)
    demand_class: str = pa.Field(description=CLASS_WORDS)
    model: str
    split: str = pa.Field(eq=EVALUATION)
    window_start_date: pa.DateTime = pa.Field(description="First day forecast.")
    window_end_date: pa.DateTime = pa.Field(description="Last day forecast.")
    horizon_days: int = _quantity(ge=1, description="Days forecast.")
    series: int = _quantity(ge=1, description="Nodes of the level.")
    wape: float = _quantity(required=False, ge=0, description="Absolute error over units sold.")
    bias: float = _quantity(required=False, description="Forecast less sold, over units sold.")
    rmsse: float = _quantity(required=False, ge=0, description=RMSSE_WORDS)
    mase: float = _quantity(required=False, ge=0, description=MASE_WORDS)
    mape: float = _quantity(required=False, ge=0, description="Mean absolute percentage error; aggregates only.")
    pinball: float = _quantity(required=False, ge=0, description="Mean pinball loss of the seven quantiles, in units.")
    coverage_90: float = _quantity(required=False, ge=0, le=1, description="Share of days within p05 to p95.")
    coverage_50: float = _quantity(required=False, ge=0, le=1, description="Share of days within p25 to p75.")
    skill_over_seasonal_naive: float = _quantity(required=False, le=1, description="1 less WAPE over seasonal naive's.")


class Backtests(_Contract):
    """One row a split, origin, product, channel, day ahead and model."""

    split: str = pa.Field(isin=(SELECTION, EVALUATION))
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    product_id: str
    channel: str
    date: pa.DateTime
    horizon_day: int = _quantity(ge=1, description="Days after the origin, from 1.")
    model: str
    mean_units: float = _quantity(ge=0, description="Expected units.")
    units: float = _quantity(required=False, ge=0, description="Units sold; null where the day ended sold out.")


class LevelBacktests(_Contract):
    """One row a training, split, origin, level, node and day: what its champions would have forecast, what was sold."""

    training_id: str = pa.Field(description="Names a training: a hash of data, settings and code.")
    split: str = pa.Field(isin=(SELECTION, EVALUATION))
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    level: str = pa.Field(isin=SHOP_LEVELS)
    node: str = pa.Field(description="Product, category, seller or channel; `total` for the shop.")
    date: pa.DateTime
    horizon_day: int = _quantity(ge=1, description="Days after the origin, from 1.")
    mean_units: float = _quantity(ge=0, description="Expected units.")
    units: float = _quantity(ge=0)
    mean_revenue: float = _quantity(ge=0, description="Expected units at the prices known at the origin.")
    revenue: float = _quantity(ge=0)


class ModelScores(_Contract):
    """One row a split, origin, product, channel and model; ratios are missing where nothing was sold."""

    split: str = pa.Field(isin=(SELECTION, EVALUATION))
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    product_id: str
    channel: str
    demand_class: str = pa.Field(description=CLASS_WORDS)
    model: str
    wape: float = _quantity(required=False, ge=0, description="Absolute error over units sold.")
    bias: float = _quantity(required=False, description="Forecast less sold, over units sold.")
    rmsse: float = _quantity(required=False, ge=0, description=RMSSE_WORDS)
    mase: float = _quantity(required=False, ge=0, description=MASE_WORDS)


class Champions(_Contract):
    """One row a training, product and channel."""

    training_id: str = pa.Field(description="Names a training: a hash of data, settings and code.")
    product_id: str
    channel: str
    demand_class: str = pa.Field(description=CLASS_WORDS)
    model: str
    reason: str = pa.Field(description="Why this model, in words.")


class IntervalScales(_Contract):
    """What makes quantiles of means; a row a quantile of a pool, a spread of a class or series, or the units' step."""

    training_id: str = pa.Field(description="Names a training: a hash of data, settings and code.")
    scope: str = pa.Field(isin=("pool", "class", "step", "series"))
    product_id: str = pa.Field(nullable=True)
    channel: str = pa.Field(nullable=True)
    demand_class: str = pa.Field(nullable=True, description=CLASS_WORDS)
    from_day: float = _quantity(required=False, ge=1)
    from_units: float = _quantity(required=False, ge=0)
    quantile: float = _quantity(required=False, gt=0, lt=1)
    value: float


class FittedModels(_Contract):
    """One row a training and global model; the payload is text: LightGBM's format and JSON, never a pickle."""

    training_id: str = pa.Field(description="Names a training: a hash of data, settings and code.")
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    model: str
    payload: str = pa.Field(description="The model as text.")
    parameters: str = pa.Field(description="As JSON.")
    snapshot_hash: str = pa.Field(description="A hash of the data the training saw.")


class FittedChampions(_Contract):
    """One row a product and channel: what its champion keeps of it, so that it is forecast without its history."""

    training_id: str = pa.Field(description="Names a training: a hash of data, settings and code.")
    origin_date: pa.DateTime = pa.Field(description="The last day known.")
    product_id: str
    channel: str
    category: str
    demand_class: str = pa.Field(description="Smooth, erratic, intermittent, lumpy, new or inactive.")
    model: str = pa.Field(description="The champion; empty where the series began after the training.")
    layout: str = pa.Field(description="How the two blobs are read, as JSON.")
    states_blob: Any = pa.Field(description="States of the champion's models, floats.")
    days_blob: Any = pa.Field(description="The latest days of units and drivers, packed.")


class TunedParameters(_Contract):
    """One row a model whose parameters were tuned; a loss is the error over seasonal naive's, the mean over levels."""

    model: str = pa.Field(unique=True)
    parameters: str = pa.Field(description="What takes the place of the model's defaults, as JSON.")
    loss: float = _quantity(ge=0, description="With these parameters, on the selection origins.")
    default_loss: float = _quantity(ge=0, description="With the model's defaults.")
    trials: int = _quantity(ge=1, description="How many sets of parameters were tried, the defaults among them.")
    window_start_date: pa.DateTime = pa.Field(description="First day whose sales decided.")
    window_end_date: pa.DateTime = pa.Field(description="Last day whose sales decided, before any evaluation origin's.")


class ProductPartitions(_Contract):
    """One row a product."""

    product_id: str = pa.Field(unique=True)
    partition_key: str = pa.Field(description="The Dagster partition that holds the product.")


TABLES: Final = {
    "gold.demand_forecasts": DemandForecasts,
    "gold.forecast_explanations": ForecastExplanations,
    "gold.level_forecasts": LevelForecasts,
    "gold.lost_demand": LostDemand,
    "gold.revenue_forecasts": RevenueForecasts,
    "ops.backtest_accuracy": BacktestAccuracy,
    "ops.backtests": Backtests,
    "ops.champions": Champions,
    "ops.fitted_models": FittedModels,
    "ops.interval_scales": IntervalScales,
    "ops.level_backtests": LevelBacktests,
    "ops.model_scores": ModelScores,
    "ops.product_partitions": ProductPartitions,
    "ops.tuned_parameters": TunedParameters,
}


def _is_rising(table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    values = table[list(columns)].to_numpy(np.float64)
    return bool((np.diff(values, axis=1) >= 0).all() and np.isfinite(values).all())
