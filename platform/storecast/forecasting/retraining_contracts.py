"""The tables of retraining single products: their columns are spelled here and nowhere else."""

from typing import Final

import pandera.pandas as pa

BIAS: Final = "bias"
"""The kind of a request that a tracking signal makes."""

REPORT_DATE: Final = "report_date"
CHANGE_DATE: Final = "change_date"
KINDS: Final = "kinds"
ERROR_UNITS: Final = "error_units"
LEVEL_FACTOR: Final = "level_factor"
STANDARD_ERROR: Final = "standard_error"
ERROR_RATIO: Final = "error_ratio"


class _OfSeries(pa.DataFrameModel):
    """One row a report date, product and channel."""

    report_date: pa.DateTime = pa.Field(description="Day of the drift report that asked for it.")
    partition_key: str = pa.Field(description="The Dagster partition that holds the product.")
    product_id: str
    channel: str
    change_date: pa.DateTime = pa.Field(description="First day of the change, as drift estimates it.")
    kinds: str = pa.Field(str_length={"min_value": 1}, description="Kinds of its drift, `bias` for a tracking signal.")

    class Config:
        """Strict and without coercion."""

        strict = True
        unique = ["report_date", "product_id", "channel"]  # noqa: RUF012 - pandera's spelling


class RetrainingRequests(_OfSeries):
    """What is asked to be trained anew: budget and cool-down are over whole partitions."""

    error_units: float = pa.Field(ge=0, description="Mean absolute error of the partition's published forecasts.")


class RetrainedSeries(_OfSeries):
    """What came of it: how the history before the change is read until the window of any model is past it."""

    origin_date: pa.DateTime = pa.Field(description="The last day known.")
    level_factor: float = pa.Field(gt=0, description="The history before the change is multiplied by it; 1: as it is.")
    standard_error: float = pa.Field(ge=0, nullable=True, description="Of the level since over the level before.")
    error_ratio: float = pa.Field(ge=0, nullable=True, description="Error with the level since over error without it.")
    reason: str = pa.Field(description="Why so, in words.")


RETRAINING_TABLES: Final = {"ops.retraining_requests": RetrainingRequests, "ops.retrained_series": RetrainedSeries}
