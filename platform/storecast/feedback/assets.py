"""What was published, kept; what became of it, scored; who is wrong all the time, told."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pandera.pandas as pa

from storecast.feedback import contracts as f
from storecast.feedback.paired_losses import PAIRED_LOSSES
from storecast.feedback.plots import accuracy_plot, signal_plot
from storecast.feedback.publications import close_sql, forecasts_to_keep_sql, level_forecasts_to_keep_sql
from storecast.feedback.scores import all_scores_sql, by_day
from storecast.feedback.tracking_signals import TRACKING_SIGNALS, worst_signals
from storecast.figures import as_markdown
from storecast.forecasting import contracts as c
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import create_table
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

ROOM = "feedback"
FORECASTS, LEVEL_FORECASTS = "ops.published_forecasts", "ops.published_level_forecasts"
ACCURACY = "gold.forecast_accuracy"
SOURCES = (
    "gold.daily_demand",
    "gold.demand_forecasts",
    "gold.level_forecasts",
    "gold.lost_demand",
    "gold.planned_drivers",
    "ops.champions",
    "ops.registered_models",
    "silver.products",
)
WORST_SIGNALS = 20


@dg.multi_asset(
    name="publications",
    outs={
        "published_forecasts": dg.AssetOut(
            **table(FORECASTS, f.PublishedForecasts, room=ROOM, replace_on=[f.PUBLISHED_AT]),
            description="What was published and what was known then, never changed: one row an origin, edition, "
            "product, channel and day ahead.",
        ),
        "published_level_forecasts": dg.AssetOut(
            **table(LEVEL_FORECASTS, f.PublishedLevelForecasts, room=ROOM, replace_on=[f.PUBLISHED_AT]),
            description="The same of the shop's levels: one row an origin, edition, level, node and day ahead.",
        ),
    },
    deps=[name.split(".") for name in SOURCES],
)
def publications(warehouse: WarehouseResource, settings: SettingsResource) -> Iterator[dg.Output[pd.DataFrame]]:
    """Keep the newest forecasts, unless they are kept already, and drop the quantiles of those that are closed."""
    published_at = now()
    make_table(warehouse, ACCURACY, f.ForecastAccuracy)
    for name, contract, sql in (
        (FORECASTS, f.PublishedForecasts, forecasts_to_keep_sql()),
        (LEVEL_FORECASTS, f.PublishedLevelForecasts, level_forecasts_to_keep_sql()),
    ):
        make_table(warehouse, name, contract)
        close(warehouse, name, settings.get().correction_days)
        rows = warehouse.read(sql, {f.PUBLISHED_AT: published_at})
        yield dg.Output(rows, name.split(".")[1], metadata={"new_rows": len(rows)})


@dg.asset(
    **table(ACCURACY, f.ForecastAccuracy, room=ROOM),
    deps=[name.split(".") for name in ("ops.backtest_accuracy", FORECASTS, LEVEL_FORECASTS, "gold.daily_demand")],
)
def forecast_accuracy(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
    """How good back-tests and published forecasts are: one row an origin, level, class, model, horizon and edition.

    Days that ended sold out are left out. Live scores are kept as they were; a corrected one is an edition more.
    """
    make_table(warehouse, ACCURACY, f.ForecastAccuracy)
    scored_at = now()
    found = {f.SCORED_AT: scored_at, "correction_days": settings.get().correction_days}
    scores = warehouse.read(all_scores_sql(), found)
    live = scores.loc[scores[c.SPLIT] == f.LIVE, f.SCORED_AT]
    metadata: dict[str, Any] = {"live_scores": len(live), "new_live_scores": int((live == scored_at).sum())}
    if len(live):
        picture = as_markdown(accuracy_plot(by_day(scores)), "WAPE and bias of published forecasts by day ahead")
        metadata["published_forecasts_by_day_ahead"] = dg.MetadataValue.md(picture)
    return dg.Output(scores, metadata=metadata)


@dg.asset(
    **table("ops.tracking_signals", f.TrackingSignals, room=ROOM),
    deps=[name.split(".") for name in (FORECASTS, "gold.daily_demand")],
)
def tracking_signals(warehouse: WarehouseResource) -> dg.Output[pd.DataFrame]:
    """Whether published forecasts have lately been wrong on one side all the time: one row a level and node."""
    signals = warehouse.read(TRACKING_SIGNALS)
    metadata: dict[str, Any] = {"biased_nodes": int(signals[f.IS_BIASED].sum())}
    worst = worst_signals(signals).head(WORST_SIGNALS)
    if len(worst):
        metadata["worst"] = dg.MetadataValue.md(as_markdown(signal_plot(worst), "the worst tracking signals"))
    return dg.Output(signals, metadata=metadata)


@dg.asset(
    **table("ops.paired_losses", f.PairedLosses, room=ROOM),
    deps=[
        name.split(".")
        for name in (
            FORECASTS,
            "gold.daily_demand",
            "ops.champions",
            "ops.product_drift",
            "ops.registered_models",
            "ops.shadow_forecasts",
        )
    ],
)
def paired_losses(warehouse: WarehouseResource) -> dg.Output[pd.DataFrame]:
    """What the champion and the others lost on the same forecasts: one row a pair, day, product and demand class."""
    pairs = warehouse.read(PAIRED_LOSSES)
    return dg.Output(pairs, metadata={"days": int(pairs[c.DATE].nunique())})


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def make_table(warehouse: WarehouseResource, name: str, contract: type[pa.DataFrameModel]) -> None:
    """Make an empty table where there is none, so that what is found can be compared with what is kept.

    A table of accuracy from before published forecasts were scored holds back-tests alone, made anew anyway: it goes.
    """
    described = "select column_name from duckdb_columns() where schema_name || '.' || table_name = ?"
    with warehouse.open().writing() as connection:
        columns = {column for (column,) in connection.execute(described, [name]).fetchall()}
        is_former = name == ACCURACY and f.EDITION not in columns
        create_table(connection, name, pd.DataFrame(), sql_types(contract), replace=is_former)


def close(warehouse: WarehouseResource, name: str, correction_days: int) -> None:
    """Drop the quantiles of the forecasts that are closed."""
    with warehouse.open().writing() as connection:
        connection.execute(close_sql(name), {"correction_days": correction_days})
