"""Judging: bronze rows against their entity's contract; those that break it go to `ops.quarantine` with every reason.

A row's text is cast to the silver types by DuckDB, strictly (what only half fits does not fit), then judged by pandera.
Nothing leaves bronze. A file is judged once under a contract.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import pandas as pd
import pandera.pandas as pa
import pyarrow

from storecast.ingestion.contracts import (
    ENTITIES,
    IS_QUANTITY,
    NOT_AFTER_LANDING,
    UNLESS_CANCELLED,
    Entity,
    contract_hash,
    rule_text,
    silver_types,
)
from storecast.ingestion.orders.rules import excuse_cancelled, orders_in_currency, with_order_currency
from storecast.ingestion.sources.base import Source
from storecast.ingestion.values.bounds import ALWAYS_BELIEVED, TIMES_THE_OTHERS, largest_believed
from storecast.ingestion.values.moments import LOCAL_MOMENT, OFFSET_MOMENT
from storecast.ingestion.values.spellings import sentences, spellings_sql
from storecast.warehouse import Warehouse
from storecast.warehouse.database import delete_rows, insert_rows, quote

BATCH_ROWS = 500_000
SHOWN_CHARACTERS = 120

KINDS = {"DOUBLE": "a number", "BIGINT": "a whole number", "DATE": "a day (YYYY-MM-DD)"}
MOMENT = "a moment (ISO 8601, e.g. 2025-03-01 14:22:05)"

_PATTERNS = {
    "DOUBLE": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    "BIGINT": r"[+-]?\d+(\.0+)?",
    "DATE": LOCAL_MOMENT,
}


@dataclass(frozen=True)
class Judgement:
    """What judging an entity's files found: rows, rows that break the contract, products spelled in several ways."""

    entity: str
    rows: int
    rows_quarantined: int
    spellings: list[str] = field(default_factory=list)


def judge(warehouse: Warehouse, source: Source, now: datetime) -> list[Judgement]:
    """Judge every file that was not judged under its entity's contract yet, and fill `ops.quarantine`.

    `now` (UTC) is noted as `quarantined_at`; no rule depends on it. Moments without an offset are in the source's
    zone; amounts must be in its currency.
    """
    loads = warehouse.read("SELECT entity, file_sha256, mapping_hash, contract_hash, rows FROM ops.loads")
    return [
        _judge_entity(warehouse, source, entity, loads[loads["entity"] == entity.name], now)
        for entity in ENTITIES.values()
    ]


def _judge_entity(
    warehouse: Warehouse, source: Source, entity: Entity, loads: pd.DataFrame, now: datetime
) -> Judgement:
    largest = {feed.name: feed.largest_quantity for feed in source.feeds_of(entity.name)}
    fingerprint = contract_hash(entity.name, currency=source.currency, timezone=source.timezone, largest=largest)
    pending = loads[loads["contract_hash"] != fingerprint]
    if pending.empty:
        return Judgement(entity.name, 0, 0)
    files = pending["file_sha256"].tolist()
    with warehouse.reading() as connection:
        rejected = pd.concat([_malformed_rows(connection, entity, files), _breaches(connection, source, entity, files)])
        spellings = _spellings(connection, source, entity, files)
    rejected = rejected.assign(entity=entity.name, quarantined_at=now)
    counts = rejected.groupby("file_sha256").size()
    judged = pending.assign(rows_quarantined=pending["file_sha256"].map(counts).fillna(0).astype(int))
    with warehouse.writing() as connection:
        delete_rows(connection, "ops.quarantine", {"entity": [entity.name], "file_sha256": files})
        insert_rows(connection, "ops.quarantine", rejected)
        connection.register("judged", judged)
        connection.execute(
            "UPDATE ops.loads SET contract_hash = ?, rows_quarantined = judged.rows_quarantined FROM judged "
            "WHERE loads.entity = ? AND loads.file_sha256 = judged.file_sha256 "
            "AND loads.mapping_hash = judged.mapping_hash",
            [fingerprint, entity.name],
        )
    return Judgement(entity.name, int(pending["rows"].sum()), len(rejected), spellings)


def _spellings(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, files: Sequence[str]
) -> list[str]:
    """Return what is to be said of products that these files spell in several ways."""
    if "product_id" not in entity.columns:
        return []
    found = connection.execute(spellings_sql(entity.name, source.feeds_of(entity.name)), [files]).fetchall()
    return sentences(entity.name, found)


def _malformed_rows(connection: duckdb.DuckDBPyConnection, entity: Entity, files: Sequence[str]) -> pd.DataFrame:
    """Return rows that could not be told into columns: their `raw` is a JSON list that begins with the reason."""
    return connection.execute(
        "SELECT source, file_sha256, row_number, 'row: ' || json_extract_string(raw, '$[0]') AS reasons, raw "
        f"FROM {_standing(entity)} WHERE file_sha256 IN (SELECT unnest(?)) AND raw LIKE '[%' ORDER BY ALL",
        [files],
    ).df()


