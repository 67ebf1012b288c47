"""Random exports with known truth through the product's own `refresh`, the shared cases, and the main job as a process.

An export is a shape in a dialect with a slip. What the product makes of it is right, refused with file and place, or
silently wrong; a plain reader at its best (pandas, DuckDB) reads the same files beside it.
`python -m benchmarks.exports NUMBER FOLDER` writes one export as a shop of its own, to look into it.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import click

from benchmarks.exports.generator import exports
from benchmarks.exports.main_job import main_job_rows
from benchmarks.exports.peers import judged, with_duckdb, with_pandas
from benchmarks.exports.playing import Outcome, parse_project, settle, shops_of
from benchmarks.exports.scoring import Verdict, verdicts
from benchmarks.exports.truth import Export
from benchmarks.rows import Row
from benchmarks.running_shop import REPOSITORY

SEED: Final = 10
NUMBER: Final = 500
SHOP_SIZE: Final = 70
SHORT_NUMBER: Final = 72
SHORT_SIZE: Final = 24
PROCESSES: Final = 2
LEAST_RIGHT: Final = 95.0
CASES: Final = REPOSITORY.parent / "shared" / "cases"
CASES_TEST: Final = "assets_tests/ingestion/test_shared_cases.py"


def run(*, is_short: bool) -> list[Row]:
    """Exports, the cases where they are there, and the main job; in short one shop of exports."""
    drawn = exports(SHORT_NUMBER if is_short else NUMBER, SEED)
    shops = shops_of(drawn, SHORT_SIZE if is_short else SHOP_SIZE)
    shops = [max(shops, key=len)] if is_short else shops
    rows = export_rows(shops)
    if not is_short and CASES.is_dir():
        rows += case_rows()
    return [*rows, *main_job_rows(is_short=is_short)]


def export_rows(shops: Sequence[Sequence[Export]]) -> list[Row]:
    """What became of the exports, ours beside the better of two plain readers."""
    started = time.perf_counter()
    judgements = [verdict for shop, outcome in played(shops) for verdict in verdicts(shop, outcome)]
    seconds = time.perf_counter() - started
    for verdict in judgements:
        if verdict.kind == "silently wrong" or verdict.account:
            click.echo(_line(verdict))
    drawn = [verdict.export for verdict in judgements]
    found = Counter(verdict.kind for verdict in judgements)
    peers = [Counter(judged(export, read) for export in drawn) for read in (with_pandas, with_duckdb)]
    peer = max(peers, key=lambda kinds: kinds["right"])
    number = len(drawn)
    accounted = sum(not verdict.account for verdict in judgements)
    return [
        Row(
            f"{number} random exports: silently wrong", "exports", found["silently wrong"], peer["silently wrong"], 0
        ),
        Row(
            "the same: right without a person", "%", 100 * found["right"] / number, 100 * peer["right"] / number,
            LEAST_RIGHT, is_floor=True,
        ),
        Row("the same: refused, with file and place", "exports", found["refused"], peer["refused"]),
        Row("the same: every row accounted for, counted twice", "exports", accounted, bound=number, is_floor=True),
        Row("the same: wall time", "s", seconds),
    ]  # fmt: skip


def played(shops: Sequence[Sequence[Export]]) -> list[tuple[Sequence[Export], Outcome]]:
    """Play shops side by side, each in a process that plays others too; what they print goes to a file."""
    with tempfile.TemporaryDirectory(prefix="exports-") as name:
        folder = Path(name)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(PROCESSES, context, _to_file, (folder / "log",)) as pool:
            pool.submit(parse_project, [export for shop in shops for export in shop], folder).result()
            return list(zip(shops, pool.map(partial(settle, folder=folder), shops), strict=True))


def case_rows() -> list[Row]:
    """How many of the shared cases are neither right nor refused, as their tests say."""
    with tempfile.TemporaryDirectory(prefix="cases-") as name:
        report = Path(name, "report.xml")
        command = [sys.executable, "-m", "pytest", CASES_TEST, "-q", f"-n{PROCESSES}", f"--junitxml={report}"]
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False)
        tests = list(ET.parse(report).iter("testcase"))  # noqa: S314 - written by this very run
    wrong = [test.get("name") for test in tests if test.find("failure") is not None or test.find("error") is not None]
    for test in wrong:
        click.echo(f"case: {test}")
    return [Row(f"{len(tests)} tests of the shared cases: neither right nor refused", "tests", len(wrong), bound=0)]


def _to_file(path: Path) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())


def _line(verdict: Verdict) -> str:
    export = verdict.export
    slip = f", {export.slip}" if export.slip else ""
    account = f"; account: {verdict.account}" if verdict.account else ""
    return f"{export.name} ({export.shape}{slip}): {verdict.kind}: {verdict.why}{account}"
