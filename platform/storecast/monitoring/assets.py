"""The drift of the portfolio and the incidents of the shop as assets."""

from datetime import UTC, date, datetime
from functools import partial
from typing import Any

import dagster as dg
import pandas as pd

from storecast.figures import as_markdown
from storecast.monitoring import contracts as c
from storecast.monitoring.contracts import KIND, RESOLVED_AT, Alerts, Drift
from storecast.monitoring.plots import drift_plot, product_drift_plot
from storecast.monitoring.product_drift import memory_gb
from storecast.monitoring.product_drift import product_drift as product_drift_rows
from storecast.monitoring.watch import keep_alerts
from storecast.monitoring.windows import (
    DAYS_SQL,
    RECENT_DAYS,
    DriftWindows,
    Samples,
    ShortHistoryError,
    columns_without_values,
    drift_windows,
    samples,
)
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseResource, table

ROOM = "monitoring"
DAILY_DEMAND = dg.AssetKey(["gold", "daily_demand"])
DEMAND_FORECASTS = dg.AssetKey(["gold", "demand_forecasts"])
PRODUCTS = dg.AssetKey(["silver", "products"])
JUDGED = ("gold.daily_demand", "gold.forecast_accuracy", "gold.level_forecasts", "ops.data_gaps", "ops.reconciliation")
"""What incidents are read from, or hangs on it: they are judged once these are made."""
EVIDENTLY = {"kinds": {"duckdb", "python", "evidently"}}


@dg.asset(**(table("ops.drift", Drift, room=ROOM, replace_on=["report_date"]) | EVIDENTLY), deps=[DAILY_DEMAND])
def drift(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
    """Drift of the models' inputs and of demand, by Evidently: one row a report, scope and column.

    The last 28 days loaded against up to 365 before them: inputs, demand, which products sell, and what is missing. A
    history too short for both gives no row, and says so.
    """
    days = warehouse.read(DAYS_SQL).iloc[0]
    if pd.isna(days["last_date"]):
        return not_compared("gold.daily_demand is empty")
    try:
        windows = drift_windows(days["first_date"].date(), days["last_date"].date())
    except ShortHistoryError as error:
        return not_compared(str(error))
    return compared(warehouse, settings.get(), windows, days["first_date"].date())


@dg.asset(
    **table("ops.alerts", Alerts, room=ROOM),
    deps=[name.split(".") for name in JUDGED],
)
def alerts(warehouse: WarehouseResource, settings: SettingsResource) -> dg.MaterializeResult[Any]:
    """What went wrong, since when, until when, and who was told: one row an incident.

    Here the tables are judged; the sensor `watch` adds failed runs and checks, and tells people.
    """
    rows = keep_alerts(settings.get(), warehouse.open(), datetime.now(UTC).replace(tzinfo=None))
    still_open = rows[rows[RESOLVED_AT].isna()]
    by_kind = {str(kind): int(count) for kind, count in still_open[KIND].value_counts().items()}
    return dg.MaterializeResult(metadata={"open": dg.MetadataValue.json(by_kind), "dagster/row_count": len(rows)})


def not_compared(reason: str) -> dg.Output[pd.DataFrame]:
    """Return no row and the reason, for a shop that has not sold for long enough."""
    frame = pd.DataFrame(columns=list(Drift.to_schema().columns))
    return dg.Output(frame, metadata={"not_compared": reason})


def compared(
    warehouse: WarehouseResource, shop: Settings, windows: DriftWindows, first_date: date
) -> dg.Output[pd.DataFrame]:
    """Return the rows of one report, with its page in the metadata."""
    # Evidently takes seconds to import: only the step that draws the report pays for it, not every reader of the graph.
    from storecast.monitoring import evidently_report as evidently  # noqa: PLC0415

    drawn = samples(warehouse.read, windows, first_date, seed=shop.seed)
    note = sample_note(drawn)
    run = evidently.compare(drawn.reference, drawn.current)
    path = evidently.save_report(evidently.report_html(run, windows, note), shop.reports_dir, windows)
    rows = evidently.drift_rows(run.dict(), windows)
    metadata: dict[str, Any] = {
        "report": dg.MetadataValue.url(f"http://127.0.0.1:{shop.reports_port}/{path.name}"),
        "path": dg.MetadataValue.path(str(path)),
        "drifted_columns_share": float(rows["is_drifted"].mean()),
        "training_window": str(windows.reference),
        "recent_window": str(windows.current),
        "sample": note,
        "products": dict(drawn.products),
        "columns_without_values": columns_without_values(drawn.reference, drawn.current),
        "scores": dg.MetadataValue.md(as_markdown(drift_plot(rows), "drift score of each column by its threshold")),
    }
    return dg.Output(rows, metadata=metadata)


def sample_note(drawn: Samples) -> str:
    """Return what the report is about, in words: rows, products that came and went, and what was not compared."""
    rows = [len(sample[c.UNITS]) for sample in (drawn.reference, drawn.current)]
    without = columns_without_values(drawn.reference, drawn.current)
    return (
        f"Sample: {rows[0]:,} rows of the training window, {rows[1]:,} of the recent one. "
        f"Products since the {RECENT_DAYS} days before it: "
        f"{', '.join(f'{count:,} {fate}' for fate, count in drawn.products.items())}. "
        "A column drifted where its p-value is at most the threshold: 5 % of reports at most name any without cause."
        + (f" Not compared, for want of values: {', '.join(without)}." if without else "")
    )


@dg.asset(
    **table("ops.product_drift", c.ProductDrift, room=ROOM, replace_on=["report_date"]),
    deps=[DAILY_DEMAND, DEMAND_FORECASTS, PRODUCTS],
)
def product_drift(warehouse: WarehouseResource) -> dg.Output[pd.DataFrame]:
    """Drift of each product: one row a report date, scope, product, channel, kind and feature.

    Like season is compared with like season, and with what the category does; all series of a day share one budget of
    false discoveries.
    """
    last_day = warehouse.read(DAYS_SQL).iloc[0]["last_date"]
    if pd.isna(last_day):
        frame = pd.DataFrame(columns=list(c.ProductDrift.to_schema().columns))
        return dg.Output(frame, metadata={"not_compared": "gold.daily_demand is empty"})
    memory = memory_gb(warehouse.open().count_rows(["gold.daily_demand"])["gold.daily_demand"])
    rows = product_drift_rows(partial(warehouse.read, memory_gb=memory), last_day.date())
    return dg.Output(rows, metadata=product_drift_metadata(rows))


def product_drift_metadata(rows: pd.DataFrame) -> dict[str, Any]:
    """Return counts by kind, and a picture of them."""
    drifted = rows[rows["is_drifted"]]
    counts = drifted.groupby(["scope", "kind"]).size()
    return {
        "series": len(rows.loc[rows["scope"] == c.SERIES, ["product_id", "channel"]].drop_duplicates()),
        "drifted": {f"{scope} {kind}": int(count) for (scope, kind), count in counts.items()},
        "drifts": dg.MetadataValue.md(as_markdown(product_drift_plot(rows), "rows by kind and significance")),
    }
