"""The whole `storecast run` as a process: Online Retail II beside an earlier commit, and a run with nothing new."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from benchmarks.measuring import SAMPLE_SECONDS
from benchmarks.rows import GIGABYTE, Row
from benchmarks.running_shop import REPOSITORY

EARLIER: Final = "ae77393"
"""The commit that the main job is held against."""
RETAIL: Final = "online_retail_ii"
RETAIL_FOLDER: Final = Path(os.environ.get("STORECAST_TEST_DATA", REPOSITORY.parent / "shared" / "data")) / RETAIL
SHORT_SHOP: Final = {
    "STORECAST_DEMO_PRODUCTS": "12",
    "STORECAST_DEMO_DAYS": "200",
    "STORECAST_MODELS": "seasonal_naive",
    "STORECAST_SELECTION_ORIGINS": "1",
    "STORECAST_EVALUATION_ORIGINS": "1",
}
MOST_OF_EARLIER, MOST_GB, MOST_SECONDS, MOST_FIRST_LINE = 0.3, 2.0, 3.0, 0.5
COMMAND: Final = ("-u", "-c", "from storecast.cli import main; main()", "run")


@dataclass(frozen=True)
class Ran:
    """What a command cost: seconds of the clock, until its first line, and of all cores; its peak memory."""

    wall_seconds: float
    first_line_seconds: float
    cpu_seconds: float
    peak_gb: float


def main_job_rows(*, is_short: bool) -> list[Row]:
    """Rows of the main job; on a part of the data only a small demo shop, and no bounds on whole runs."""
    rows = [] if is_short else retail_rows()
    with tempfile.TemporaryDirectory(prefix="second-run-") as name:
        variables = SHORT_SHOP if is_short else {}
        storecast_run(REPOSITORY, Path(name), variables)
        second = storecast_run(REPOSITORY, Path(name), variables)
    return [
        *rows,
        Row("second run with nothing new, demo shop: wall time", "s", second.wall_seconds, bound=MOST_SECONDS),
        Row("the same: first line after", "s", second.first_line_seconds, bound=MOST_FIRST_LINE),
    ]


def retail_rows() -> list[Row]:
    """Online Retail II with this tree and with the earlier commit, one after the other; none where data are missing."""
    if not RETAIL_FOLDER.is_dir():
        return []
    with earlier_tree() as tree:
        ours, theirs = (_fresh_run(folder) for folder in (REPOSITORY, tree))
    what = f"Online Retail II, main job; {EARLIER}"
    return [
        Row(f"{what}: wall time", "s", ours.wall_seconds, theirs.wall_seconds, MOST_OF_EARLIER, "ratio"),
        Row(f"{what}: CPU time", "s", ours.cpu_seconds, theirs.cpu_seconds),
        Row(f"{what}: peak memory", "GB", ours.peak_gb, theirs.peak_gb, MOST_GB),
    ]


@contextmanager
def earlier_tree() -> Iterator[Path]:
    """The earlier commit as a worktree of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="earlier-") as name:
        tree = Path(name, "tree")
        _git("worktree", "add", "--detach", str(tree), EARLIER)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, capture_output=True)


def _fresh_run(tree: Path) -> Ran:
    with tempfile.TemporaryDirectory(prefix="retail-") as data_dir:
        return storecast_run(tree, Path(data_dir), {}, "--source", RETAIL, "--path", str(RETAIL_FOLDER))


def storecast_run(tree: Path, data_dir: Path, variables: Mapping[str, str], *arguments: str) -> Ran:
    """Run `storecast run` of a tree on a data folder; raises `RuntimeError` with its last words where it fails."""
    environment = {**os.environ, **variables, "PYTHONPATH": str(tree / "platform")}
    command = [sys.executable, *COMMAND, *arguments, "--data-dir", str(data_dir)]
    started = time.perf_counter()
    with subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        watch = _Watch(process.pid)
        watch.start()
        first = process.stdout.readline() if process.stdout else ""
        first_line = time.perf_counter() - started
        said = first + (process.stdout.read() if process.stdout else "")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.is_over.set()
        watch.join()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} in {tree} ended with {process.returncode}:\n{said[-4000:]}")
    return Ran(time.perf_counter() - started, first_line, usage.ru_utime + usage.ru_stime, watch.peak_bytes / GIGABYTE)


class _Watch(threading.Thread):
    """The largest sum of memory over a process and its children."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.is_over = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self.is_over.wait(SAMPLE_SECONDS):
            try:
                tree = [self._root, *self._root.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(int(each.memory_full_info().pss) for each in tree))
            except psutil.NoSuchProcess:
                continue
