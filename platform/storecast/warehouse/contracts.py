"""How a pandera contract becomes SQL types; the contracts themselves lie with the rooms that publish the tables."""

import pandera.pandas as pa

SQL_TYPES = {
    "bool": "BOOLEAN",
    "boolean": "BOOLEAN",
    "float64": "DOUBLE",
    "int64": "BIGINT",
    "Int64": "BIGINT",
    "object": "VARCHAR",
    "str": "VARCHAR",
    "string": "VARCHAR",
}


def sql_types(contract: type[pa.DataFrameModel]) -> dict[str, str]:
    """Return the SQL type of each column of a contract, in its order.

    By the house's naming rule a datetime column called `date` or `…_date` is a DATE, any other a TIMESTAMP in UTC.
    Raises `ValueError` for a type that has no place in the warehouse.

    >>> class Sales(pa.DataFrameModel):
    ...     product_id: str
    ...     date: pa.DateTime
    ...     sold_units: float
    >>> sql_types(Sales)
    {'product_id': 'VARCHAR', 'date': 'DATE', 'sold_units': 'DOUBLE'}
    """
    return {name: _sql_type(name, str(column.dtype)) for name, column in contract.to_schema().columns.items()}


def _sql_type(name: str, kind: str) -> str:
    if kind.startswith("datetime64"):
        return "DATE" if name == "date" or name.endswith("_date") else "TIMESTAMP"
    if kind.startswith("string"):
        return "VARCHAR"
    if kind not in SQL_TYPES:
        message = f"column {name}: type {kind} has no SQL type; use one of {', '.join(SQL_TYPES)} or a datetime"
        raise ValueError(message)
    return SQL_TYPES[kind]
