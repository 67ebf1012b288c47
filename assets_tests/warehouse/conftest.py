"""Processes of their own for tests about several of them."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

StartPython = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_python() -> Iterator[StartPython]:
    """Start `python -c code arguments…`; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", code, *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def warehouse_path(tmp_path: Path) -> Path:
    """Where a test's warehouse lies; the folder is not there yet."""
    return tmp_path / "data of 'a shop'" / "warehouse.duckdb"
