import duckdb
import pandera.pandas as pa
import pytest

from storecast.ingestion.account_contracts import OPS_TABLES, table_ddl
from storecast.ingestion.contracts import (
    BRONZE_COLUMNS,
    ENTITIES,
    bronze_ddl,
    contract_hash,
    rule_text,
    silver_types,
)


@pytest.mark.parametrize("entity", ENTITIES)
def test_every_bronze_table_holds_an_entity_as_text_behind_the_rows_identity(entity: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA bronze")
    connection.execute(bronze_ddl(entity))
    connection.execute(bronze_ddl(entity))
    described = {row[0]: row[1] for row in connection.execute(f"DESCRIBE bronze.{entity}").fetchall()}
    assert list(described) == [*BRONZE_COLUMNS, *ENTITIES[entity].columns]
    assert described["occurrence"] == "BIGINT"
    assert {described[name] for name in ENTITIES[entity].columns} == {"VARCHAR"}
    assert set(ENTITIES[entity].keys) <= set(ENTITIES[entity].columns)


def test_silver_types_of_order_lines_are_those_the_rooms_agreed_on() -> None:
    assert silver_types("order_lines") == {
        "order_id": "VARCHAR",
        "line_number": "BIGINT",
        "ordered_at": "TIMESTAMP",
        "channel": "VARCHAR",
        "product_id": "VARCHAR",
        "product_name": "VARCHAR",
        "quantity": "DOUBLE",
        "unit_price": "DOUBLE",
        "customer_id": "VARCHAR",
        "seller_id": "VARCHAR",
        "status": "VARCHAR",
        "country": "VARCHAR",
        "currency": "VARCHAR",
        "discount": "DOUBLE",
        "tax": "DOUBLE",
        "updated_at": "TIMESTAMP",
        "returned_at": "TIMESTAMP",
    }


@pytest.mark.parametrize("table", OPS_TABLES)
def test_an_ops_table_can_be_made_twice(table: str) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA ops")
    connection.execute(table_ddl(table))
    connection.execute(table_ddl(table))


def test_a_rule_reads_as_a_sentence() -> None:
    assert rule_text(pa.Check.isin(["a", "b"])) == "must be one of a, b"
    assert rule_text(pa.Check(lambda s: s, name="own", error="must be fair")) == "must be fair"
    date = ENTITIES["prices"].contract.to_schema().columns["valid_from_date"]
    assert {rule_text(check) for check in date.checks} == {
        "must be at least 2000-01-01",
        "must be less than 2200-01-01",
    }


def test_the_contracts_hash_changes_with_what_a_judgement_depends_on() -> None:
    hashes = {
        contract_hash("orders", currency="EUR", timezone="Europe/Berlin", largest={}),
        contract_hash("orders", currency="USD", timezone="Europe/Berlin", largest={}),
        contract_hash("orders", currency="EUR", timezone="UTC", largest={}),
        contract_hash("sellers", currency="EUR", timezone="UTC", largest={}),
        contract_hash("sellers", currency="EUR", timezone="UTC", largest={"a": 5.0}),
    }
    assert len(hashes) == 5
