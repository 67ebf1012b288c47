"""The composed graph: keys and edges against a committed snapshot, what each asset tells, what loading it touches."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from storecast import automation
from storecast.definitions import compose
from storecast.ingestion import checks as ingestion_checks
from storecast.settings import Settings, process_environment
from storecast.warehouse import Warehouse
from storecast.warehouse.dbt import PROJECT_DIR, manifest_path
from storecast.warehouse.resources import COLUMN_SCHEMA

REPOSITORY = Path(__file__).parents[1]
SNAPSHOT = Path(__file__).with_name("asset_graph.json")
RENEW = "STORECAST_TEST_RENEW_GRAPH"
DEFINITIONS_LINES = 40
GRAIN = re.compile(r"\bone row\b|\ba row an?\b|^Files of the source|^One immutable copy", re.IGNORECASE)
TABLE_SCHEMAS = {"bronze", "silver", "gold", "ops"}
OTHER_SOURCES = ("online_retail_ii", "olist", "m5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """A data folder for all compositions here: dbt's project is parsed once."""
    data_dir = tmp_path_factory.mktemp("graph") / "data"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in process_environment(Settings(data_dir=data_dir)).items():
            environment.setenv(name, value)
        yield data_dir


@pytest.fixture(scope="module")
def definitions(folder) -> dg.Definitions:
    return compose(Settings(data_dir=folder))


@pytest.fixture(scope="module")
def nodes(definitions) -> dict[str, Any]:
    """Every asset of the graph by its key's text."""
    graph = definitions.resolve_asset_graph()
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


@pytest.fixture(scope="module")
def views(folder, definitions) -> set[str]:
    """The dbt models that are no tables."""
    manifest = json.loads(manifest_path(Settings(data_dir=folder)).read_text(encoding="utf-8"))
    return {
        f"{node['schema']}/{node['alias']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["materialized"] == "view"
    }


def edges_of(definitions: dg.Definitions) -> dict[str, list[str]]:
    """Return the keys each asset hangs on."""
    graph = definitions.resolve_asset_graph()
    return {
        key.to_user_string(): sorted(parent.to_user_string() for parent in graph.get(key).parent_keys)
        for key in sorted(graph.get_all_asset_keys())
    }


def picture_of(definitions: dg.Definitions) -> dict[str, Any]:
    """Return all of the graph that later work must not change unawares."""
    return {
        "assets": edges_of(definitions),
        "jobs": {
            job: sorted(
                key.to_user_string() for key in definitions.resolve_job_def(job).asset_layer.executable_asset_keys
            )
            for job in automation.JOBS
        },
        "schedules": {schedule.name: schedule.job_name for schedule in definitions.schedules or []},
        "sensors": {
            sensor.name: sorted(target.job_name for target in sensor.targets) for sensor in definitions.sensors or []
        },
    }


def test_keys_edges_jobs_and_automation_are_those_of_the_snapshot(definitions):
    picture = picture_of(definitions)
    if RENEW in os.environ:
        SNAPSHOT.write_text(json.dumps(picture, indent=1) + "\n", encoding="utf-8")
    known = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert picture == known, (
        f"the asset graph is not the one in {SNAPSHOT.name}. If that is meant, write it anew with\n"
        f"  {RENEW}=1 .venv/bin/pytest {Path(__file__).relative_to(REPOSITORY)}\n"
        "and commit it with the change that made it so"
    )


def test_all_that_is_published_comes_from_the_source_and_all_assets_are_part_of_it(definitions):
    edges = edges_of(definitions)
    ancestors: set[str] = set()
    waiting = ["published/storecast"]
    while waiting:
        new = set(edges[waiting.pop()]) - ancestors
        ancestors |= new
        waiting += new
    assert set(edges) - ancestors == {"published/storecast"}
    assert {key for key in edges if not edges[key] and not key.startswith("source/")} == set()


