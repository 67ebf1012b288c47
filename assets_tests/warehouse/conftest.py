"""Processes of their own for tests about several of them."""

import subprocess
import sys
import time
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
def wait_for() -> Callable[[Callable[[], object]], None]:
    """Wait until something is true; fail after a minute."""

    def wait(is_true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not is_true():
            assert time.monotonic() < deadline, "waited a minute in vain"
            time.sleep(0.01)

    return wait


@pytest.fixture
def warehouse_path(tmp_path: Path) -> Path:
    """Where a test's warehouse lies; the folder is not there yet."""
    return tmp_path / "data of 'a shop'" / "warehouse.duckdb"
