"""What the last complete run knew: whether a run now would do anything, told without Dagster, MLflow or a model."""

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from storecast.ingestion.landing import file_sha256, find_files, read_log
from storecast.ingestion.sources import resolve_source
from storecast.settings import Settings
from storecast.shop import fingerprint
from storecast.warehouse import Warehouse
from storecast.warehouse.dbt import project_files

PACKAGE = Path(__file__).parent
LAST_RUN = "last_run.json"
KNOWN_HASHES = "source_hashes.json"
TUNED = "ops.tuned_parameters"
ALIASES_SQL = "select alias, version from registered_model_aliases"
FINE_GRAIN_NS, COARSE_GRAIN_NS = 100_000_000, 2_500_000_000
"""A file that was hashed so soon after its last change may have changed again without another time: some file systems
keep whole seconds only, one of them every second one; others keep milliseconds."""


@dataclass(frozen=True)
class LastRun:
    """A fingerprint of all that decided the result, and where MLflow's aliases led then."""

    state: str
    aliases: dict[str, str]


def last_run(settings: Settings) -> LastRun | None:
    """Return what was remembered, None where a run never ended or what it made is gone."""
    path = settings.data_dir / LAST_RUN
    if not all(made.exists() for made in (path, settings.warehouse_path, settings.published_path)):
        return None
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return LastRun(fields["state"], dict(fields["aliases"]))
    except (ValueError, KeyError, TypeError):  # an earlier version's, or damaged: then a run has to look
        return None


def remember(settings: Settings, state: str) -> None:
    """Write down that all is done for a state, with MLflow's aliases as they are now."""
    _write(settings.data_dir / LAST_RUN, json.dumps(asdict(LastRun(state, aliases_now(settings)))))


def state_of(settings: Settings) -> str:
    """Return a hash of all that decides the result: source files, mappings, what was let go, settings, tuning, code."""
    source = resolve_source(settings)
    hashes = KnownHashes(settings.data_dir / KNOWN_HASHES)
    files = [(file.relative, hashes.sha256(file.path)) for file in find_files(source)]
    hashes.keep()
    mappings = [(feed.name, feed.mapping_hash({})) for feed in source.feeds]
    decisions = [(event.file_sha256, event.kind) for event in read_log(settings.landing_dir) if event.is_decision]
    warehouse = Warehouse.of(settings)
    tuned = [(TUNED, warehouse.content_hash(TUNED))] if warehouse.exists(TUNED) else []
    return fingerprint(settings, files + mappings + decisions + tuned, code_files())


def code_files() -> list[Path]:
    """Return the files of Storecast's code and of the dbt project."""
    return [*PACKAGE.rglob("*.py"), *project_files()]


def has_read_all(settings: Settings, created: float, began: float) -> bool:
    """Tell whether a run that was created and began at these moments, in seconds since 1970, knew what lies here now.

    It loads mapping and code after it was created, and reads source files after it began. The files' change time is
    asked, which no program can set back.
    """
    config = [] if settings.source_config is None else [settings.source_config]
    files = [file.path for file in find_files(resolve_source(settings))]
    return _changed_before(created, [*config, *code_files()]) and _changed_before(began, files)


def _changed_before(moment: float, paths: Iterable[Path]) -> bool:
    return all(path.stat().st_ctime < moment for path in paths)


def aliases_now(settings: Settings) -> dict[str, str]:
    """Return the version of each alias in MLflow's database, read as a file: MLflow takes seconds to import.

    Raises `sqlite3.DatabaseError` where the database is damaged.
    """
    database = settings.mlflow_dir / "mlflow.db"
    if not database.exists():
        return {}
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        if connection.execute("select 1 from sqlite_master where name = 'registered_model_aliases'").fetchone() is None:
            return {}  # its maker was killed, or is at it
        return {alias: str(version) for alias, version in connection.execute(ALIASES_SQL)}


class KnownHashes:
    """The hashes of files that did not change since they were read: 58 MB of a shop's files need not be read again.

    A file is the same where path, size, inode and both its times are; one that had just changed when it was read is
    read again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = _read_hashes(path)
        self._now: dict[str, list[int | str]] = {}

    def sha256(self, path: Path) -> str:
        """Return the hash of a file's bytes. Raises `SourceFileError` where it cannot be read."""
        began = time.time_ns()
        stat = path.stat()
        identity: list[int | str] = [stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
        known = self._before.get(str(path))
        sha256 = str(known[-1]) if known is not None and known[:-1] == identity else file_sha256(path)
        if _is_settled((stat.st_mtime_ns, stat.st_ctime_ns), began):
            self._now[str(path)] = [*identity, sha256]
        return sha256

    def keep(self) -> None:
        """Write down the hashes of the files that were asked for, where there is anything new."""
        if self._now != self._before:
            _write(self._path, json.dumps(self._now, indent=0))


def _is_settled(changes: Iterable[int], now: int) -> bool:
    """Tell whether a file changed long enough ago for its next change to have another time."""
    return all(now - change > (FINE_GRAIN_NS if change % 1_000_000_000 else COARSE_GRAIN_NS) for change in changes)


def _read_hashes(path: Path) -> dict[str, list[int | str]]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):  # none yet, or damaged: the files are read
        return {}


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    building.write_text(text, encoding="utf-8")
    building.replace(path)
