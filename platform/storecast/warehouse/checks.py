"""The contract check every table gets, made in one place."""

from collections.abc import Hashable, Mapping
from typing import Any

import dagster as dg
import pandas as pd
import pandera.pandas as pa
import pyarrow

from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import quote
from storecast.warehouse.resources import WarehouseResource

BATCH_ROWS = 500_000
SHOWN_BREACHES = 20
BREACH = ("column", "check", "failure_case")
NULLABLE = {pyarrow.bool_(): pd.BooleanDtype(), pyarrow.int64(): pd.Int64Dtype()}
"""How a batch becomes pandas: a missing truth value must stay missing, and not become False by coercion."""


def contract_checks(contracts: Mapping[str, type[pa.DataFrameModel]]) -> list[dg.AssetChecksDefinition]:
    """Return a blocking check for each table, named ``schema.table``, against its contract."""
    return [contract_check(name, contract) for name, contract in contracts.items()]


def contract_check(name: str, contract: type[pa.DataFrameModel]) -> dg.AssetChecksDefinition:
    """Return the check that a table's stored rows keep its contract."""

    @dg.asset_check(asset=dg.AssetKey(name.split(".")), name="contract", blocking=True)
    def check(warehouse: WarehouseResource) -> dg.AssetCheckResult:
        """Every stored row keeps the table's pandera contract: columns, types, nulls and ranges."""
        rows, breaches = breaches_of(warehouse, name, contract)
        return dg.AssetCheckResult(
            passed=breaches.empty,
            metadata={
                "rows_checked": rows,
                "breaches": dg.MetadataValue.md(breaches.head(SHOWN_BREACHES).to_markdown(index=False))
                if len(breaches)
                else "none",
            },
        )

    return check


def breaches_of(warehouse: WarehouseResource, name: str, contract: type[pa.DataFrameModel]) -> tuple[int, pd.DataFrame]:
    """Return the number of rows read and the breaches: column, check, failure_case; the table's, then the rows'."""
    schema = contract.to_schema()
    for column in schema.columns.values():
        column.coerce = True  # DuckDB hands days over in microseconds, pandas keeps nanoseconds
    rows = 0
    with warehouse.open().reading() as connection:
        described = connection.execute(f"describe {name}").fetchall()
        stored = {column: kind for column, kind, *_ in described}
        found = _wrong_types(stored, sql_types(contract))
        present = [column for column in schema.columns if column in stored]
        schema = schema.select_columns(present)
        selected = ", ".join(quote(column) for column in present)
        for batch in connection.execute(f"select {selected} from {name}").to_arrow_reader(BATCH_ROWS):
            rows += batch.num_rows
            try:
                schema.validate(batch.to_pandas(types_mapper=NULLABLE.get), lazy=True)
            except pa.errors.SchemaErrors as error:
                found += error.failure_cases[list(BREACH)].to_dict("records")
    return rows, pd.DataFrame(found, columns=list(BREACH))


def _wrong_types(stored: Mapping[str, str], wanted: Mapping[str, str]) -> list[dict[Hashable, Any]]:
    return [
        {"column": column, "check": f"is {kind}", "failure_case": stored.get(column, "missing")}
        for column, kind in wanted.items()
        if stored.get(column) != kind
    ]
