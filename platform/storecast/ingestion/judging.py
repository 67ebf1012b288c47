"""Judging: bronze rows against their entity's contract; those that break it go to `ops.quarantine` with every reason.

A row's text is cast to the silver types by DuckDB, strictly (what only half fits does not fit), then judged by pandera.
Nothing leaves bronze. A file is judged once under a contract.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pandas as pd
import pandera.pandas as pa

from storecast.ingestion.contracts import (
    ENTITIES,
    NOT_AFTER_LANDING,
    Entity,
    contract_hash,
    rule_text,
    silver_types,
)
from storecast.ingestion.sources.base import Source
from storecast.warehouse import Warehouse
from storecast.warehouse.database import delete_rows, insert_rows, quote

BATCH_ROWS = 500_000
SHOWN_CHARACTERS = 120

KINDS = {"DOUBLE": "a number", "BIGINT": "a whole number", "DATE": "a day (YYYY-MM-DD)"}
MOMENT = "a moment (ISO 8601, e.g. 2025-03-01 14:22:05)"

_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_PATTERNS = {
    "DOUBLE": r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?",
    "BIGINT": r"[+-]?\d+(\.0+)?",
    "DATE": f"{_DAY}({_TIME})?",
}
_LOCAL_MOMENT = f"{_DAY}({_TIME})?"
_OFFSET_MOMENT = _DAY + r"[ T]\d{1,2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}(:?\d{2})?)"


@dataclass(frozen=True)
class Judgement:
    """What judging an entity's files found: rows judged, rows that break the contract."""

    entity: str
    rows: int
    rows_quarantined: int


def judge(warehouse: Warehouse, source: Source, now: datetime) -> list[Judgement]:
    """Judge every file that was not judged under its entity's contract yet, and fill `ops.quarantine`.

    `now` (UTC) is noted as `quarantined_at`; no rule depends on it. Moments without an offset are in the source's
    zone; amounts must be in its currency.
    """
    return [_judge_entity(warehouse, source, entity, now) for entity in ENTITIES.values()]


def typed(column: str, kind: str, timezone: str) -> str:
    """Return the SQL that casts a text column to a silver type, null where it does not wholly fit.

    Blank text is missing. Moments become UTC. DuckDB's own casts are laxer: they take '1.5' for the whole number 2,
    'nan' for a number, and ignore the offset of a moment.
    """
    name = f"trim({quote(column)})"
    if kind == "VARCHAR":
        return f"CASE WHEN {name} <> '' THEN {quote(column)} END"
    if kind == "TIMESTAMP":
        zone = timezone.replace("'", "''")
        return (
            f"CASE WHEN regexp_full_match({name}, '{_OFFSET_MOMENT}') "
            f"THEN timezone('UTC', try_cast({name} AS TIMESTAMPTZ)) "
            f"WHEN regexp_full_match({name}, '{_LOCAL_MOMENT}') "
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


def rules_of(entity: Entity, source: Source, landed_at: pd.Series) -> pa.DataFrameSchema:
    """Return the contract that rows keep whose files landed at these moments (by the frame's index).

    It is the entity's own, with the two rules that need to know the load: nothing happened later than a day after its
    file landed, and amounts are in the source's currency.
    """
    schema = entity.contract.to_schema()
    schema.strict = False
    for name, column in schema.columns.items():
        if str(column.dtype).startswith("datetime64"):
            column.dtype = None  # the cast gives microseconds, so that year 9999 can be judged at all
        for check in column.checks:
            check.error = rule_text(check)
        if (column.metadata or {}).get(NOT_AFTER_LANDING):
            column.checks = [*column.checks, _not_after_landing(landed_at)]
        if name == "currency":
            column.checks = [*column.checks, _in_currency(source)]
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


def _in_currency(source: Source) -> pa.Check:
    return pa.Check(
        lambda currencies: currencies == source.currency,
        name="in_currency",
        error=(
            f"must be {source.currency}, the currency of source {source.name}: convert the amounts before they land, "
            "or give that currency a data folder of its own"
        ),
    )
