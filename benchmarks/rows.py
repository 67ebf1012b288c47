"""What a benchmark says: one row a target, `met` computed from the figures, written as JSON and printed as a table."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tabulate import tabulate

RESULTS: Final = Path(__file__).parent / "results"
SHORT_RESULTS: Final = RESULTS / "short"
PACKAGES: Final = (
    "numpy", "scipy", "numba", "pandas", "duckdb", "lightgbm", "sktime", "statsforecast", "mlforecast",
)  # fmt: skip
GIGABYTE: Final = 1024**3


@dataclass(frozen=True)
class Row:
    """One figure of ours, the peer's beside it, and the target it is held against.

    `bound` is compared with `of`: our figure, or its ratio to the peer's. A row without a bound only informs.
    """

    what: str
    unit: str
    ours: float
    peer: float | None = None
    bound: float | None = None
    of: Literal["ours", "ratio"] = "ours"
    is_floor: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return None if self.peer is None else self.ours / self.peer

    @property
    def target(self) -> str | None:
        """The target in words."""
        return None if self.bound is None else f"{self.of} {'>=' if self.is_floor else '<='} {self.bound:g}"

    @property
    def met(self) -> bool | None:
        """Whether the figure keeps its bound; None without one, False where the figure is not a number.

        >>> Row("wall time", "s", 3.0, 2.0, bound=1.1, of="ratio").met
        False
        """
        if self.bound is None:
            return None
        figure = self.ours if self.of == "ours" else self.ratio
        if figure is None:
            raise ValueError(f"row {self.what!r} has a bound on its ratio but no peer: give the peer's figure")
        return bool(figure >= self.bound if self.is_floor else figure <= self.bound)

    def as_record(self) -> dict[str, Any]:
        """The row as the results file holds it."""
        names = ("what", "unit", "ours", "peer", "ratio", "target", "met")
        return {name: getattr(self, name) for name in names}


def show(rows: Sequence[Row]) -> str:
    """The rows as a table for people.

    >>> print(show([Row("WRMSSE", "-", 0.5, 0.6, bound=0.55)]))
    what    unit      ours    peer    ratio  target        met
    ------  ------  ------  ------  -------  ------------  -----
    WRMSSE  -          0.5     0.6   0.8333  ours <= 0.55  yes
    """
    words = {True: "yes", False: "NO", None: ""}
    table = [{**row.as_record(), "met": words[row.met]} for row in rows]
    return tabulate(table, headers="keys", floatfmt=".4g", missingval="")


def misses(rows: Sequence[Row]) -> list[str]:
    """What keeps its bound not, a sentence a row.

    >>> misses([Row("WRMSSE", "-", 0.5, bound=0.55), Row("coverage", "%", 80.0, bound=85.0, is_floor=True)])
    ['coverage is 80 %, where its target is ours >= 85']
    """
    return [
        f"{row.what} is {row.ours:g} {row.unit}, where its target is {row.target}" for row in rows if row.met is False
    ]


def write(benchmark: str, rows: Sequence[Row], *, is_short: bool) -> Path:
    """Write the rows with machine, versions and commit; a short form never replaces a whole one."""
    folder = SHORT_RESULTS if is_short else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    result = {
        "benchmark": benchmark,
        "commit": _commit(),
        "machine": _machine(),
        "versions": _versions(),
        "rows": [row.as_record() for row in rows],
    }
    path = folder / f"{benchmark}.json"
    path.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _commit() -> str:
    """The commit, with a `+` where tracked files differ from it."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, cwd=here, check=True, capture_output=True, text=True).stdout.strip()

    return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "architecture": platform.machine(),
        "load_after": round(os.getloadavg()[0], 2),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
