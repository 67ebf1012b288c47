"""The tables this room reads and publishes: every column name is spelled here and nowhere else."""

import pandera.pandas as pa

PORTFOLIO = "portfolio"
"""The scope of a row about all products together; any other scope is a product id."""

DRIFT_SHARE = 0.5
"""Share of drifted columns from which on the portfolio counts as drifted: Evidently's own value."""

ALL = "all"
"""Instead of a product or a channel in a row about all of them."""

SERIES = "series"
CHANNEL = "channel"
SCOPES = (SERIES, CHANNEL, PORTFOLIO)

LEVEL, SEASON, PRICE, MIX = "level", "season", "price", "mix"
STOCK_OUT, DATA_FAULT, FORECAST = "stock_out", "data_fault", "forecast"
KINDS = (LEVEL, SEASON, PRICE, MIX, STOCK_OUT, DATA_FAULT, FORECAST)

UNITS = "units"
UNIT_PRICE = "unit_price"
IS_IN_STOCK = "is_in_stock"
CHANNEL_SHARE = "channel_share"
WEEK_TIMING = "week_timing"
FEED = "feed"
BIAS = "bias"
ERROR = "error"
WEEKDAY = "weekday"
NUMERICAL = (UNIT_PRICE, "discount_share", UNITS)
CATEGORICAL = ("is_on_promotion", IS_IN_STOCK, "has_event", WEEKDAY)
COMPARED = (*NUMERICAL, *CATEGORICAL)
"""What the models are given of gold.daily_demand, and the target."""


class Drift(pa.DataFrameModel):
    """One row a report, scope and column: how far the recent window lies from the training window."""

    report_date: pa.DateTime = pa.Field(description="Last day of the recent window.")
    scope: str = pa.Field(str_length={"min_value": 1}, description="'portfolio', or a product id.")
    column_name: str = pa.Field(str_length={"min_value": 1})
    method: str = pa.Field(description="The statistic, in Evidently's words; distances and p-values both occur.")
    score: float
    threshold: float
    is_drifted: bool
    reference_start_date: pa.DateTime
    reference_end_date: pa.DateTime
    current_start_date: pa.DateTime
    current_end_date: pa.DateTime

    class Config:
        """One row a report, scope and column."""

        unique = ["report_date", "scope", "column_name"]  # noqa: RUF012 - pandera's spelling


class ProductDrift(pa.DataFrameModel):
    """One row a report date, scope, product, channel, kind and feature: how far it moved, and whether by chance."""

    report_date: pa.DateTime = pa.Field(description="Last day that was looked at.")
    scope: str = pa.Field(isin=SCOPES, description="A product in a channel, a whole channel, or the portfolio.")
    product_id: str = pa.Field(str_length={"min_value": 1}, description="`all` in rows of a channel or the portfolio.")
    channel: str = pa.Field(str_length={"min_value": 1}, description="`all` in rows of the portfolio.")
    kind: str = pa.Field(isin=KINDS)
    feature: str = pa.Field(str_length={"min_value": 1}, description="What was measured.")
    window_days: int = pa.Field(ge=1, description="Days up to the report's that differ most from those before.")
    statistic: float = pa.Field(description="Shift over the series' own spread; of a stop, -log of its chance.")
    effect: float = pa.Field(nullable=True, description="Relative to what was expected; of stock, a share of days.")
    p_value: float = pa.Field(ge=0, le=1, description="Chance of such a statistic on a calm day.")
    q_value: float = pa.Field(ge=0, le=1, description="False discovery rate at which the row is a discovery.")
    threshold: float = pa.Field(gt=0, le=1, description="Highest q_value that is drift, by the number of series.")
    is_drifted: bool
    explained_by: str = pa.Field(nullable=True, isin=KINDS, description="Kind that accounts for the row instead.")
    change_date: pa.DateTime = pa.Field(description="First day of the change, as estimated.")

    class Config:
        """One row a report date, scope, product, channel, kind and feature."""

        unique = ["report_date", "scope", "product_id", "channel", "kind", "feature"]  # noqa: RUF012


DRIFTED_SERIES_SHARE = 0.1
"""Share of series with drift of their own from which on the check warns: then it is no matter of single products."""

TABLES = {"ops.drift": Drift, "ops.product_drift": ProductDrift}
