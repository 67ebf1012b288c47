"""A command says its first line before anything slow is imported."""

import subprocess
import sys

import pytest

SLOW = ("dagster", "duckdb", "lightgbm", "mlflow", "numpy", "pandas", "pandera", "pydantic", "sktime")


def imported_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True, check=True)
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}


def test_the_command_line_imports_nothing_slow():
    assert imported_by("import storecast.cli").isdisjoint(SLOW)


@pytest.mark.parametrize("module", ["storecast.run", "storecast.cli.status", "storecast.cli.quarantine"])
def test_what_says_that_nothing_is_new_or_what_there_is_needs_neither_dagster_nor_a_model(module):
    assert imported_by(f"import {module}").isdisjoint({"dagster", "lightgbm", "mlflow", "sklearn", "sktime", "xgboost"})
