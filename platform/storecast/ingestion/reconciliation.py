"""Reconciliation: every row of bronze is in silver, in quarantine or a duplicate, or it is told which are not."""

import pandas as pd

from storecast.ingestion.account_contracts import Reconciliation
from storecast.ingestion.contracts import ADDED_UP, ENTITIES
from storecast.warehouse import Warehouse

UNKNOWN_SOURCE = "not in bronze"


def reconcile(warehouse: Warehouse) -> pd.DataFrame:
    """Count the rows of each entity and file in four tables, each by itself, and tell whether they add up.

    Silver's rows are counted by the file they came from; rows that silver derived have none and are not counted.
    """
    counts = " UNION ALL ".join([*map(_counts, ENTITIES), _OF_THE_OTHERS])
    return warehouse.read(
        f"""
        SELECT coalesce(max(source), '{UNKNOWN_SOURCE}') AS source, entity, file_sha256,
            CAST(sum(bronze) AS BIGINT) AS rows_in, CAST(sum(silver) AS BIGINT) AS rows_silver,
            CAST(sum(quarantined) AS BIGINT) AS rows_quarantined, CAST(sum(duplicate) AS BIGINT) AS rows_duplicate,
            CAST(sum(withdrawn) AS BIGINT) AS rows_withdrawn,
            sum(bronze) = sum(silver) + sum(quarantined) + sum(duplicate) + sum(withdrawn) AS is_balanced
        FROM ({counts})
        GROUP BY entity, file_sha256
        ORDER BY entity, file_sha256
        """
    )[list(Reconciliation.to_schema().columns)]


def imbalances(reconciliation: pd.DataFrame) -> list[str]:
    """Say of each entity and file that does not add up what is missing or too much.

    >>> row = {"entity": "orders", "file_sha256": "ab" * 32, "rows_in": 10, "rows_silver": 7,
    ...        "rows_quarantined": 1, "rows_duplicate": 0, "rows_withdrawn": 0, "is_balanced": False}
    >>> imbalances(pd.DataFrame([row]))
    ['orders, file abababababab: 10 rows in, but 7 in silver + 1 in quarantine + 0 duplicates + 0 withdrawn = 8
    (2 missing)']
    """
    texts = []
    for row in reconciliation[~reconciliation["is_balanced"].astype(bool)].itertuples():
        counted = row.rows_silver + row.rows_quarantined + row.rows_duplicate + row.rows_withdrawn
        gap = row.rows_in - counted
        texts.append(
            f"{row.entity}, file {row.file_sha256[:12]}: {row.rows_in:,} rows in, but {row.rows_silver:,} in silver "
            f"+ {row.rows_quarantined:,} in quarantine + {row.rows_duplicate:,} duplicates "
            f"+ {row.rows_withdrawn:,} withdrawn = {counted:,} "
            f"({abs(gap):,} {'missing' if gap > 0 else 'too many'})"
        )
    return texts


_OF_THE_OTHERS = """
    SELECT NULL, entity, file_sha256, 0, 0, 1, 0, 0 FROM ops.quarantine
    UNION ALL SELECT NULL, entity, file_sha256, 0, 0, 0, 1, 0 FROM ops.duplicates
    UNION ALL SELECT NULL, entity, file_sha256, 0, 0, 0, 0, 1 FROM ops.withdrawn_rows
"""


def _counts(entity: str) -> str:
    """Return the counts of an entity in bronze and in silver, a row a file; a row of silver may stand for several."""
    rows = "sum(source_rows)" if entity in ADDED_UP else "count(*)"
    return f"""
        SELECT source, '{entity}' AS entity, file_sha256,
            count(*) AS bronze, 0 AS silver, 0 AS quarantined, 0 AS duplicate, 0 AS withdrawn
        FROM bronze.{entity} GROUP BY ALL
        UNION ALL
        SELECT NULL, '{entity}', file_sha256, 0, {rows}, 0, 0, 0
        FROM silver.{ENTITIES[entity].silver_table} WHERE file_sha256 IS NOT NULL GROUP BY ALL
    """
