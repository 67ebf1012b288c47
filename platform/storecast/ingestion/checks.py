"""Checks of this room's tables."""

import dagster as dg

from storecast.ingestion.contracts import ENTITIES, LandedFiles, PublicHolidays, Quarantine, Reconciliation
from storecast.ingestion.missing.contracts import DataGaps
from storecast.ingestion.reconciliation import imbalances
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import WarehouseResource

SHOWN = 10


@dg.asset_check(asset=dg.AssetKey(["ops", "reconciliation"]), blocking=True)
def every_row_is_accounted_for(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """For every entity and file: rows in = rows in silver + rows in quarantine + duplicates."""
    counts = warehouse.read("SELECT * FROM ops.reconciliation ORDER BY entity, file_sha256")
    wrong = imbalances(counts)
    return dg.AssetCheckResult(
        passed=not wrong,
        description="; ".join(wrong[:SHOWN]) or f"{len(counts)} entities and files add up",
        metadata={"out_of_balance": len(wrong), "rows_in": int(counts["rows_in"].sum())},
    )


def _nothing_lost(entity: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=dg.AssetKey(["bronze", entity]), name="nothing_lost", blocking=True)
    def nothing_lost(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        """Every file has as many rows in bronze as were loaded of it, each with a row number of its own."""
        wrong = warehouse.read(
            f"""
            SELECT coalesce(loads.file_sha256, stored.file_sha256) AS file_sha256, loads.rows, stored.rows AS stored
            FROM (SELECT * FROM ops.loads WHERE entity = ?) AS loads
            FULL JOIN (
                SELECT feed, file_sha256, count(DISTINCT row_number) AS rows, count(*) AS total
                FROM bronze.{entity} GROUP BY ALL
            ) AS stored USING (feed, file_sha256)
            WHERE coalesce(loads.rows, -1) <> coalesce(stored.rows, 0) OR stored.rows <> stored.total
            """,
            [entity],
        )
        return dg.AssetCheckResult(passed=wrong.empty, metadata={"files": wrong["file_sha256"].tolist()})

    return nothing_lost


CHECKS = [
    *contract_checks(
        {
            "bronze.public_holidays": PublicHolidays,
            "ops.data_gaps": DataGaps,
            "ops.landed_files": LandedFiles,
            "ops.quarantine": Quarantine,
            "ops.reconciliation": Reconciliation,
        }
    ),
    *map(_nothing_lost, ENTITIES),
    every_row_is_accounted_for,
]
