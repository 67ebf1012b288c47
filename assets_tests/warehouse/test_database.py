import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import duckdb
import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import given

from storecast.warehouse import LeaseError, LeaseTimeoutError, Warehouse
from storecast.warehouse.database import content_hash, quote

HOSTILE = [
    "x') OR 1=1 --",
    "'; drop table bronze.sales; --",
    "../../etc/passwd",
    'a"b',
    "caf\u00e9",
    "cafe\u0301",
    "0007",
    "7",
    " 7",
    "",
    "null",
    "ẞ" * 300,
    "line\nbreak\ttab",
]
SALES = {"product_id": "VARCHAR", "date": "DATE", "units": "DOUBLE"}

WRITER = """
import sys
from pathlib import Path
import pandas as pd
from storecast.warehouse import Warehouse
warehouse = Warehouse(Path(sys.argv[1]))
number = 0
while True:
    number += 1
    rows = pd.DataFrame({"number": [number] * 500, "row": range(500)})
    with warehouse.writing() as connection:
        connection.register("incoming", rows)
        connection.execute("create table if not exists gold.left_half (number BIGINT, row BIGINT)")
        connection.execute("create table if not exists gold.right_half (number BIGINT, row BIGINT)")
        connection.execute("insert into gold.left_half from incoming")
        connection.execute("insert into gold.right_half from incoming")
    print(number, flush=True)
"""


STARTER_OF_AN_ORPHAN = """
import subprocess, sys, time
from pathlib import Path
from storecast.warehouse import Lease
orphan = (
    "import duckdb, sys, time; connection = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(3);"
    "connection.execute('create table orphan as select 1'); connection.close()"
)
with Lease(Path(sys.argv[1])).exclusive():
    subprocess.run([sys.executable, "-c", orphan, sys.argv[1]])
"""


@pytest.fixture
def warehouse(warehouse_path: Path) -> Warehouse:
    return Warehouse(warehouse_path, lease_timeout_seconds=120)


def sales(products: list[str], units: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"product_id": products, "date": pd.Timestamp("2025-03-01"), "units": units})


def products_of(warehouse: Warehouse) -> list[str]:
    return warehouse.read("select product_id from bronze.sales")["product_id"].tolist()


def test_reading_before_the_first_run_says_what_makes_the_warehouse(warehouse):
    with pytest.raises(FileNotFoundError, match=r"no warehouse at .*warehouse\.duckdb yet: `storecast run` makes it"):
        warehouse.read("select 1")
    assert not warehouse.path.parent.exists()
    assert not warehouse.exists("bronze.sales")