def _breaches(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, files: Sequence[str]
) -> pd.DataFrame:
    """Return rows that break the contract, with their reasons in the order of the columns."""
    believed = _believed(connection, source, entity, files)
    found = [_broken_in(frame, source, entity, believed) for frame in _typed_frames(connection, source, entity, files)]
    broken = pd.concat(found) if found else pd.DataFrame(columns=["file_sha256", "row_number", "column", "rule"])
    cells = ", ".join(f"{quote(name)} := {quote(name)}" for name in entity.columns)
    connection.register("broken", broken[["file_sha256", "row_number"]].drop_duplicates())
    rows = connection.execute(
        f"SELECT source, file_sha256, row_number, raw, CAST(to_json(struct_pack({cells})) AS VARCHAR) AS cells "
        f"FROM bronze.{entity.name} SEMI JOIN broken USING (file_sha256, row_number) ORDER BY file_sha256, row_number"
    ).df()
    connection.unregister("broken")
    rules = {
        key: dict(zip(group["column"], group["rule"], strict=True))
        for key, group in broken.groupby(["file_sha256", "row_number"])
    }
    rows["reasons"] = [
        _reasons(entity, json.loads(row.cells), rules[row.file_sha256, row.row_number]) for row in rows.itertuples()
    ]
    rows["raw"] = rows["raw"].fillna(rows["cells"])
    return rows.drop(columns="cells")


def _standing(entity: Entity) -> str:
    """Return the relation of an entity's bronze rows that no later delivery withdrew."""
    return (
        f"(SELECT * FROM bronze.{entity.name} ANTI JOIN (SELECT * FROM ops.withdrawn_rows "
        f"WHERE entity = '{entity.name}') AS withdrawn USING (file_sha256, row_number))"
    )


