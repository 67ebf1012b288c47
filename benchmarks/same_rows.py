"""Whether two published files hold the same rows, apart from when things happened and what MLflow draws by lot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb
import pandas as pd

MOMENTS: Final = frozenset(
    {
        f"{what}_at"
        for what in ("landed", "delivered", "withdrawn", "loaded", "published", "quarantined", "registered", "scored")
    }
    | {f"{what}_at" for what in ("opened", "last_seen", "resolved", "notified", "decided", "applied")}
)
OF_ITS_OWN: Final[Mapping[str, frozenset[str]]] = {
    "ops.registered_models": frozenset({"run_id"}),
    "ops.model_costs": frozenset({"seconds"}),
    "ops.promotions": frozenset({"evidence"}),
}
"""Columns that differ between two folders filled from the same files: MLflow's random ids, and seconds measured."""
TABLES: Final = "select table_schema || '.' || table_name as name from information_schema.tables order by name"


def read(published: Path, sql: str) -> pd.DataFrame:
    """Read a published file as an analyst does."""
    with duckdb.connect(str(published), read_only=True) as connection:
        return connection.execute(sql).df()


def tables_of(published: Path) -> list[str]:
    """The tables of a published file."""
    return [str(name) for name in read(published, TABLES)["name"]]


def rows_of(published: Path, table: str) -> pd.DataFrame:
    """A table's rows in an order of their own, without what may differ between two folders."""
    names = read(published, f"describe {table}")["column_name"]
    kept = [f'"{name}"' for name in names if name not in MOMENTS | OF_ITS_OWN.get(table, frozenset())]
    return read(published, f"select {', '.join(kept)} from {table} order by all")


def differences(published: Path, other: Path) -> list[str]:
    """The tables that are in one file only, or not equal row for row."""
    ours, theirs = set(tables_of(published)), set(tables_of(other))
    unequal = {name for name in ours & theirs if not rows_of(published, name).equals(rows_of(other, name))}
    return sorted(ours ^ theirs | unequal)
