"""The processes of `test_eight_processes.py`: `python proof_workers.py ROLE WAREHOUSE POINTER NAME SECONDS`.

Each works until its time is over and then prints its counts as JSON. None catches an error: what goes wrong ends the
process, and its exit code the proof.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd

from storecast.warehouse import Warehouse
from storecast.warehouse.publishing import publish

HALVES = ("silver.first_half", "gold.second_half")
MADE_BY_DBT = ("silver.first_model", "gold.second_model")

PROJECT = {
    "dbt_project.yml": """
name: proof
version: "1.0"
profile: proof
models:
  proof:
    +materialized: table
""",
    "profiles.yml": """
proof:
  target: warehouse
  outputs:
    warehouse: {type: duckdb, path: "{{ env_var('STORECAST_WAREHOUSE') }}", schema: silver, threads: 2}
""",
    "macros/schema.sql": """
{% macro generate_schema_name(name, node) %}{{ name or target.schema }}{% endmacro %}
""",
    "models/first_model.sql": "select max(generation) as generation from silver.first_half",
    "models/second_model.sql": """
{{ config(schema='gold') }}
-- depends_on: {{ ref('first_model') }}
select max(generation) as generation from gold.second_half
""",
}


def write(warehouse: Warehouse, _: Path, table: str, turns: Iterator[int]) -> dict[str, int]:
    """Add a row at a time; a row is acknowledged once its write has returned."""
    acknowledged = 0
    for number in turns:
        warehouse.replace_rows(table, pd.DataFrame({"number": [number]}), {"number": [number]})
        acknowledged += 1
    return {"acknowledged": acknowledged}


def write_halves(warehouse: Warehouse, _: Path, __: str, turns: Iterator[int]) -> dict[str, int]:
    """Write one generation number to two tables in one transaction."""
    generation = 0
    for generation in turns:
        write_generation(warehouse, generation)
    return {"acknowledged": generation}


def write_generation(warehouse: Warehouse, generation: int) -> None:
    with warehouse.writing() as connection:
        for table in HALVES:
            connection.execute(f"create or replace table {table} as select ?::BIGINT as generation", [generation])


def run_dbt(warehouse: Warehouse, _: Path, name: str, turns: Iterator[int]) -> dict[str, int]:
    """Run a real dbt under an exclusive lease; its two models see one state of the two halves."""
    project = warehouse.path.parent / name
    for file, text in PROJECT.items():
        (project / file).parent.mkdir(parents=True, exist_ok=True)
        (project / file).write_text(text, encoding="utf-8")
    runs = 0
    for _ in turns:
        with warehouse.lease.exclusive():
            run_dbt_once(warehouse, project)
        runs += 1
        time.sleep(1)  # the others shall have a turn, as between the pipeline's steps
    return {"runs": runs}


def run_dbt_once(warehouse: Warehouse, project: Path) -> None:
    environment = {**os.environ, "STORECAST_WAREHOUSE": str(warehouse.path), "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    command = [str(Path(sys.executable).with_name("dbt")), "run", "--project-dir", str(project)]
    done = subprocess.run(
        [*command, "--profiles-dir", str(project)], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        message = f"dbt failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)


def publish_often(warehouse: Warehouse, pointer: Path, _: str, turns: Iterator[int]) -> dict[str, int]:
    """Publish, rest, publish."""
    new = [publish(warehouse, pointer).is_new for _ in turns if not time.sleep(0.05)]
    return {"publications": len(new), "new": sum(new)}


def read_published(_: Warehouse, pointer: Path, name: str, turns: Iterator[int]) -> dict[str, int]:
    """Open the published file, hold it open while it is replaced, and look at it again and again."""
    chance = random.Random(name)
    opened = queries = newest = 0
    generations: set[int] = set()
    for _ in turns:
        until = time.monotonic() + chance.uniform(0, 2)
        with duckdb.connect(str(pointer), read_only=True, config={"enable_external_access": False}) as connection:
            opened += 1
            held = generation_of(connection)
            while time.monotonic() < until:
                seen = generation_of(connection)
                queries += 1
                if seen != held:
                    message = f"generation {seen} in a file opened at {held}"
                    raise RuntimeError(message)
                time.sleep(0.02)
        if held < newest:
            message = f"the pointer went back from generation {newest} to {held}"
            raise RuntimeError(message)
        newest = held
        generations.add(held)
    return {"opened": opened, "queries": queries, "generations": len(generations)}


def generation_of(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the generation that two tables written together must share."""
    first, second, *made_by_dbt = (
        connection.execute(f"select max(generation) from {table}").fetchone()[0] for table in (*HALVES, *MADE_BY_DBT)
    )
    if first != second or len(set(made_by_dbt)) != 1 or made_by_dbt[0] > first:
        message = f"half a publication: {first}, {second}, by dbt {made_by_dbt}"
        raise RuntimeError(message)
    return int(first)


def turns_until(seconds: float) -> Iterator[int]:
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        number += 1
        yield number


ROLES = {
    "write": write,
    "write_halves": write_halves,
    "run_dbt": run_dbt,
    "publish": publish_often,
    "read": read_published,
}

if __name__ == "__main__":
    role, warehouse_path, pointer_path, own_name, for_seconds = sys.argv[1:]
    counts = ROLES[role](Warehouse(Path(warehouse_path)), Path(pointer_path), own_name, turns_until(float(for_seconds)))
    print(json.dumps(counts))  # noqa: T201 - read by the test
