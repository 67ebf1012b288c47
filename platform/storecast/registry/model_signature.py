"""What goes into the registered model and what comes out, in MLflow's words."""

import pandas as pd
import pandera.pandas as pa
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

from storecast.forecasting import contracts as c

KINDS = {"float64": "double", "int64": "long", "bool": "boolean", "str": "string"}
DAYS = "datetime"


def signature(*, horizon_days: int, seed: int) -> ModelSignature:
    """Return the signature: gold.daily_demand with gold.planned_drivers below it goes in, forecasts come out.

    `units` is null on the days to come. The category, silver.products', is optional, and so are `is_in_stock` and
    `is_recorded`, true on the days to come: without them no day counts as sold out or as unknown. The two parameters'
    defaults are those of the training.
    """
    flags = [ColSpec("boolean", name, required=False) for name in (c.IS_IN_STOCK, c.IS_RECORDED)]
    optional = [*flags, ColSpec("string", c.CATEGORY, required=False)]
    return ModelSignature(
        inputs=Schema([*columns_of(c.DailyDemand), *optional]),
        outputs=Schema([column for column in columns_of(c.DemandForecasts) if column.name != c.PARTITION_KEY]),
        params=ParamSchema([ParamSpec(c.HORIZON_DAYS, "long", horizon_days), ParamSpec("seed", "long", seed)]),
    )


def columns_of(contract: type[pa.DataFrameModel]) -> list[ColSpec]:
    """Return a contract's columns in MLflow's types."""
    columns = contract.to_schema().columns
    return [ColSpec(KINDS.get(str(column.dtype), DAYS), name) for name, column in columns.items()]


def input_example() -> pd.DataFrame:
    """Return three weeks of history and one day to come of an invented product."""
    days = pd.date_range("2026-01-01", periods=22)
    units = [float(day.dayofweek) for day in days[:-1]]
    example = {
        c.PRODUCT_ID: "P-0001",
        c.CHANNEL: "webshop",
        c.DATE: days,
        c.UNIT_PRICE: 12.95,
        c.IS_ON_PROMOTION: False,
        c.DISCOUNT_SHARE: 0.0,
        c.IS_PRICE_PLANNED: True,
        c.HAS_EVENT: days == days[0],
        c.EVENT_NAME: ["New Year's Day", *[None] * (len(days) - 1)],
        c.UNITS: [*units, None],
        c.IS_IN_STOCK: True,
        c.IS_RECORDED: True,
        c.CATEGORY: "unknown",
    }
    return pd.DataFrame(example)
