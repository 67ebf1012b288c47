import pandas as pd
import pandera.pandas as pa
import pytest

from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types


class Everything(pa.DataFrameModel):
    product_id: str
    name: pd.StringDtype = pa.Field(nullable=True)
    units: float
    rows: int
    stock: pd.Int64Dtype = pa.Field(nullable=True)
    is_new: bool
    is_known: pd.BooleanDtype = pa.Field(nullable=True)
    date: pa.DateTime
    launch_date: pa.DateTime = pa.Field(nullable=True)
    sold_at: pa.DateTime


class Later(Everything):
    updated: pa.DateTime


class Unfit(pa.DataFrameModel):
    kind: pd.CategoricalDtype


def test_every_type_of_a_contract_has_its_sql_type_in_the_order_of_the_columns():
    assert list(sql_types(Everything).items()) == [
        ("product_id", "VARCHAR"),
        ("name", "VARCHAR"),
        ("units", "DOUBLE"),
        ("rows", "BIGINT"),
        ("stock", "BIGINT"),
        ("is_new", "BOOLEAN"),
        ("is_known", "BOOLEAN"),
        ("date", "DATE"),
        ("launch_date", "DATE"),
        ("sold_at", "TIMESTAMP"),
    ]


def test_a_word_that_merely_ends_like_date_is_a_moment():
    assert sql_types(Later)["updated"] == "TIMESTAMP"


def test_a_type_without_a_place_in_the_warehouse_is_an_error_that_names_the_column():
    with pytest.raises(ValueError, match=r"column kind: type category has no SQL type; use one of bool"):
        sql_types(Unfit)


def test_duckdb_makes_a_table_of_every_type(warehouse_path):
    warehouse = Warehouse(warehouse_path)
    types = sql_types(Everything)
    warehouse.replace_table("gold.everything", pd.DataFrame(columns=list(types)), types)
    described = warehouse.read(
        "select column_name, data_type from information_schema.columns where table_name = 'everything'"
    )
    assert dict(described.itertuples(index=False, name=None)) == types
