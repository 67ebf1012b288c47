import os
import random
import time
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.publishing import KEPT_COPIES, publish

PUBLISHER = """
import sys
from pathlib import Path
from storecast.warehouse import Warehouse
from storecast.warehouse.publishing import publish
warehouse, pointer = Warehouse(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
print(publish(warehouse, pointer).content, flush=True)
"""


@pytest.fixture
def warehouse(warehouse_path: Path) -> Warehouse:
    return Warehouse(warehouse_path, lease_timeout_seconds=30)


@pytest.fixture
def pointer(warehouse_path: Path) -> Path:
    return warehouse_path.parent / "published" / "storecast.duckdb"


def write_generation(warehouse: Warehouse, generation: int, rows: int = 10) -> None:
    """Write two tables in one transaction, as a run does."""
    with warehouse.writing() as connection:
        for table in ("silver.products", "gold.demand"):
            connection.execute(
                f"create or replace table {table} as select ?::BIGINT as generation, i from range(?) t(i)",
                [generation, rows],
            )


def open_to_read(pointer: Path) -> duckdb.DuckDBPyConnection:
    """Open the published file as analysts and the API do."""
    return duckdb.connect(
        str(pointer), read_only=True, config={"enable_external_access": False, "lock_configuration": True}
    )


def generations(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    return connection.execute(
        "select (select any_value(generation) from silver.products), (select any_value(generation) from gold.demand)"
    ).fetchone()


def published(pointer: Path) -> tuple[int, int]:
    with open_to_read(pointer) as connection:
        return generations(connection)


def copies(pointer: Path) -> list[Path]:
    return sorted(pointer.parent.glob("storecast-*.duckdb"))


def test_the_copy_holds_what_people_read_and_not_the_raw_rows(warehouse, pointer):
    write_generation(warehouse, 1)
    warehouse.replace_table("ops.quarantine", pd.DataFrame({"reasons": ["units: 'abc'"]}))
    warehouse.replace_table("bronze.orders", pd.DataFrame({"raw": ["secret"]}))
    publication = publish(warehouse, pointer)
    assert publication.rows == {"gold.demand": 10, "ops.quarantine": 1, "silver.products": 10}
    assert publication.is_new
    assert pointer.resolve() == publication.path.resolve()
    with open_to_read(pointer) as connection:
        tables = connection.execute("select schema_name || '.' || table_name from duckdb_tables() order by 1")
        assert [name for (name,) in tables.fetchall()] == list(publication.rows)
        assert generations(connection) == (1, 1)


def test_the_copy_carries_types_and_hostile_values_as_they_are(warehouse, pointer):
    rows = pd.DataFrame({"product_id": ["'; drop table x; --", "caf\u00e9", "cafe\u0301", "0007"], "units": 0.1})
    warehouse.replace_table("gold.demand", rows, {"product_id": "VARCHAR", "units": "DECIMAL(9,2)"})
    publish(warehouse, pointer)
    with open_to_read(pointer) as connection:
        assert connection.sql("from gold.demand").types == ["VARCHAR", "DECIMAL(9,2)"]
        assert [row[0] for row in connection.execute("from gold.demand").fetchall()] == rows["product_id"].tolist()


def test_the_pointer_is_relative_so_that_the_folder_can_be_moved(warehouse, pointer, tmp_path):
    write_generation(warehouse, 1)
    publish(warehouse, pointer)
    moved = pointer.parent.rename(tmp_path / "elsewhere")
    assert published(moved / pointer.name) == (1, 1)


def test_the_same_rows_make_no_second_copy(warehouse, pointer):
    write_generation(warehouse, 1)
    first = publish(warehouse, pointer)
    inode = first.path.stat().st_ino
    write_generation(warehouse, 1)
    again = publish(warehouse, pointer)
    assert (again.path, again.content, again.is_new) == (first.path, first.content, False)
    assert copies(pointer) == [first.path]
    assert first.path.stat().st_ino == inode


def test_a_change_of_one_value_makes_a_new_copy(warehouse, pointer):
    write_generation(warehouse, 1)
    first = publish(warehouse, pointer)
    with warehouse.writing() as connection:
        connection.execute("update gold.demand set i = 99 where i = 9")
    second = publish(warehouse, pointer)
    assert second.is_new
    assert second.path != first.path
    assert pointer.resolve() == second.path.resolve()


def test_a_renamed_table_is_a_change_too(warehouse, pointer):
    write_generation(warehouse, 1)
    first = publish(warehouse, pointer)
    with warehouse.writing() as connection:
        connection.execute("alter table gold.demand rename to sales")
    assert publish(warehouse, pointer).content != first.content


@pytest.mark.parametrize("change", ["rename generation to origin", "alter generation type INTEGER"])
def test_a_column_s_new_name_or_type_is_a_change_too(warehouse, pointer, change):
    write_generation(warehouse, 1)
    first = publish(warehouse, pointer)
    with warehouse.writing() as connection:
        connection.execute(f"alter table gold.demand {change}")
    assert publish(warehouse, pointer).content != first.content


def test_going_back_to_former_rows_goes_back_to_their_copy(warehouse, pointer):
    write_generation(warehouse, 1)
    first = publish(warehouse, pointer)
    write_generation(warehouse, 2)
    publish(warehouse, pointer)
    write_generation(warehouse, 1)
    assert publish(warehouse, pointer).path == first.path
    assert published(pointer) == (1, 1)


def test_old_copies_are_removed_and_a_reader_that_holds_one_goes_on(warehouse, pointer):
    write_generation(warehouse, 0)
    held = publish(warehouse, pointer).path
    with open_to_read(pointer) as reader:
        for generation in range(1, KEPT_COPIES + 2):
            write_generation(warehouse, generation)
            publish(warehouse, pointer)
            time.sleep(0.01)
            assert generations(reader) == (0, 0)
        assert not held.exists()
        assert reader.execute("select sum(i) from gold.demand").fetchone() == (45,)
    assert len(copies(pointer)) == KEPT_COPIES
    assert published(pointer) == (KEPT_COPIES + 1,) * 2


def test_an_open_reader_does_not_stop_the_pipeline(warehouse, pointer):
    write_generation(warehouse, 1)
    publish(warehouse, pointer)
    with open_to_read(pointer) as reader:
        write_generation(warehouse, 2)
        publish(warehouse, pointer)
        assert generations(reader) == (1, 1)
    assert published(pointer) == (2, 2)


def test_a_reader_can_neither_write_nor_leave_the_file(warehouse, pointer, tmp_path):
    write_generation(warehouse, 1)
    publish(warehouse, pointer)
    (tmp_path / "secret.csv").write_text("a\n1\n")
    hostile = [
        "delete from gold.demand",
        "create table gold.x as select 1",
        f"copy gold.demand to '{tmp_path}/out.csv'",
        f"select * from read_csv('{tmp_path}/secret.csv')",
        f"attach '{tmp_path}/other.duckdb'",
        "set enable_external_access = true",
        "install httpfs",
    ]
    with open_to_read(pointer) as reader:
        for statement in hostile:
            with pytest.raises(duckdb.Error, match=r"read-only|disabled|locked|[Cc]annot"):
                reader.execute(statement)
        assert generations(reader) == (1, 1)
    assert not (tmp_path / "out.csv").exists()


def test_publishing_waits_for_the_writer(warehouse, pointer):
    write_generation(warehouse, 1)
    impatient = Warehouse(warehouse.path, lease_timeout_seconds=0.2)
    with warehouse.writing(), pytest.raises(LeaseError):
        publish(impatient, pointer)
    assert not pointer.exists()


def test_what_a_killed_publisher_left_behind_is_no_hindrance(warehouse, pointer):
    write_generation(warehouse, 1)
    pointer.parent.mkdir(parents=True)
    (pointer.parent / ".building.duckdb").write_bytes(os.urandom(20_000))
    (pointer.parent / ".building.duckdb.wal").write_bytes(os.urandom(20_000))
    (pointer.parent / ".pointer").symlink_to("nowhere")
    publish(warehouse, pointer)
    assert published(pointer) == (1, 1)
    assert not list(pointer.parent.glob(".building*"))


@pytest.mark.slow
def test_a_publisher_that_is_killed_at_any_moment_leaves_the_pointer_on_a_whole_copy(warehouse, pointer, start_python):
    chance = random.Random(11)
    rows = 300_000
    write_generation(warehouse, 0, rows)
    longest = 1.5 * timed_publish(warehouse, pointer)
    seen = {0}
    for generation in range(1, 11):
        write_generation(warehouse, generation, rows)
        publisher = start_python(PUBLISHER, warehouse.path, pointer)
        assert publisher.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0, longest))
        publisher.kill()
        publisher.wait()
        with open_to_read(pointer) as reader:
            left, right = generations(reader)
            counted = reader.execute("select count(*), sum(i) from gold.demand").fetchone()
        assert left == right
        assert left in {max(seen), generation}
        assert counted == (rows, rows * (rows - 1) // 2)
        seen.add(left)
        longest *= 1.0 if left == generation else 1.3  # a busy machine is slower than when the first was timed
    assert len(seen) > 1, "every publisher was killed before it had moved the pointer: the test tests too little"
    assert publish(warehouse, pointer).rows["gold.demand"] == rows
    assert published(pointer) == (10, 10)


def timed_publish(warehouse: Warehouse, pointer: Path) -> float:
    before = time.monotonic()
    publish(warehouse, pointer)
    return time.monotonic() - before
