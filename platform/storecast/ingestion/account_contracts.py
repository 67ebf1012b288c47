"""The tables in which ingestion keeps account of files and rows; the entities themselves are in `contracts`."""

import pandas as pd
import pandera.pandas as pa

from storecast.ingestion.contracts import ENTITIES, ddl
from storecast.warehouse.contracts import sql_types

DELIVERED_BY = ["name", "modified"]
FILE_STATES = ["landed", "loaded", "set aside", "replaced", "let go"]


class LandedFiles(pa.DataFrameModel):
    """One row a landed file and feed."""

    source: str = pa.Field()
    feed: str = pa.Field()
    path: str = pa.Field(description="Relative to the source's folder, as found.")
    file_sha256: str = pa.Field(str_length=64)
    bytes: int = pa.Field(ge=0)
    lines: pd.Int64Dtype = pa.Field(
        nullable=True, ge=0, description="Lines that hold anything, counted without the reader; null until loaded."
    )
    rows: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Rows in bronze; null until loaded.")
    landed_at: pa.DateTime = pa.Field(description="UTC; fixed for ever.")
    delivered_at: pa.DateTime = pa.Field(
        description="UTC; decides which of two files is the later one: what the file says, see `delivered_by`."
    )
    delivered_by: str = pa.Field(
        isin=DELIVERED_BY, description="Where `delivered_at` comes from: a date in the name, or the file's own time."
    )
    state: str = pa.Field(isin=FILE_STATES)
    note: str = pa.Field(
        nullable=True, description="Why it is set aside or replaced, or what was odd about reading it."
    )


class Quarantine(pa.DataFrameModel):
    """One row a bronze row that breaks its contract."""

    source: str = pa.Field()
    entity: str = pa.Field(isin=list(ENTITIES))
    file_sha256: str = pa.Field(str_length=64)
    row_number: int = pa.Field(ge=1)
    reasons: str = pa.Field(description="Each names column, value and rule; joined by '; '.")
    raw: str = pa.Field(description="The row as JSON.")
    quarantined_at: pa.DateTime = pa.Field()


class WithdrawnRows(pa.DataFrameModel):
    """One row a bronze row that the newest version of its file no longer holds."""

    source: str = pa.Field()
    entity: str = pa.Field(isin=list(ENTITIES))
    file_sha256: str = pa.Field(str_length=64)
    row_number: int = pa.Field(ge=1)
    withdrawn_by_sha256: str = pa.Field(str_length=64, description="The newest version of the file.")
    reason: str = pa.Field()
    withdrawn_at: pa.DateTime = pa.Field(description="UTC.")


class Reconciliation(pa.DataFrameModel):
    """One row an entity and file: each of its rows is in silver, in quarantine or a duplicate."""

    source: str = pa.Field()
    entity: str = pa.Field(isin=list(ENTITIES))
    file_sha256: str = pa.Field(str_length=64)
    rows_in: int = pa.Field(ge=0)
    rows_silver: int = pa.Field(ge=0)
    rows_quarantined: int = pa.Field(ge=0)
    rows_duplicate: int = pa.Field(ge=0)
    rows_withdrawn: int = pa.Field(ge=0)
    is_balanced: bool = pa.Field()


class Loads(pa.DataFrameModel):
    """One row a landed file and entity: by which mapping it was loaded and by which contract judged."""

    source: str = pa.Field()
    feed: str = pa.Field()
    entity: str = pa.Field(isin=list(ENTITIES))
    file_sha256: str = pa.Field(str_length=64)
    lines: pd.Int64Dtype = pa.Field(nullable=True, ge=0, description="Of the file, as in `ops.landed_files`.")
    rows: int = pa.Field(ge=0)
    mapping_hash: str = pa.Field()
    delivered_at: pa.DateTime = pa.Field(description="Of the file, as in `ops.landed_files`.")
    loaded_at: pa.DateTime = pa.Field()
    contract_hash: str = pa.Field(nullable=True, description="Null until judged.")
    rows_quarantined: pd.Int64Dtype = pa.Field(nullable=True)
    note: str = pa.Field(nullable=True, description="What was odd about reading the file.")
    reason: str = pa.Field(nullable=True, description="Why the file is set aside; null where it was loaded.")


class NonProductCodes(pa.DataFrameModel):
    """One row a pattern of ids that are no products."""

    pattern: str = pa.Field(unique=True, description="Regular expression that the whole id matches.")
    line_is: str = pa.Field(description="What such a line is.")


class PublicHolidays(pa.DataFrameModel):
    """One row a day and public holiday of the shop's country."""

    date: pa.DateTime = pa.Field()
    holiday_name: str = pa.Field()
    country: str = pa.Field()


OPS_TABLES: dict[str, type[pa.DataFrameModel]] = {
    "ops.landed_files": LandedFiles,
    "ops.loads": Loads,
    "ops.quarantine": Quarantine,
    "ops.withdrawn_rows": WithdrawnRows,
}
"""Tables of this room that exist before anything is loaded, besides bronze."""


def table_ddl(table: str) -> str:
    """Return the statement that makes one of `OPS_TABLES` where it is not there yet."""
    return ddl(table, sql_types(OPS_TABLES[table]))
