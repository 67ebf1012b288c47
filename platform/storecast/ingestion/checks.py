"""Checks of this room's tables."""

import dagster as dg

from storecast.ingestion.account_contracts import (
    LandedFiles,
    NonProductCodes,
    PublicHolidays,
    Quarantine,
    Reconciliation,
    WithdrawnRows,
)
from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.contradictions import DECISIVE, DESCRIPTIVE, contradictions, unasked_copies
from storecast.ingestion.missing.contracts import DataGaps
from storecast.ingestion.reconciliation import imbalances
from storecast.ingestion.sources import resolve_source
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import SettingsResource, WarehouseResource

SHOWN = 10


@dg.asset_check(asset=dg.AssetKey(["ops", "withdrawn_rows"]))
def every_file_was_read(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """No file of the source is set aside; those that are do not keep the others from being loaded."""
    files = warehouse.read("SELECT path, note FROM ops.landed_files WHERE state = 'set aside' ORDER BY path")
    return dg.AssetCheckResult(
        passed=files.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(files["note"][:SHOWN]) or "every file was read",
        metadata={"files_set_aside": len(files)},
    )


@dg.asset_check(asset=dg.AssetKey(["ops", "reconciliation"]), blocking=True)
def every_row_is_accounted_for(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """For every entity and file: rows in = rows in silver + rows in quarantine + duplicates + withdrawn rows."""
    counts = warehouse.read("SELECT * FROM ops.reconciliation ORDER BY entity, file_sha256")
    wrong = imbalances(counts)
    return dg.AssetCheckResult(
        passed=not wrong,
        description="; ".join(wrong[:SHOWN]) or f"{len(counts)} entities and files add up",
        metadata={"out_of_balance": len(wrong), "rows_in": int(counts["rows_in"].sum())},
    )


@dg.asset_check(asset=dg.AssetKey(["ops", "quarantine"]), blocking=True)
def one_key_has_one_value_in_a_file(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """No file says two things of one order line, price or promotion: which one holds only a person can say."""
    return _told(contradictions(warehouse.open(), DECISIVE), dg.AssetCheckSeverity.ERROR)


@dg.asset_check(asset=dg.AssetKey(["ops", "quarantine"]))
def master_data_say_one_thing_in_a_file(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """No file describes a product, customer, seller or event in two ways; where one does, its last row wins."""
    return _told(contradictions(warehouse.open(), DESCRIPTIVE), dg.AssetCheckSeverity.WARN)


@dg.asset_check(asset=dg.AssetKey(["ops", "duplicates"]))
def repeated_rows_are_as_the_mapping_says(
    warehouse: WarehouseResource, settings: SettingsResource
) -> dg.AssetCheckResult:
    """Rows of one file are taken as copies of others because the mapping says so, not by their place alone."""
    return _told(unasked_copies(warehouse.open(), resolve_source(settings.get())), dg.AssetCheckSeverity.WARN)


def _told(texts: list[str], severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    more = [f"and {len(texts) - SHOWN:,} more"] if len(texts) > SHOWN else []
    return dg.AssetCheckResult(
        passed=not texts,
        severity=severity,
        description="; ".join([*texts[:SHOWN], *more]) or "none is found",
        metadata={"found": len(texts)},
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
            "bronze.non_product_codes": NonProductCodes,
            "bronze.public_holidays": PublicHolidays,
            "ops.data_gaps": DataGaps,
            "ops.landed_files": LandedFiles,
            "ops.quarantine": Quarantine,
            "ops.reconciliation": Reconciliation,
            "ops.withdrawn_rows": WithdrawnRows,
        }
    ),
    *map(_nothing_lost, ENTITIES),
    every_file_was_read,
    every_row_is_accounted_for,
    one_key_has_one_value_in_a_file,
    master_data_say_one_thing_in_a_file,
    repeated_rows_are_as_the_mapping_says,
]
