"""The proof that writers, dbt, publishers and readers work side by side."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storecast.warehouse import Warehouse
from storecast.warehouse.publishing import publish

WORKERS = Path(__file__).with_name("proof_workers.py")
PROCESSES = [
    ("write", "bronze.left"),
    ("write", "ops.right"),
    ("write_halves", "halves"),
    ("run_dbt", "dbt"),
    ("publish", "publisher 1"),
    ("publish", "publisher 2"),
    ("read", "reader 1"),
    ("read", "reader 2"),
]


@pytest.mark.slow
def test_eight_processes_at_once_lose_nothing_refuse_nobody_and_show_no_half(warehouse_path, record_property):
    seconds = float(os.environ.get("STORECAST_PROOF_SECONDS", "60"))
    pointer = warehouse_path.parent / "published" / "storecast.duckdb"
    warehouse = Warehouse(warehouse_path)
    with warehouse.writing() as connection:
        for table in ("silver.first_half", "gold.second_half", "silver.first_model", "gold.second_model"):
            connection.execute(f"create table {table} as select 0::BIGINT as generation")
    publish(warehouse, pointer)

    running = {
        name: subprocess.Popen(
            [sys.executable, str(WORKERS), role, str(warehouse_path), str(pointer), name, str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role, name in PROCESSES
    }
    told = {name: process.communicate(timeout=seconds + 300) for name, process in running.items()}
    assert {name: told[name][1] for name, process in running.items() if process.returncode != 0} == {}

    counts = {name: json.loads(output) for name, (output, _) in told.items()}
    record_property(f"eight processes, {seconds:g} s", json.dumps(counts))
    for table in ("bronze.left", "ops.right"):
        stored = warehouse.read(f"select count(*) as n, count(distinct number) as d, max(number) as m from {table}")
        assert set(stored.iloc[0]) == {counts[table]["acknowledged"]}
    generation = warehouse.read("select generation from silver.first_half")["generation"].item()
    assert generation == counts["halves"]["acknowledged"]
    assert min(count for of_one in counts.values() for count in of_one.values()) > 0, "a process never had its turn"
    assert counts["dbt"]["runs"] > 1
    assert counts["reader 1"]["generations"] > 1