@pytest.mark.parametrize("source", OTHER_SOURCES)
def test_every_source_has_the_same_graph_above_its_own_files(definitions, folder, source, tmp_path):
    other = compose(Settings(data_dir=folder, source=source, source_path=tmp_path))
    shared, own = edges_of(definitions), edges_of(other)
    for edges in (shared, own):
        edges["ops/landed_files"] = []
    assert {key: deps for key, deps in own.items() if not key.startswith("source/")} == {
        key: deps for key, deps in shared.items() if not key.startswith("source/")
    }
    assert any(key.startswith("source/") for key in own)


def test_every_asset_says_its_grain_its_owners_its_kinds_and_its_room(nodes):
    silent = {
        name: missing
        for name, node in nodes.items()
        if (
            missing := [
                what
                for what, told in {
                    "description": bool(node.description),
                    "grain": GRAIN.search(node.description or "") is not None,
                    "owners": bool(node.owners),
                    "kinds": bool(node.kinds),
                    "group": node.group_name not in {None, "default"},
                }.items()
                if not told
            ]
        )
    }
    assert silent == {}


def test_every_table_shows_its_columns(nodes, views):
    tables = {name for name in nodes if name.split("/")[0] in TABLE_SCHEMAS} - views
    assert len(tables) > 40
    assert {name for name in tables if COLUMN_SCHEMA not in nodes[name].metadata} == set()


def test_every_table_that_a_run_makes_is_checked(nodes, views, definitions):
    made = {name for name, node in nodes.items() if node.is_materializable and name.split("/")[0] in TABLE_SCHEMAS}
    checked: dict[str, set[str]] = {}
    for check in definitions.resolve_asset_graph().asset_check_keys:
        checked.setdefault(check.asset_key.to_user_string(), set()).add(check.name)
    assert made - views - set(checked) == set()
    python_tables = {name for name in made if "dbt" not in nodes[name].kinds}
    accounted = {
        f"bronze/{entity}" for entity in ingestion_checks.ENTITIES
    }  # text, judged later: only none may be lost
    assert {name for name in python_tables - accounted if "contract" not in checked[name]} == set()
    assert {name for name in accounted if "nothing_lost" not in checked[name]} == set()
    assert "every_row_is_accounted_for" in checked["ops/reconciliation"]


def test_rooms_are_groups_and_silver_and_gold_are_dbts(nodes):
    rooms = {
        path.parent.name for path in (REPOSITORY / "platform" / "storecast").glob("*/assets*") if path.stem == "assets"
    }
    groups = {node.group_name for node in nodes.values()}
    assert groups == rooms - {"warehouse"} | {"source", "silver", "gold", "published"}
    for name, node in nodes.items():
        assert ("dbt" in node.kinds) == (node.group_name in {"silver", "gold"}), name


def test_the_composition_stays_short():
    path = REPOSITORY / "platform" / "storecast" / "definitions.py"
    text = path.read_text(encoding="utf-8")
    documented = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Module | ast.FunctionDef)]
    prose = {
        line
        for node in documented
        if ast.get_docstring(node)
        for line in range(node.body[0].lineno, node.body[0].end_lineno + 1)
    }
    code = [line for number, line in enumerate(text.splitlines(), 1) if line.strip() and number not in prose]
    assert len(code) <= DEFINITIONS_LINES


def test_loading_the_graph_opens_no_warehouse_and_writes_nothing_but_dbt_s_manifest(folder, definitions, tmp_path):
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR", "PWD")}
    for place in places.values():
        place.mkdir()
    settings = Settings(data_dir=folder)
    environment = {**os.environ, **process_environment(settings), **{name: str(path) for name, path in places.items()}}
    load = "from storecast.definitions import storecast; storecast().resolve_asset_graph()"
    with Warehouse(settings.warehouse_path).writing():  # DuckDB lets no other process open the file now
        before = [state_of(place) for place in (folder, PROJECT_DIR)]
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", load],
            cwd=places["PWD"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=settings.lease_timeout_seconds / 2,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert [state_of(place) for place in (folder, PROJECT_DIR)] == before
    assert [path for place in places.values() for path in state_of(place)] == []
    made = {path.relative_to(folder).parts[0] for path in before[0] if not path.name.startswith("warehouse.duckdb")}
    assert made == {"dbt"}


def state_of(folder: Path) -> dict[Path, int]:
    """Return every file below a folder and when it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
