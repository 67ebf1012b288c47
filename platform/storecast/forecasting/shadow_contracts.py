"""The tables of what versions say that do not forecast: beside `contracts`, which is full, and by the same rules."""

from typing import Final

import pandera.pandas as pa

SECONDS: Final = "seconds"


class _Contract(pa.DataFrameModel):
    """Strict and without coercion: what does not fit is an error."""

    class Config:
        strict = True
        coerce = False


class ShadowForecasts(_Contract):
    """One row a version, origin, product, channel and day ahead, of series that another version published."""

    model_version: str = pa.Field(description="Version of the registered model that says it.")
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecast was made.")
    product_id: str
    channel: str
    date: pa.DateTime
    horizon_day: int = pa.Field(ge=1, description="Days after the origin, from 1.")
    mean_units: float = pa.Field(ge=0, description="Expected units.")
    p05_units: float = pa.Field(ge=0, description="5 % quantile of units.")
    p95_units: float = pa.Field(ge=0, description="95 % quantile of units.")


class ModelCosts(_Contract):
    """One row a version and origin."""

    model_version: str = pa.Field(description="Version of the registered model.")
    origin_date: pa.DateTime = pa.Field(description="The last day known when the forecasts were made.")
    size_bytes: int = pa.Field(ge=0, description="What its training's tables in the warehouse take as text.")
    seconds: float = pa.Field(ge=0, description="What it took to forecast all series, whoever published them.")


SHADOW_TABLES: Final = {"ops.model_costs": ModelCosts, "ops.shadow_forecasts": ShadowForecasts}