def _typed_frames(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, files: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """Give the files' rows in the silver types, and in `unfit` the columns whose text did not fit."""
    types = silver_types(entity.name)
    casts = ", ".join(
        f"{typed(name, kind, source.timezone)} AS {quote('typed ' + name)}" for name, kind in types.items()
    )
    cells = ", ".join(f"{quote('typed ' + name)} AS {quote(name)}" for name in types)
    unfit = ", ".join(
        f"CASE WHEN {quote('typed ' + name)} IS NULL AND trim({quote(name)}) <> '' THEN '{name}' END" for name in types
    )
    reader = connection.execute(
        f"SELECT file_sha256, row_number, landed_at, order_currency, "
        f"nullif(concat_ws(',', {unfit}), '') AS unfit, {cells} "
        f"FROM (SELECT *, {casts} FROM {with_order_currency(_standing(entity), entity.name, source.currency)} "
        "WHERE file_sha256 IN (SELECT unnest(?)) AND (raw IS NULL OR raw NOT LIKE '[%'))",
        [files],
    ).to_arrow_reader(BATCH_ROWS)
    whole = {pyarrow.int64(): pd.Int64Dtype()}
    for batch in reader:
        yield batch.to_pandas(date_as_object=False, types_mapper=whole.get)


def _believed(
    connection: duckdb.DuckDBPyConnection, source: Source, entity: Entity, files: Sequence[str]
) -> Mapping[str, float]:
    """Return the largest quantity that is believed of each file, for an entity that has quantities."""
    name = quantity_of(entity)
    if name is None:
        return {}
    quantity = f"abs({typed(name, 'DOUBLE', source.timezone)})"
    found = connection.execute(
        f"SELECT file_sha256, feed, max(units) FILTER (units <= {ALWAYS_BELIEVED}) "
        f"FROM (SELECT file_sha256, feed, {quantity} AS units FROM bronze.{entity.name} "
        "WHERE file_sha256 IN (SELECT unnest(?))) GROUP BY ALL",
        [files],
    ).fetchall()
    said = {feed.name: feed.largest_quantity for feed in source.feeds}
    return {file_sha256: largest_believed(others, said.get(feed)) for file_sha256, feed, others in found}


def _broken_in(frame: pd.DataFrame, source: Source, entity: Entity, believed: Mapping[str, float]) -> pd.DataFrame:
    """Return (file_sha256, row_number, column, rule) of each breach; what did not fit its type is not missing too."""
    kinds = {name: KINDS.get(kind, MOMENT) for name, kind in silver_types(entity.name).items()}
    unfit = frame["unfit"].dropna().str.split(",").explode().rename("column").rename_axis("index").reset_index()
    unfit["rule"] = "is not " + unfit["column"].map(kinds)
    rules = rules_of(entity, source, frame, frame["file_sha256"].map(believed))
    broken = broken_rules(frame, rules)
    both = pd.concat([unfit, broken]).drop_duplicates(["index", "column"])
    places = frame.loc[both["index"].astype("int64"), ["file_sha256", "row_number"]].reset_index(drop=True)
    return places.assign(column=both["column"].to_numpy(), rule=both["rule"].to_numpy())


def _reasons(entity: Entity, cells: dict[str, str | None], rules: dict[str, str]) -> str:
    return "; ".join(reason(name, cells[name], rules[name]) for name in entity.columns if name in rules)


def typed(column: str, kind: str, timezone: str) -> str:
    """Return the SQL that casts a text column to a silver type, null where it does not wholly fit.

    Blank text is missing. Moments become UTC. DuckDB's own casts are laxer: they take '1.5' for the whole number 2,
    'nan' for a number, and ignore the offset of a moment.
    """
    name = quote(column)
    if kind == "VARCHAR":
        return f"CASE WHEN trim({name}) <> '' THEN {name} END"
    if kind == "TIMESTAMP":
        zone = timezone.replace("'", "''")
        return (
            f"CASE WHEN regexp_full_match({name}, '{OFFSET_MOMENT}') "
            f"THEN timezone('UTC', try_cast({name} AS TIMESTAMPTZ)) "
            f"WHEN regexp_full_match({name}, '{LOCAL_MOMENT}') "
            f"THEN timezone('UTC', timezone('{zone}', try_cast({name} AS TIMESTAMP))) END"
        )
    fits = f"regexp_full_match({name}, '{_PATTERNS[kind]}')"
    if kind == "DOUBLE":
        fits += f" AND isfinite(try_cast({name} AS DOUBLE))"
    return f"CASE WHEN {fits} THEN try_cast({name} AS {kind}) END"


def broken_rules(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Return one row (index, column, rule) for each rule that a row of the frame breaks; `missing` where required."""
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases
        unplaced = cases[cases["index"].isna()]
        if len(unplaced):
            message = f"contract {schema.name} does not fit its frame: {unplaced.to_dict('records')}"
            raise ValueError(message) from error
        found = cases[["index", "column", "check"]].rename(columns={"check": "rule"})
        return found.replace({"rule": {"not_nullable": "missing"}}).reset_index(drop=True)
    return pd.DataFrame(columns=["index", "column", "rule"])


def rules_of(entity: Entity, source: Source, frame: pd.DataFrame, believed: pd.Series) -> pa.DataFrameSchema:
    """Return the contract that a frame's rows keep.

    It is the entity's own, with the rules that need to know more than a column: nothing happened later than a day
    after its file landed (`landed_at`), no quantity is larger than its file makes believable (`believed`, by the
    frame's index), amounts are in the source's currency, for all lines of an order or for none, and a cancelled line
    needs neither quantity nor price.
    """
    schema = copy.deepcopy(entity.contract.to_schema())  # pandera hands everyone the same object
    schema.strict = False
    for name, column in schema.columns.items():
        if str(column.dtype).startswith("datetime64"):
            column.dtype = None  # the cast gives microseconds, so that year 9999 can be judged at all
        for check in column.checks:
            check.error = rule_text(check)
        if (column.metadata or {}).get(NOT_AFTER_LANDING):
            column.checks = [*column.checks, _not_after_landing(frame["landed_at"])]
        if (column.metadata or {}).get(IS_QUANTITY):
            column.checks = [*column.checks, _believable(believed)]
        if (column.metadata or {}).get(UNLESS_CANCELLED):
            excuse_cancelled(column, frame)
        if name == "currency":
            column.checks = [*column.checks, _in_currency(source)]
    if "currency" in schema.columns:
        schema.columns["order_id"].checks += orders_in_currency(frame, _currency_rule(source))
    ruled = [name for name, column in schema.columns.items() if column.checks or not column.nullable]
    return schema.select_columns(ruled)


def reason(column: str, text: str | None, rule: str) -> str:
    """Return why a row was rejected, naming column, value and rule.

    >>> reason("quantity", "abc", "is not a number")
    "quantity: 'abc' is not a number"
    >>> reason("product_id", None, "missing")
    'product_id: missing, but required'
    """
    if rule == "missing":
        return f"{column}: missing, but required"
    shown = repr(text if text is None or len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…")
    return f"{column}: {shown} {rule}"


def _not_after_landing(landed_at: pd.Series) -> pa.Check:
    latest = landed_at + pd.Timedelta(days=1)
    return pa.Check(
        lambda moments: moments <= latest.loc[moments.index],
        name=NOT_AFTER_LANDING,
        error="must be at most a day later than its file landed",
    )


def quantity_of(entity: Entity) -> str | None:
    """Return the entity's column of sold units, None where it has none.

    >>> quantity_of(ENTITIES["daily_sales"])
    'units'
    """
    columns = entity.contract.to_schema().columns.items()
    return next((name for name, column in columns if (column.metadata or {}).get(IS_QUANTITY)), None)


def _believable(believed: pd.Series) -> pa.Check:
    return pa.Check(
        lambda units: units.abs() <= believed.loc[units.index],
        name=IS_QUANTITY,
        error=(
            f"is above {ALWAYS_BELIEVED} and more than {TIMES_THE_OTHERS} times the file's other quantities, or above "
            "the feed's largest_quantity: if it is right, write a larger one into the mapping"
        ),
    )


def _in_currency(source: Source) -> pa.Check:
    return pa.Check(lambda currencies: currencies == source.currency, name="in_currency", error=_currency_rule(source))


def _currency_rule(source: Source) -> str:
    return (
        f"must be {source.currency}, the currency of source {source.name}: convert the amounts before they land, "
        "or give that currency a data folder of its own"
    )
