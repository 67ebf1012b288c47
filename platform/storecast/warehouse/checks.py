"""The contract check every table gets, made in one place."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd
import pandera.pandas as pa

from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import quote
from storecast.warehouse.resources import WarehouseResource

BATCH_ROWS = 500_000
SHOWN_BREACHES = 20


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
    """Return the number of rows read and pandera's failure cases (column, check, failure_case), in batches."""
    schema = contract.to_schema()
    for column in schema.columns.values():
        column.coerce = True  # DuckDB hands days over in microseconds, pandas keeps nanoseconds
    columns = ", ".join(quote(column) for column in sql_types(contract))
    found: list[pd.DataFrame] = []
    rows = 0
    with warehouse.open().reading() as connection:
        reader = connection.execute(f"select {columns} from {name}").to_arrow_reader(BATCH_ROWS)
        for batch in reader:
            rows += batch.num_rows
            try:
                schema.validate(batch.to_pandas(), lazy=True)
            except pa.errors.SchemaErrors as error:
                found.append(error.failure_cases[["column", "check", "failure_case"]])
    return rows, pd.concat(found) if found else pd.DataFrame(columns=["column", "check", "failure_case"])
