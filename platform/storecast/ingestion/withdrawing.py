"""Withdrawing: bronze rows that a later delivery of their feed stands in place of, and no longer holds.

Which delivery stands in whose place: the newest version of a path in that of its older ones; of a feed of snapshots the
newest file in that of all others; of a feed of periods each file in that of the older ones, on the days it has rows of.
Rows that the later delivery holds too stay, and lose against it as duplicates.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import pandas as pd

from storecast.ingestion.account_contracts import LandedFiles, WithdrawnRows
from storecast.ingestion.contracts import DAYS, ENTITIES, silver_types
from storecast.ingestion.judging import typed
from storecast.ingestion.landing import LandedFile
from storecast.ingestion.sources.base import Source
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import delete_rows, insert_rows, quote

WRITTEN_OVER = "its file was written over, and the newest version does not hold it"
NEWER_SNAPSHOT = "a newer snapshot does not hold it"
NEWER_PERIOD = "a newer file of its day does not hold it"
ROW = ["entity", "file_sha256", "row_number"]


@dataclass(frozen=True)
class Replacement:
    """A file in whose place a newer one stands: on all days, or on those that the newer one has rows of.

    Of several newer files the one of the highest `rank` counts.
    """

    file_sha256: str
    newer_sha256: str
    reason: str
    is_by_day: bool = False
    rank: int = 0


def replacements(
    source: Source, landed: Sequence[LandedFile], loaded: Collection[tuple[str, str]]
) -> list[Replacement]:
    """Return which contents are replaced by which; only what was loaded, as (feed, file_sha256), replaces anything."""
    found = []
    for feed in source.feeds:
        files = [file for file in landed if file.feed == feed.name and (feed.name, file.file_sha256) in loaded]
        standing = []
        for file in files:
            newer = [sha256 for sha256 in file.newer if (feed.name, sha256) in loaded]
            if newer:
                found.append(Replacement(file.file_sha256, newer[-1], WRITTEN_OVER))
            else:
                standing.append(file.file_sha256)
        if feed.delivery == "snapshots":
            found += [Replacement(sha256, standing[-1], NEWER_SNAPSHOT) for sha256 in standing[:-1]]
        elif feed.delivery == "periods":
            found += [
                Replacement(older, standing[rank], NEWER_PERIOD, is_by_day=True, rank=rank)
                for position, older in enumerate(standing)
                for rank in range(position + 1, len(standing))
            ]
    return found


def withdraw(warehouse: Warehouse, source: Source, landed: Sequence[LandedFile], now: datetime) -> pd.DataFrame:
    """Fill `ops.withdrawn_rows`, and return its rows.

    `now` (UTC) is noted as `withdrawn_at` where a row was not withdrawn before. Files of which rows are withdrawn or
    come back are validated again.
    """
    loads = warehouse.read("SELECT entity, feed, file_sha256 FROM ops.loads WHERE reason IS NULL")
    replaced = replacements(source, landed, set(zip(loads["feed"], loads["file_sha256"], strict=True)))
    types = sql_types(WithdrawnRows)
    found = [_withdrawn_of(warehouse, source, entity, replaced) for entity in loads["entity"].unique()]
    known = warehouse.read("SELECT * FROM ops.withdrawn_rows")
    rows = pd.concat([*found, known.head(0)]).drop(columns="withdrawn_at")
    rows = rows.merge(known[[*ROW, "withdrawn_at"]], on=ROW, how="left", indicator=True)
    gone = known.merge(rows[ROW], on=ROW, how="left", indicator="is_kept").query("is_kept == 'left_only'")
    changed = pd.concat([rows.loc[rows["_merge"] == "left_only", ROW], gone[ROW]])
    rows = rows.assign(withdrawn_at=rows["withdrawn_at"].fillna(now))[list(types)]
    if len(changed):
        with warehouse.writing() as connection:
            connection.execute("DELETE FROM ops.withdrawn_rows")
            insert_rows(connection, "ops.withdrawn_rows", rows)
            for entity, files in changed.groupby("entity")["file_sha256"]:
                names = files.unique().tolist()
                delete_rows(connection, "ops.quarantine", {"entity": [entity], "file_sha256": names})
                connection.execute(
                    "UPDATE ops.loads SET contract_hash = NULL WHERE entity = ? AND file_sha256 IN (SELECT unnest(?))",
                    [entity, names],
                )
    return rows


def landed_table(warehouse: Warehouse, source: Source, landed: Sequence[LandedFile]) -> pd.DataFrame:
    """Return what landed as `ops.landed_files` holds it: each file with what became of it so far."""
    loads = warehouse.read("SELECT feed, file_sha256, lines, rows, note, reason FROM ops.loads ORDER BY ALL")
    loads = loads.drop_duplicates(["feed", "file_sha256"])
    files = pd.DataFrame([asdict(file) for file in landed]).merge(loads, on=["feed", "file_sha256"], how="left")
    loaded = loads[loads["reason"].isna()]
    found = replacements(source, landed, set(zip(loaded["feed"], loaded["file_sha256"], strict=True)))
    newer = {own.file_sha256: own.newer_sha256 for own in found if not own.is_by_day}
    paths = dict(zip(files["file_sha256"], files["path"], strict=True))
    joined = {feed.name for feed in source.feeds if feed.entity is None}
    files["note"] = files["reason"].where(files["reason"].notna(), files["note"])
    is_kept = files["state"] == "kept"
    is_unread = files["rows"].isna() | files["reason"].notna()
    files["state"] = "loaded"
    files.loc[is_unread, "state"] = "landed"
    files.loc[files["reason"].notna(), "state"] = "set aside"
    files.loc[~is_kept | (is_unread & ~files["is_present"] & ~files["feed"].isin(joined)), "state"] = "let go"
    is_replaced = files["file_sha256"].isin(newer) & (files["state"] == "loaded")
    files.loc[is_replaced, "note"] = [
        f"replaced by {paths[newer[sha256]]}, {newer[sha256][:8]}" for sha256 in files.loc[is_replaced, "file_sha256"]
    ]
    files.loc[is_replaced, "state"] = "replaced"
    types = {"rows": "Int64", "lines": "Int64", "note": "string"}
    return files[list(LandedFiles.to_schema().columns)].astype(types)


def withdrawals(rows: pd.DataFrame, landed: Sequence[LandedFile]) -> list[str]:
    """Say of each file how many of its rows were withdrawn, and why."""
    paths = {file.file_sha256: file.path for file in landed}
    counts = rows.groupby(["file_sha256", "entity", "reason"]).size()
    return [
        f"{paths[str(sha256)]}: {count:,} rows of {entity} withdrawn: {reason}"
        for (sha256, entity, reason), count in counts.items()
    ]


def _withdrawn_of(warehouse: Warehouse, source: Source, entity: str, replaced: Sequence[Replacement]) -> pd.DataFrame:
    """Return an entity's rows whose replacement does not hold them; rows are compared by all their columns."""
    if not replaced:
        return pd.DataFrame(columns=["source", *ROW, "withdrawn_by_sha256", "reason"])
    cells = ", ".join(map(quote, ENTITIES[entity].columns))
    with warehouse.reading() as connection:
        connection.register("replaced", pd.DataFrame([asdict(own) for own in replaced]))
        return connection.execute(
            f"""
            WITH involved AS (SELECT file_sha256 FROM replaced UNION SELECT newer_sha256 FROM replaced),
            cells AS (
                SELECT source, file_sha256, row_number, md5(CAST(to_json([{cells}]) AS VARCHAR)) AS content,
                    {_day_of(entity, source.timezone)} AS day
                FROM bronze.{entity} SEMI JOIN involved USING (file_sha256)
            ),
            held AS (
                SELECT *, row_number() OVER (PARTITION BY file_sha256, content ORDER BY row_number) AS occurrence
                FROM cells
            ),
            days AS (SELECT DISTINCT file_sha256 AS newer_sha256, day FROM cells),
            older AS (
                SELECT held.*, replaced.newer_sha256, replaced.reason
                FROM held JOIN replaced USING (file_sha256)
                LEFT JOIN days ON days.newer_sha256 = replaced.newer_sha256 AND days.day = held.day
                WHERE NOT is_by_day OR days.day IS NOT NULL
                QUALIFY row_number() OVER (PARTITION BY held.file_sha256, held.row_number ORDER BY rank DESC) = 1
            )
            SELECT older.source, '{entity}' AS entity, older.file_sha256, older.row_number,
                older.newer_sha256 AS withdrawn_by_sha256, older.reason
            FROM older ANTI JOIN held AS newer
                ON newer.file_sha256 = older.newer_sha256
                AND newer.content = older.content AND newer.occurrence = older.occurrence
            ORDER BY ALL
            """
        ).df()


def _day_of(entity: str, timezone: str) -> str:
    """Return the SQL of the day a row is about, in the shop's zone; null for an entity without one."""
    if entity not in DAYS:
        return "CAST(NULL AS DATE)"
    column, kind = DAYS[entity], silver_types(entity)[DAYS[entity]]
    if kind == "DATE":
        return typed(column, kind, timezone)
    zone = timezone.replace("'", "''")
    return f"CAST(timezone('{zone}', timezone('UTC', {typed(column, kind, timezone)})) AS DATE)"
