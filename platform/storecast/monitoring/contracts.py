"""The tables this room reads and publishes: every column name is spelled here and nowhere else."""

import pandera.pandas as pa

PORTFOLIO = "portfolio"
"""The scope of a row about all products together; any other scope is a product id."""

DRIFT_SHARE = 0.5
"""Share of drifted columns from which on the portfolio counts as drifted: Evidently's own value."""

UNITS = "units"
WEEKDAY = "weekday"
NUMERICAL = ("unit_price", "discount_share", UNITS)
CATEGORICAL = ("is_on_promotion", "is_in_stock", "has_event", WEEKDAY)
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


RUN_FAILURE = "run_failure"
CHECK_FAILURE = "check_failure"
STALE_FORECASTS = "stale_forecasts"
FEED_STOPPED = "feed_stopped"
QUARANTINE_RATE = "quarantine_rate"
BIAS = "bias"
WORSE_THAN_NAIVE = "worse_than_naive"
KINDS = (RUN_FAILURE, STALE_FORECASTS, FEED_STOPPED, QUARANTINE_RATE, BIAS, WORSE_THAN_NAIVE, CHECK_FAILURE)
"""What an incident can be, the most urgent first."""

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

    kind: str = pa.Field(isin=KINDS)
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


TABLES = {"ops.drift": Drift, "ops.alerts": Alerts}
