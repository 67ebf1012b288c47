import pytest

from storecast.ingestion.account_contracts import Reconciliation
from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.loading import ensure_tables
from storecast.ingestion.reconciliation import imbalances, reconcile

FILE = "ab" * 32
OTHER = "cd" * 32


@pytest.fixture
def warehouse(shop):
    ensure_tables(shop.warehouse)
    with shop.warehouse.writing() as connection:
        for entity in ENTITIES.values():
            columns = "file_sha256 VARCHAR, row_number BIGINT, source_rows BIGINT DEFAULT 1"
            connection.execute(f"CREATE TABLE silver.{entity.silver_table} ({columns})")
        connection.execute("CREATE TABLE ops.duplicates (entity VARCHAR, file_sha256 VARCHAR, row_number BIGINT)")
    return shop.warehouse


def put(warehouse, table: str, rows: int, **values: str) -> None:
    columns = ", ".join([*values, "row_number"])
    placed = ", ".join("?" for _ in values)
    with warehouse.writing() as connection:
        connection.execute(
            f"INSERT INTO {table} ({columns}) SELECT {placed}, n + 1 FROM range({rows}) AS t(n)", [*values.values()]
        )


def test_rows_that_add_up_are_balanced(warehouse) -> None:
    put(warehouse, "bronze.orders", 10, source="shop", file_sha256=FILE)
    put(warehouse, "silver.orders", 7, file_sha256=FILE)
    put(warehouse, "ops.quarantine", 2, entity="orders", file_sha256=FILE)
    put(warehouse, "ops.duplicates", 1, entity="orders", file_sha256=FILE)
    counts = reconcile(warehouse)
    assert counts.to_dict("records") == [
        {
            "source": "shop",
            "entity": "orders",
            "file_sha256": FILE,
            "rows_in": 10,
            "rows_silver": 7,
            "rows_quarantined": 2,
            "rows_duplicate": 1,
            "rows_withdrawn": 0,
            "is_balanced": True,
        }
    ]
    Reconciliation.validate(counts)
    assert imbalances(counts) == []


def test_a_lost_row_and_a_row_from_nowhere_are_told_by_entity_and_file(warehouse) -> None:
    put(warehouse, "bronze.orders", 10, source="shop", file_sha256=FILE)
    put(warehouse, "silver.orders", 9, file_sha256=FILE)
    put(warehouse, "silver.calendar_events", 2, file_sha256=OTHER)
    counts = reconcile(warehouse)
    assert counts["source"].tolist() == ["not in bronze", "shop"]
    assert imbalances(counts) == [
        "calendar, file cdcdcdcdcdcd: 0 rows in, but 2 in silver + 0 in quarantine + 0 duplicates + 0 withdrawn = 2 "
        "(2 too many)",
        "orders, file abababababab: 10 rows in, but 9 in silver + 0 in quarantine + 0 duplicates + 0 withdrawn = 9 "
        "(1 missing)",
    ]


def test_one_files_gap_is_not_hidden_by_anothers_surplus(warehouse) -> None:
    for file, silver in ((FILE, 4), (OTHER, 6)):
        put(warehouse, "bronze.orders", 5, source="shop", file_sha256=file)
        put(warehouse, "silver.orders", silver, file_sha256=file)
    assert len(imbalances(reconcile(warehouse))) == 2


def test_rows_that_silver_derived_come_from_no_file_and_are_not_counted(warehouse) -> None:
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO silver.products VALUES (NULL, NULL, NULL)")
    assert reconcile(warehouse).empty


def test_a_row_that_stands_for_several_counts_as_so_many(warehouse) -> None:
    put(warehouse, "bronze.daily_sales", 5, source="shop", file_sha256=FILE)
    put(warehouse, "silver.daily_sales", 1, file_sha256=FILE)
    with warehouse.writing() as connection:
        connection.execute("UPDATE silver.daily_sales SET source_rows = 4")
    assert imbalances(reconcile(warehouse)) == [
        "daily_sales, file abababababab: 5 rows in, but 4 in silver + 0 in quarantine + 0 duplicates + 0 withdrawn "
        "= 4 (1 missing)"
    ]
