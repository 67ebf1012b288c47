"""The design's rules that no linter knows: sizes, rooms, the source root. `make check` runs this file."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PLATFORM = REPOSITORY / "platform"
SOURCES = sorted(
    path for folder in ("platform", "assets_tests", "benchmarks") for path in (REPOSITORY / folder).rglob("*.py")
)
FILE_LINES, FUNCTION_LINES, ASSET_BODY_LINES = 400, 60, 25
ASSET_DECORATORS = {"asset", "multi_asset", "dbt_assets", "graph_asset"}
CONFIGURATION = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract for contract in CONFIGURATION["tool"]["importlinter"]["contracts"]}

PLANTED = {
    "forecasting/planted.py": """
import dagster
import duckdb
from storecast.registry import store
from storecast.simulation import shop
""",
    "warehouse/planted.py": "from storecast.ingestion import landing\n",
}
BROKEN_BY = {
    "dagster": "storecast.forecasting.planted -> dagster",
    "engines": "storecast.forecasting.planted -> duckdb",
    "rooms": "storecast.forecasting.planted -> storecast.registry.store",
    "shared_ground": "storecast.warehouse.planted -> storecast.ingestion.landing",
    "simulation": "storecast.forecasting.planted -> storecast.simulation.shop",
}


def too_long(text: str) -> Iterator[str]:
    """Tell what in a source file is longer than the design allows."""
    lines = len(text.splitlines())
    if lines > FILE_LINES:
        yield f"the file has {lines} lines of at most {FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = lines_of(node, node)
            if length > FUNCTION_LINES:
                yield f"{node.name} has {length} lines of at most {FUNCTION_LINES}"
            if is_asset(node) and (body := lines_of(first_statement(node), node)) > ASSET_BODY_LINES:
                yield f"the asset {node.name} has a body of {body} lines of at most {ASSET_BODY_LINES}"


def lines_of(first: ast.stmt, last: ast.stmt) -> int:
    return (last.end_lineno or last.lineno) - first.lineno + 1


def first_statement(function: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
    """Return what comes after the docstring."""
    after = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return after[0] if after else function.body[-1]


def is_asset(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    names = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in function.decorator_list)
    return any(ast.unparse(name).rpartition(".")[2] in ASSET_DECORATORS for name in names)


def test_files_functions_and_assets_are_short():
    found = {source: list(too_long(source.read_text(encoding="utf-8"))) for source in SOURCES}
    assert {source: problems for source, problems in found.items() if problems} == {}


def test_the_sizes_are_measured():
    statements = "\n".join(["    pass"] * 26)
    asset = f'@dg.asset(key="a")\ndef sales():\n    """Sales."""\n{statements}\n'
    assert list(too_long(asset)) == ["the asset sales has a body of 26 lines of at most 25"]
    function = "def work():\n" + "\n".join(["    pass"] * 60)
    assert list(too_long(function)) == ["work has 61 lines of at most 60"]
    assert list(too_long("\n" * 401)) == ["the file has 401 lines of at most 400"]


def test_the_source_root_is_no_package_or_it_hides_the_standard_library_s_platform():
    assert not (PLATFORM / "__init__.py").exists()
    command = [sys.executable, "-c", "import platform, uuid; print(platform.system())"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def test_every_room_has_its_walls():
    rooms = {f"storecast.{folder.parent.name}" for folder in (PLATFORM / "storecast").glob("*/__init__.py")}
    assert set(CONTRACTS["rooms"]["modules"]) == rooms - {"storecast.cli", "storecast.warehouse"}


def pins_of(path: Path) -> dict[str, str]:
    """Return the version of each package in a lock, in which every one has hashes and none an index address."""
    lock = path.read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9].*?)==(\S+) \\\n    --hash=sha256:", lock, flags=re.MULTILINE))
    assert len(pinned) == len(re.findall(r"^[^\s#]", lock, flags=re.MULTILINE))
    assert "://" not in lock
    return pinned


def test_the_lock_has_hashes_and_names_no_index():
    assert len(pins_of(REPOSITORY / "requirements.lock")) > 100


def test_the_locks_of_the_extras_agree_with_the_lock():
    locked = pins_of(REPOSITORY / "requirements.lock")
    extras = {path.stem.removeprefix("requirements-"): pins_of(path) for path in REPOSITORY.glob("requirements-*.lock")}
    assert extras.keys() == CONFIGURATION["project"]["optional-dependencies"].keys()
    for name, pinned in extras.items():
        assert {package for package in pinned.keys() & locked.keys() if pinned[package] != locked[package]} == set()
        wanted = CONFIGURATION["project"]["optional-dependencies"][name]
        assert {re.split(r"[^\w-]", requirement)[0] for requirement in wanted} <= pinned.keys()


def test_every_import_contract_breaks_when_it_is_broken(tmp_path):
    shutil.copytree(PLATFORM, tmp_path / "platform", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for name, text in PLANTED.items():
        (tmp_path / "platform" / "storecast" / name).write_text(text, encoding="utf-8")
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "platform"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert linted.returncode == 1, linted.stdout + linted.stderr
    assert set(BROKEN_BY) == set(CONTRACTS)
    for name, edge in BROKEN_BY.items():
        told = linted.stdout.split(CONTRACTS[name]["name"])
        assert told[1].lstrip().startswith("BROKEN"), linted.stdout
        assert edge in told[2], linted.stdout
