"""What goes into the registered model and what comes out, in MLflow's words."""

import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

HISTORY_AND_PLANS = {
    "product_id": "string",
    "channel": "string",
    "date": "datetime",
    "units": "double",
    "unit_price": "double",
    "discount_share": "double",
    "is_on_promotion": "boolean",
    "is_price_planned": "boolean",
    "is_in_stock": "boolean",
    "has_event": "boolean",
    "event_name": "string",
}
"""Columns of gold.daily_demand and gold.planned_drivers, one below the other; `units` is null on the days to come."""

OPTIONAL = {"units", "unit_price", "is_in_stock", "event_name"}
FORECASTS = {
    "product_id": "string",
    "channel": "string",
    "date": "datetime",
    "horizon_day": "long",
    "mean_units": "double",
    "p05_units": "double",
    "p10_units": "double",
    "p25_units": "double",
    "p50_units": "double",
    "p75_units": "double",
    "p90_units": "double",
    "p95_units": "double",
    "model": "string",
}
DEFAULT_HORIZON_DAYS = 28


def signature() -> ModelSignature:
    """Return the signature: history and plans in, forecasts out, `horizon_days` as the one parameter."""
    return ModelSignature(
        inputs=Schema([ColSpec(kind, name, name not in OPTIONAL) for name, kind in HISTORY_AND_PLANS.items()]),
        outputs=Schema([ColSpec(kind, name) for name, kind in FORECASTS.items()]),
        params=ParamSchema([ParamSpec("horizon_days", "long", DEFAULT_HORIZON_DAYS)]),
    )


def input_example() -> pd.DataFrame:
    """Return three days of history and one to come of an invented product."""
    days = pd.date_range("2026-01-01", periods=4)
    return pd.DataFrame(
        {
            "product_id": "P-0001",
            "channel": "webshop",
            "date": days,
            "units": [2.0, 0.0, 3.0, None],
            "unit_price": 12.95,
            "discount_share": 0.0,
            "is_on_promotion": False,
            "is_price_planned": True,
            "is_in_stock": True,
            "has_event": [True, False, False, False],
            "event_name": ["New Year's Day", None, None, None],
        }
    )
