import sqlite3
import subprocess
import sys
from contextlib import closing

import duckdb
import pytest

from storecast.warehouse import Lease, LeaseError, Warehouse, is_transient

HOLD_DATABASE = "import duckdb, sys; held = duckdb.connect(sys.argv[1])"
HOLD_LOCK = "import fcntl, sys; held = open(sys.argv[1], 'w'); fcntl.flock(held, fcntl.LOCK_EX)"


@pytest.fixture
def held_by_another_process():
    holders = []

    def hold(program: str, path: str) -> None:
        command = [sys.executable, "-c", f"{program}\nprint(flush=True)\nsys.stdin.read()", path]
        holders.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        holders[-1].stdout.readline()

    yield hold
    for holder in holders:
        holder.communicate()


def test_a_warehouse_that_another_process_has_open_may_be_free_later(tmp_path, held_by_another_process):
    path = str(tmp_path / "warehouse.duckdb")
    held_by_another_process(HOLD_DATABASE, path)
    with pytest.raises(duckdb.IOException) as refused:
        duckdb.connect(path)
    assert is_transient(refused.value)


def test_a_sqlite_database_that_is_being_written_may_be_free_later_and_a_missing_table_stays_missing(tmp_path):
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path, timeout=0)) as writer, closing(sqlite3.connect(path, timeout=0)) as other:
        writer.execute("begin exclusive")
        with pytest.raises(sqlite3.OperationalError) as refused:
            other.execute("create table t (x)")
        with pytest.raises(sqlite3.OperationalError) as missing:
            writer.execute("select * from nowhere")
    assert is_transient(refused.value)
    assert not is_transient(missing.value)


def test_a_lease_that_others_hold_may_be_free_later_and_asking_twice_is_an_error_of_ours(
    tmp_path, held_by_another_process
):
    lease = Lease(tmp_path / "file", timeout_seconds=0.01)
    with lease.exclusive(), pytest.raises(LeaseError) as ours, lease.shared():
        pass
    held_by_another_process(HOLD_LOCK, str(tmp_path / "file.lease.lock"))
    with pytest.raises(LeaseError) as theirs, lease.exclusive():
        pass
    assert is_transient(theirs.value)
    assert not is_transient(ours.value)


def test_what_is_wrong_stays_wrong(tmp_path):
    with pytest.raises(FileNotFoundError) as no_warehouse, Warehouse(tmp_path / "none").reading():
        pass
    with pytest.raises(duckdb.IOException) as no_file:
        duckdb.execute("from read_parquet(?)", [f"{tmp_path}/none.parquet"])
    assert not any(is_transient(error) for error in (no_warehouse.value, no_file.value, ValueError("units: -3")))
