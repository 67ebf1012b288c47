"""`storecast quarantine`: which rows were set aside and why, newest first, by file and reason."""

import pandas as pd

from storecast.ingestion.contracts import ENTITIES
from storecast.settings import Settings
from storecast.warehouse import Tables
from storecast.warehouse.published import ask_newest

LONGEST_REASON = 160
VALUE = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
"""What a row says, as a reason quotes it: it differs from row to row where the reason is the same."""
KINDS_SQL = f"""
with kinds as (
    select entity, file_sha256, regexp_replace(reasons, $value, '…', 'g') as kind,
           min_by(reasons, row_number) as example, count(*) as rows, min(row_number) as first_row,
           max(quarantined_at) as newest
    from ops.quarantine where $entity is null or entity = $entity group by all
),
files as (select file_sha256, string_agg(distinct path, ', ' order by path) as path from ops.landed_files group by all)
select newest, rows, entity, coalesce(path, file_sha256) as path, left(example, {LONGEST_REASON}) as reason, first_row
from kinds left join files using (file_sha256) order by newest desc, rows desc, path, entity, kind
"""


def quarantine_report(settings: Settings, entity: str | None, limit: int) -> str:
    """Return one line a file and reason, at most `limit`, and how many rows there are in all.

    Raises `ValueError` for an entity that does not exist, naming those that do.
    """
    if entity is not None and entity not in ENTITIES:
        message = f"--entity is {entity!r}, which is none; there are {', '.join(ENTITIES)}"
        raise ValueError(message)
    report, is_copy = ask_newest(settings, lambda tables: _report(tables, entity, limit))
    return f"{report}\n(As last published: the warehouse itself cannot be read at this moment.)" if is_copy else report


def _report(tables: Tables, entity: str | None, limit: int) -> str:
    of_entity = f" of {entity}" if entity is not None else ""
    kinds = (
        tables.read(KINDS_SQL, {"entity": entity, "value": VALUE})
        if tables.exists("ops.quarantine")
        else pd.DataFrame()
    )
    if kinds.empty:
        return f"no row{of_entity} is in quarantine"
    shown = kinds.head(limit)
    width = max(len(path) for path in shown["path"])
    lines = [
        f"{row.newest:%Y-%m-%d %H:%M}  {row.rows:>9,}  {row.entity:<16}  {row.path:<{width}}  {row.reason} "
        f"(row {row.first_row})"
        for row in shown.itertuples()
    ]
    head = f"{'set aside (UTC)':<16}  {'rows':>9}  {'entity':<16}  {'file':<{width}}  reason (and the first such row)"
    tail = (
        f"{shown['rows'].sum():,} of {kinds['rows'].sum():,} rows{of_entity} are shown, in {len(shown):,} of "
        f"{len(kinds):,} lines"
    )
    return "\n".join([head, *lines, f"{tail}{'; --limit shows more' if len(shown) < len(kinds) else ''}."])
