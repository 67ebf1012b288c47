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
DRIFT_KINDS = (LEVEL, SEASON, PRICE, MIX, STOCK_OUT, DATA_FAULT, FORECAST)

UNITS = "units"
UNIT_PRICE = "unit_price"
IS_IN_STOCK = "is_in_stock"
CHANNEL_SHARE = "channel_share"
WEEK_TIMING = "week_timing"
FEED = "feed"
FORECAST_BIAS = "bias"
FORECAST_ERROR = "error"
WEEKDAY = "weekday"
NUMERICAL = (UNIT_PRICE, "discount_share", UNITS)
PRODUCT_ID = "product_id"
HAS_EVENT = "has_event"
OF_ROWS = (*NUMERICAL, "is_on_promotion", IS_IN_STOCK)
"""What each row of gold.daily_demand has of its own."""
OF_DAYS = (HAS_EVENT, WEEKDAY)
"""What all rows of a day share: a thousand products on one holiday are one holiday."""
CATEGORICAL = ("is_on_promotion", IS_IN_STOCK, *OF_DAYS, PRODUCT_ID)
COMPARED = (*NUMERICAL, *CATEGORICAL)
"""What the models are given of gold.daily_demand, the target, and which products there are."""
IS_MISSING = " is missing"
"""Follows a column's name in that of a column which tells whether it lacks a value."""
STAYED, NEW, LOST, BACK = FATES = ("stayed", "new", "lost", "back")
"""What became of a product from one window to the next: it sells in both, for the first time, no more, or again."""


class Drift(pa.DataFrameModel):
    """One row a report, scope and column: how far the recent window lies from the training window."""

    report_date: pa.DateTime = pa.Field(description="Last day of the recent window.")
    scope: str = pa.Field(str_length={"min_value": 1}, description="'portfolio', or a product id.")
    column_name: str = pa.Field(
        str_length={"min_value": 1}, description="`… is missing`: the share of rows without a value."
    )
    method: str = pa.Field(description="The two-sample test, as Evidently's page names it.")
    score: float = pa.Field(description="The test's p-value; a distance in reports of before December 2026.")
    threshold: float = pa.Field(description="Highest p-value that is drift, by the number of columns.")
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
    kind: str = pa.Field(isin=DRIFT_KINDS)
    feature: str = pa.Field(str_length={"min_value": 1}, description="What was measured.")
    window_days: int = pa.Field(ge=1, description="Days up to the report's that differ most from those before.")
    statistic: float = pa.Field(description="Shift over the series' own spread; of a stop, -log of its chance.")
    effect: float = pa.Field(nullable=True, description="Relative to what was expected; of stock, a share of days.")
    p_value: float = pa.Field(ge=0, le=1, description="Chance of such a statistic on a calm day.")
    q_value: float = pa.Field(ge=0, le=1, description="False discovery rate at which the row is a discovery.")
    threshold: float = pa.Field(gt=0, le=1, description="Highest q_value that is drift, by the number of series.")
    is_drifted: bool
    explained_by: str = pa.Field(nullable=True, isin=DRIFT_KINDS, description="Kind that accounts for the row instead.")
    change_date: pa.DateTime = pa.Field(description="First day of the change, as estimated.")

    class Config:
        """One row a report date, scope, product, channel, kind and feature."""

        unique = ["report_date", "scope", "product_id", "channel", "kind", "feature"]  # noqa: RUF012


DRIFTED_SERIES_SHARE = 0.1
"""Share of series with drift of their own from which on the check warns: then it is no matter of single products."""


RUN_FAILURE = "run_failure"
CHECK_FAILURE = "check_failure"
STALE_FORECASTS = "stale_forecasts"
FEED_STOPPED = "feed_stopped"
DATA_GAP = "data_gap"
QUARANTINE_RATE = "quarantine_rate"
BIAS = "bias"
WORSE_THAN_NAIVE = "worse_than_naive"
FILE_SET_ASIDE = "file_set_aside"
INCIDENT_KINDS = (
    RUN_FAILURE,
    STALE_FORECASTS,
    FEED_STOPPED,
    FILE_SET_ASIDE,
    DATA_GAP,
    QUARANTINE_RATE,
    BIAS,
    WORSE_THAN_NAIVE,
    CHECK_FAILURE,
)
"""What an incident can be, the most urgent first."""

SURE_ERRORS = 3
"""Standard errors by which champions have to be worse than seasonal naive for it to be no chance."""
WORSE_SQL = f"""
    with scores as (
        select level, skill_over_seasonal_naive as skill, skill_error
        from (select null::double as skill_error where false union all by name from {{table}})
        where model = 'champion' and demand_class = 'all' and split = 'evaluation'
    ),
    pooled as (
        select
            level, avg(skill) as skill,
            greatest(
                sqrt(sum(skill_error * skill_error)) / count(*), coalesce(stddev_samp(skill), 0) / sqrt(count(*))
            ) as error
        from scores group by level having count(skill_error) = count(*)
    )
    select level, skill, error from pooled where skill + {SURE_ERRORS} * error < 0 order by level
"""
"""Levels at which champions are worse than seasonal naive beyond chance, on all evaluation origins together.

The mean skill lies by `SURE_ERRORS` standard errors below 0: that of weeks within origins, or between origins where it
is larger. Where seasonal naive itself is champion the skill is 0, and nothing is found; nor where an origin has fewer
than two weeks, which do not tell how much is chance. `table` holds rows of `BacktestAccuracy`.
"""

WARNING = "warning"
ERROR = "error"
SEVERITIES = (WARNING, ERROR)

KIND = "kind"
SUBJECT = "subject"
SEVERITY = "severity"
MESSAGE = "message"
NEXT_STEP = "next_step"
OPENED_AT = "opened_at"
ENDED_AT = "ended_at"
LAST_SEEN_AT = "last_seen_at"
RESOLVED_AT = "resolved_at"
NOTIFIED_AT = "notified_at"
INCIDENT = (KIND, SUBJECT, OPENED_AT)
"""What tells one incident from another."""

FINDING = (KIND, SUBJECT, SEVERITY, MESSAGE, NEXT_STEP, OPENED_AT, ENDED_AT)
"""Columns of what a look at the shop finds wrong; `ended_at` is null for what still is."""


class Alerts(pa.DataFrameModel):
    """One row an incident: something that was wrong with a subject, from when until when, and who was told."""

    kind: str = pa.Field(isin=INCIDENT_KINDS)
    subject: str = pa.Field(str_length={"min_value": 1}, description="Job, product, feed, entity, level or check.")
    severity: str = pa.Field(isin=SEVERITIES)
    message: str = pa.Field(description="What is wrong, in a sentence.")
    next_step: str = pa.Field(description="One thing to do about it.")
    opened_at: pa.DateTime = pa.Field(description="UTC.")
    last_seen_at: pa.DateTime = pa.Field(description="UTC; to a quarter of an hour.")
    resolved_at: pa.DateTime = pa.Field(nullable=True, description="UTC; null while it is open.")
    notified_at: pa.DateTime = pa.Field(nullable=True, description="UTC; when the last receiver was told; null before.")

    class Config:
        """One row an incident; the same subject may have another one later."""

        strict = True
        unique = list(INCIDENT)  # noqa: RUF012 - pandera's spelling


TABLES = {"ops.drift": Drift, "ops.product_drift": ProductDrift, "ops.alerts": Alerts}
