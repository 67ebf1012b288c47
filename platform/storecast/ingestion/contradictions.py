"""One key with two values in one file: which of them is right, no rule can tell.

Quantities that add up are no contradiction (`contracts.ADDED_UP`), nor is a row of an order that was updated later.
"""

from collections.abc import Mapping

import pandas as pd

from storecast.ingestion.contracts import ADDED_UP, ENTITIES, silver_types
from storecast.ingestion.sources.base import Source
from storecast.warehouse import Warehouse
from storecast.warehouse.database import quote

DECISIVE = {
    "order_lines": ("product_id", "quantity", "unit_price"),
    "prices": ("unit_price",),
    "promotions": ("start_date", "end_date", "discount_share"),
}
"""Columns that decide a figure, by entity: where a file contradicts itself there, a person must say what holds."""

DESCRIPTIVE = {
    name: tuple(column for column in ENTITIES[name].columns if column not in ENTITIES[name].keys)
    for name in ("products", "customers", "sellers", "calendar")
}
"""Columns that describe, by entity: there the last row of a file wins."""

_WAYS_OUT = {
    "order_lines": "map a line_number that tells the lines apart, or none, or take the wrong row out of the file",
    "promotions": "give each its own promotion_id, or take the wrong row out of the file",
}
_WAY_OUT = "take the wrong row out of the file"


def contradictions(warehouse: Warehouse, compared: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Say of each key that has two values in one file which rows they are, both values, and what to do.

    `compared` names the columns to compare by entity. Only rows that no contract rejected and no newer file withdrew.
    """
    return [text for entity, columns in compared.items() for text in _texts(entity, _found(warehouse, entity, columns))]


def unasked_copies(warehouse: Warehouse, source: Source) -> list[str]:
    """Say how many rows each file has that are taken as exact copies, of feeds that do not say whether they are.

    A line with a number is no question: its key says that it is a copy.
    """
    entities = ["order_lines", *ADDED_UP]
    copies = warehouse.read(
        "SELECT loads.feed, duplicates.entity, min(landed.path) AS path, count(*) AS rows, "
        "min(row_number) AS first_row, min_by(kept_row_number, row_number) AS kept_row "
        "FROM ops.duplicates INNER JOIN ops.loads USING (entity, file_sha256) "
        "LEFT JOIN (SELECT feed, file_sha256, min(path) AS path FROM ops.landed_files GROUP BY ALL) AS landed "
        "USING (feed, file_sha256) "
        "WHERE file_sha256 = kept_file_sha256 AND entity IN (SELECT unnest(?)) "
        "AND NOT (entity = 'order_lines' AND (file_sha256, row_number) IN "
        "(SELECT file_sha256, row_number FROM bronze.order_lines WHERE trim(line_number) <> '')) "
        "GROUP BY loads.feed, duplicates.entity, file_sha256 ORDER BY ALL",
        [entities],
    )
    feeds = {feed.name for feed in source.feeds if feed.repeated_rows is None}
    return [
        f"{row.entity}, {row.path}: {row.rows:,} rows are taken as copies or older states of other rows of the file "
        f'(row {row.first_row} of row {row.kept_row}, …); `repeated_rows = "copies"` in feed {row.feed} confirms it, '
        '`"lines"` makes each row count'
        for row in copies[copies["feed"].isin(feeds)].itertuples()
    ]


def _found(warehouse: Warehouse, entity: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return (path, key, column, first_row, first_value, second_row, second_value) of each contradiction."""
    keys = ENTITIES[entity].keys
    key = " || ', ' || ".join(f"'{name} ' || coalesce('''' || {quote(name)} || '''', 'none')" for name in keys)
    of_column = " UNION ALL ".join(_of_column(entity, column) for column in columns)
    numbered = "AND trim(line_number) <> ''" if entity == "order_lines" else ""
    in_time = "AND count(DISTINCT updated_at) <= 1" if entity == "order_lines" else ""
    left_out = " ".join(
        f"ANTI JOIN (SELECT * FROM ops.{table} WHERE entity = '{entity}') AS {table} USING (file_sha256, row_number)"
        for table in ("quarantine", "withdrawn_rows")
    )
    return warehouse.read(
        f"""
        WITH accepted AS (SELECT * FROM bronze.{entity} {left_out} WHERE raw IS NULL OR raw NOT LIKE '[%' {numbered}),
        repeated AS (
            SELECT *, {key} AS key
            FROM accepted
            SEMI JOIN (
                SELECT feed, file_sha256, {key} AS key FROM accepted GROUP BY ALL HAVING count(*) > 1 {in_time}
            ) AS twice ON accepted.feed = twice.feed AND accepted.file_sha256 = twice.file_sha256 AND {key} = twice.key
        )
        SELECT landed.path, found.* EXCLUDE (feed, file_sha256)
        FROM ({of_column}) AS found
        LEFT JOIN (SELECT feed, file_sha256, min(path) AS path FROM ops.landed_files GROUP BY ALL) AS landed
            USING (feed, file_sha256)
        ORDER BY landed.path, found.first_row, found.key, found.column_name
        """
    )


def _of_column(entity: str, column: str) -> str:
    """Return the query of keys that have two values in a column; a row that leaves it blank says nothing."""
    written = f"nullif(trim({quote(column)}), '')"
    value = f"try_cast({written} AS DOUBLE)" if silver_types(entity)[column] in {"DOUBLE", "BIGINT"} else written
    least, greatest = f"({value}, row_number)", f"({value}, -row_number)"
    return f"""
        SELECT feed, file_sha256, key, '{column}' AS column_name,
            arg_min(row_number, {least}) AS first_row, arg_min({written}, {least}) AS first_value,
            arg_max(row_number, {greatest}) AS second_row, arg_max({written}, {greatest}) AS second_value
        FROM repeated WHERE {written} IS NOT NULL
        GROUP BY ALL HAVING min({value}) <> max({value})
    """


def _texts(entity: str, found: pd.DataFrame) -> list[str]:
    return [
        f"{entity}, {row.path}: rows {row.first_row} and {row.second_row} are both {row.key}, but {row.column_name} is "
        f"{row.first_value!r} in the one and {row.second_value!r} in the other; {_WAYS_OUT.get(entity, _WAY_OUT)}"
        for row in found.itertuples()
    ]