def test_replacing_a_table_leaves_the_new_rows_and_no_others(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a", "b"]), SALES)
    warehouse.replace_table("bronze.sales", sales(["c"]), SALES)
    assert products_of(warehouse) == ["c"]
    assert warehouse.exists("bronze.sales")
    assert not warehouse.exists("bronze.other")
    assert warehouse.count_rows(["bronze.sales"]) == {"bronze.sales": 1}


def test_replacing_a_table_may_change_its_columns(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    warehouse.replace_table("bronze.sales", pd.DataFrame({"sku": ["a"]}))
    assert warehouse.read("select * from bronze.sales").columns.tolist() == ["sku"]


def test_hostile_values_come_back_as_themselves(warehouse):
    warehouse.replace_table("bronze.sales", sales(HOSTILE), SALES)
    assert products_of(warehouse) == HOSTILE


@pytest.mark.parametrize("hostile", HOSTILE)
def test_replacing_the_rows_of_a_hostile_value_touches_no_other_row(warehouse, hostile):
    warehouse.replace_table("bronze.sales", sales(HOSTILE), SALES)
    warehouse.replace_rows("bronze.sales", sales([hostile], units=9.0), {"product_id": [hostile]}, SALES)
    stored = warehouse.read("select product_id, units from bronze.sales").set_index("product_id")["units"]
    assert stored.to_dict() == {product: 9.0 if product == hostile else 1.0 for product in HOSTILE}


def test_rows_are_replaced_where_every_column_holds_one_of_its_values(warehouse):
    days = pd.DataFrame(
        [(product, pd.Timestamp(day), 1.0) for product in "abc" for day in ("2025-03-01", "2025-03-02")],
        columns=list(SALES),
    )
    warehouse.replace_table("bronze.sales", days, SALES)
    new = sales(["a", "b"], units=5.0)
    warehouse.replace_rows(
        "bronze.sales", new, {"product_id": ["a", "b"], "date": new["date"].drop_duplicates().tolist()}, SALES
    )
    stored = warehouse.read("select product_id, date::varchar as date, units from bronze.sales order by all")
    assert list(stored.itertuples(index=False, name=None)) == [
        ("a", "2025-03-01", 5.0),
        ("a", "2025-03-02", 1.0),
        ("b", "2025-03-01", 5.0),
        ("b", "2025-03-02", 1.0),
        ("c", "2025-03-01", 1.0),
        ("c", "2025-03-02", 1.0),
    ]


def test_rows_are_replaced_by_none_where_the_frame_is_empty(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a", "b"]), SALES)
    warehouse.replace_rows("bronze.sales", sales(["a"]).iloc[:0], {"product_id": ["a"]}, SALES)
    assert products_of(warehouse) == ["b"]


def test_no_value_to_replace_touches_no_row(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a", "b"]), SALES)
    warehouse.replace_rows("bronze.sales", sales(["a"]).iloc[:0], {"product_id": []}, SALES)
    assert products_of(warehouse) == ["a", "b"]


def test_a_column_without_any_value_keeps_its_type(warehouse):
    nothing = pd.DataFrame({"product_id": [None], "date": [None], "units": [None]})
    warehouse.replace_table("bronze.sales", nothing, SALES)
    described = warehouse.read("select column_name, data_type from information_schema.columns order by all")
    assert dict(described.itertuples(index=False, name=None)) == SALES
    warehouse.replace_rows("bronze.sales", sales(["a"]), {"product_id": ["a"]}, SALES)
    assert warehouse.read("select count(*) as n from bronze.sales where units is null")["n"].item() == 1


def test_not_a_number_is_stored_as_null(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"], units=float("nan")), SALES)
    assert warehouse.read("select units is null as missing from bronze.sales")["missing"].item()


def test_days_and_moments_come_back_as_they_went_in(warehouse):
    frame = pd.DataFrame({"date": [date(1999, 12, 31)], "sold_at": [datetime(2025, 3, 1, 23, 59, 59, 999_999)]})
    warehouse.replace_table("bronze.sales", frame, {"date": "DATE", "sold_at": "TIMESTAMP"})
    with warehouse.reading() as connection:
        assert connection.execute("from bronze.sales").fetchall() == list(frame.itertuples(index=False, name=None))


def test_columns_are_matched_by_name_not_by_place(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"])[["units", "date", "product_id"]], SALES)
    assert products_of(warehouse) == ["a"]


def test_a_column_the_table_does_not_have_is_an_error_that_names_it(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    with pytest.raises(duckdb.BinderException, match="surprise"):
        warehouse.replace_rows("bronze.sales", sales(["a"]).assign(surprise=1), {"product_id": ["a"]}, SALES)
    assert products_of(warehouse) == ["a"]


def test_an_error_takes_all_of_the_transaction_back(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    with pytest.raises(duckdb.ConversionException, match="nonsense"), warehouse.writing() as connection:
        connection.execute(
            "create table gold.half as select 1 as one; delete from bronze.sales; select 'nonsense'::INTEGER"
        )
    assert products_of(warehouse) == ["a"]
    assert not warehouse.exists("gold.half")


def test_a_value_that_does_not_fit_leaves_the_former_rows(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    with pytest.raises(duckdb.ConversionException, match="many"):
        warehouse.replace_table("bronze.sales", sales(["b"]).assign(units="many"), SALES)
    assert products_of(warehouse) == ["a"]


def test_one_who_reads_cannot_write(warehouse):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    with warehouse.reading() as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute("delete from bronze.sales")


def test_a_second_statement_inside_a_block_is_refused_instead_of_waiting_for_itself(warehouse):
    with warehouse.writing(), pytest.raises(LeaseError, match="pass its connection on"):
        Warehouse(warehouse.path).replace_table("bronze.sales", sales(["a"]))


def test_threads_read_each_its_own_answer(warehouse):
    warehouse.replace_table("bronze.sales", pd.DataFrame({"n": range(1_000)}))

    def look_up(number: int) -> bool:
        return warehouse.read("select n from bronze.sales where n = ?", [number])["n"].tolist() == [number]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look_up, range(400)))


def test_writers_in_threads_lose_no_row(warehouse):
    def write(number: int) -> None:
        warehouse.replace_rows("bronze.sales", pd.DataFrame({"n": [number]}), {"n": [number]})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert sorted(warehouse.read("from bronze.sales")["n"]) == list(range(40))


@pytest.mark.slow
def test_a_writer_that_is_killed_loses_no_acknowledged_row_and_leaves_no_half(warehouse, start_python):
    chance = random.Random(7)
    for _ in range(6):
        writer = start_python(WRITER, warehouse.path)
        acknowledged = [int(writer.stdout.readline()) for _ in range(chance.randint(1, 5))]
        time.sleep(chance.uniform(0.0, 0.05))
        writer.kill()
        acknowledged += [int(line) for line in writer.stdout]
        left, right = (
            warehouse.read(f"select number, count(*) as row_count from gold.{half} group by all order by all")
            for half in ("left_half", "right_half")
        )
        assert left.equals(right)
        assert set(left["row_count"]) == {500}
        assert set(left["number"]) >= set(acknowledged)
        with warehouse.writing() as connection:
            connection.execute("drop table gold.left_half; drop table gold.right_half")


def test_a_process_that_outlives_the_lease_of_its_killed_parent_is_waited_for(warehouse, start_python):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    starter = start_python(STARTER_OF_AN_ORPHAN, warehouse.path)
    assert starter.stdout.readline() == "open\n"
    starter.kill()
    starter.wait()
    assert warehouse.count_rows(["bronze.sales"]) == {"bronze.sales": 1}
    assert warehouse.exists("main.orphan")


def test_a_program_that_never_lets_go_is_named_again_and_again_and_ends_the_wait(
    warehouse, start_python, monkeypatch, caplog
):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    stranger = start_python(
        "import duckdb, sys, time; held = duckdb.connect(sys.argv[1]); print('open', flush=True); time.sleep(600)",
        warehouse.path,
    )
    assert stranger.stdout.readline() == "open\n"
    monkeypatch.setattr("storecast.warehouse.lease.SAYS_EVERY_SECONDS", 0.3)
    with pytest.raises(
        LeaseTimeoutError, match=rf"waited 2 s for .*process {stranger.pid} \(.*python.*Close it there"
    ) as told:
        Warehouse(warehouse.path, lease_timeout_seconds=2).read("from bronze.sales")
    assert "\n" not in str(told.value)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) >= 2
    assert all(f"{warehouse.path}, which process {stranger.pid} (" in line for line in lines)


def test_a_reader_that_knows_no_lease_is_waited_for_before_dbt_is_given_the_file(warehouse, start_python):
    warehouse.replace_table("bronze.sales", sales(["a"]), SALES)
    reader = start_python(
        "import duckdb, sys, time; held = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True);"
        "time.sleep(600)",
        warehouse.path,
    )
    assert reader.stdout.readline() == "open\n"
    with pytest.raises(LeaseTimeoutError, match=f"process {reader.pid}"), Warehouse(warehouse.path, 0.5).lent():
        pytest.fail("the reader has the file open")
    reader.kill()
    reader.wait()
    with warehouse.lent(), duckdb.connect(str(warehouse.path)) as dbt:
        assert dbt.execute("select count(*) from bronze.sales").fetchall() == [(1,)]


def test_the_content_hash_of_no_rows_is_not_that_of_a_null(memory):
    assert hash_of(memory, []) != hash_of(memory, [(None, None)])


rows_of_two = st.lists(st.tuples(st.none() | st.text(max_size=3), st.none() | st.integers(-3, 3)), max_size=12)


@given(rows=rows_of_two, chance=st.randoms())
def test_the_content_hash_knows_no_order(memory, rows, chance):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert hash_of(memory, rows) == hash_of(memory, shuffled)


@given(rows=rows_of_two, others=rows_of_two)
def test_the_content_hash_differs_where_the_rows_do(memory, rows, others):
    same = sorted(rows, key=repr) == sorted(others, key=repr)
    assert (hash_of(memory, rows) == hash_of(memory, others)) == same


@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_any_name_can_be_quoted(memory, name):
    memory.execute(f"create or replace temp table {quote(name)} as select 1 as one")
    found = memory.execute("select count(*) from duckdb_tables() where table_name = ? and temporary", [name])
    assert found.fetchone() == (1,)
    memory.execute(f"drop table {quote(name)}")


@pytest.fixture(scope="module")
def memory() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def hash_of(memory: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, int | None]]) -> str:
    memory.execute("create or replace table t (name VARCHAR, number BIGINT)")
    if rows:
        memory.executemany("insert into t values (?, ?)", rows)
    return content_hash(memory, "t")


def test_encoded_rows_are_the_rows_with_text_as_categories(warehouse):
    sales = pd.DataFrame(
        {
            "product_id": [*HOSTILE, None] * 3,
            "date": pd.date_range("2025-01-01", periods=3 * (len(HOSTILE) + 1)),
            "units": 1.5,
        }
    )
    warehouse.replace_table("bronze.sales", sales, SALES)
    encoded, plain = (read("select * from bronze.sales") for read in (warehouse.read_encoded, warehouse.read))
    assert list(encoded["product_id"].cat.categories) == HOSTILE
    assert encoded["product_id"].tolist()[: len(HOSTILE)] == HOSTILE
    assert encoded["product_id"].isna().equals(plain["product_id"].isna())
    assert (encoded["date"] == plain["date"]).all()
    assert encoded["units"].equals(plain["units"])


def test_encoded_rows_of_an_empty_table_have_its_columns(warehouse):
    warehouse.replace_table("bronze.sales", pd.DataFrame(columns=list(SALES)), SALES)
    encoded = warehouse.read_encoded("select * from bronze.sales")
    assert list(encoded.columns) == list(SALES)
    assert encoded.empty
