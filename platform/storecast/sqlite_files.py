"""Whether the SQLite files of MLflow and Dagster are whole, told before a stage begins: libraries end in tracebacks."""

import struct
from pathlib import Path

from storecast.settings import Settings
from storecast.warehouse import DamagedFileError

MAGIC = b"SQLite format 3\0"
HEADER = struct.Struct(">16xH6xII60xI4x")
"""Page size, change counter, pages, and the counter at which the pages were counted."""


def require_whole(settings: Settings) -> None:
    """Raise `DamagedFileError` naming a database that is truncated or none, and what is lost without it."""
    what_to_do = {
        settings.mlflow_dir / "mlflow.db": "the models: without it the next run trains anew",
        settings.dagster_home / "history" / "runs.db": "the history of runs, which nothing else needs",
        settings.dagster_home / "history" / "runs" / "index.db": "the history of runs, which nothing else needs",
        settings.dagster_home / "schedules" / "schedules.db": "when schedules and sensors last looked",
        settings.alerts_dir / "told.sqlite": "who was told of which incident",
    }
    for path, holds in what_to_do.items():
        if (why := damage_of(path)) is not None:
            message = (
                f"{path} is damaged ({why}). It holds {holds}. Restore it from a backup, or move away {path.parent}"
            )
            raise DamagedFileError(message)


def damage_of(path: Path) -> str | None:
    """Say what is wrong with a SQLite file, None where it is whole, not there, or empty as its maker begins it.

    Only the header is read: it says how many pages there are. With a log beside it SQLite itself mends the file.
    """
    log = path.with_name(f"{path.name}-wal")
    has_log = log.exists() and log.stat().st_size > 0
    if not path.is_file() or path.stat().st_size == 0 or has_log:
        return None
    with path.open("rb") as file:
        header = file.read(HEADER.size)
    if len(header) < HEADER.size or not header.startswith(MAGIC):
        return "it is no SQLite database"
    page_bytes, changes, pages, counted_at = HEADER.unpack(header)
    expected = pages * (65_536 if page_bytes == 1 else page_bytes)
    size = path.stat().st_size
    return f"{size:,} of its {expected:,} bytes are there" if changes == counted_at and size < expected else None
