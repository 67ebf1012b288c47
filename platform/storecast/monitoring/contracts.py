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


TABLES = {"ops.drift": Drift}
