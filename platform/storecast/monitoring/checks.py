"""Checks of this room's tables."""

import dagster as dg

from storecast.monitoring.contracts import DRIFT_SHARE, PORTFOLIO, TABLES
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


CHECKS = [*contract_checks(TABLES), portfolio_drift]
