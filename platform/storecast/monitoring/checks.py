"""Checks of this room's tables."""

import dagster as dg

from storecast.monitoring.contracts import DRIFT_SHARE, DRIFTED_SERIES_SHARE, PORTFOLIO, SERIES, TABLES
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import WarehouseResource

DRIFT = dg.AssetKey(["ops", "drift"])

NEWEST_SQL = """
    select column_name, score, threshold, is_drifted
    from ops.drift
    where scope = ? and report_date = (select max(report_date) from ops.drift)
    order by column_name
"""


@dg.asset_check(asset=DRIFT, blocking=False)
def portfolio_drift(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Less than half of the columns of the newest report drifted; a warning, it stops nothing."""
    rows = warehouse.read(NEWEST_SQL, [PORTFOLIO])
    drifted = rows.loc[rows["is_drifted"].astype(bool), "column_name"].tolist()
    share = len(drifted) / len(rows) if len(rows) else 0.0
    return dg.AssetCheckResult(
        passed=share < DRIFT_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(drifted)} of {len(rows)} columns drifted",
        metadata={"share": share, "drifted": drifted},
    )


PRODUCT_DRIFT = dg.AssetKey(["ops", "product_drift"])

DRIFTED_SERIES_SQL = """
    select count(*) as series, coalesce(sum(drifted), 0)::bigint as drifted
    from (
        select max(is_drifted::int) as drifted
        from ops.product_drift
        where scope = ? and report_date = (select max(report_date) from ops.product_drift)
        group by product_id, channel
    )
"""


@dg.asset_check(asset=PRODUCT_DRIFT, blocking=False)
def drifted_series(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Less than a tenth of the series of the newest report drifted; a warning, it stops nothing."""
    counts = warehouse.read(DRIFTED_SERIES_SQL, [SERIES]).iloc[0]
    drifted, series = int(counts["drifted"]), int(counts["series"])
    share = drifted / series if series else 0.0
    return dg.AssetCheckResult(
        passed=share < DRIFTED_SERIES_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{drifted} of {series} series drifted",
        metadata={"share": share, "drifted": drifted, "series": series},
    )


CHECKS = [*contract_checks(TABLES), portfolio_drift, drifted_series]
