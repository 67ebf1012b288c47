"""`storecast landed`: what landed from the source, and letting go of it."""

from datetime import UTC, datetime
from typing import Any

from storecast.ingestion.landing import LandedFile, forget, landed_files, restore
from storecast.ingestion.sources import resolve_source
from storecast.settings import Settings
from storecast.terminal import visible
from storecast.warehouse import Tables
from storecast.warehouse.published import ask_newest

STATES = "SELECT feed, file_sha256, state, rows, note FROM ops.landed_files"
ALWAYS_SHOWN = {"landed", "loaded", "set aside"}


def list_landed(settings: Settings, *, shows_all: bool) -> str:
    """Return a line a landed file, newest delivery last; without `shows_all` only what counts or waits to be mended."""
    source = resolve_source(settings)
    files = landed_files(source, settings.landing_dir)
    known, _ = ask_newest(settings, _states)
    lines = []
    for file in files:
        row = known.get((file.feed, file.file_sha256))
        state = "let go" if file.state == "let go" else str(row.state) if row else "landed"
        if shows_all or state in ALWAYS_SHOWN:
            lines.append(_line(file, state, row))
    hidden = len(files) - len(lines)
    more = [f"{hidden:,} more were replaced or let go: --all shows them"] if hidden else []
    return "\n".join([*lines, *more]) or "nothing has landed yet: `storecast run` lands the source's files"


def let_go(settings: Settings, name: str) -> str:
    """Let go of a landed file, and say what follows."""
    files = forget(resolve_source(settings), settings.landing_dir, name, _now())
    return (
        f"{_named(files)}: let go; the next `storecast run` takes its rows out. `storecast landed restore` undoes it."
    )


def take_back(settings: Settings, name: str) -> str:
    """Take back what was let go of, and say what follows."""
    files = restore(resolve_source(settings), settings.landing_dir, name, _now())
    return f"{_named(files)}: taken back; the next `storecast run` loads it."


def _states(tables: Tables) -> dict[tuple[str, str], Any]:
    if not tables.exists("ops.landed_files"):
        return {}
    return {(str(row.feed), str(row.file_sha256)): row for row in tables.read(STATES).itertuples()}


def _line(file: LandedFile, state: str, row: object) -> str:
    rows = getattr(row, "rows", None)
    note = getattr(row, "note", None)
    parts = [
        f"{file.file_sha256[:8]}  {state:<9}  {file.delivered_at:%Y-%m-%d %H:%M}  {file.feed}  {visible(file.path)}",
        *([f"{int(rows):,} rows"] if isinstance(rows, int) else []),
        *([visible(note)] if isinstance(note, str) else []),
    ]
    return "  ".join(parts)


def _named(files: list[LandedFile]) -> str:
    return ", ".join(sorted({f"{visible(file.path)} ({file.file_sha256[:8]})" for file in files}))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
