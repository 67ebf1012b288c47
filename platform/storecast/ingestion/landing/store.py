"""The landing's files: bytes that are safe before the log speaks of them, whatever is killed when.

landing/<first two digits>/<sha256><ending>      the bytes
landing/log.jsonl                                what was seen and decided, see `log`
landing/unfinished/                              copies in the making, cleared at the next landing
"""

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path

from storecast.ingestion.landing.files import FoundFile, SourceFile, chunks, file_sha256, find_files, list_source_files
from storecast.ingestion.landing.log import Event, append, read_log
from storecast.ingestion.landing.versions import LandedFile, last_seen, stored_at, versions_of
from storecast.ingestion.sources.base import Source, SourceFileError
from storecast.warehouse.lease import Lease

COPIES_AT_ONCE = 32
"""The disk makes so many small files safe in the time of two."""
BATCH_FILES = 1_000


def land(source: Source, landing_dir: Path, now: datetime) -> list[LandedFile]:
    """Copy what is new in the source, and return all that has ever landed from it, as `landed_files` does.

    `now` (UTC) is when the new files land. The same content for the same feed lands once, whatever it is called.
    Raises `SourceFileError` where a file cannot be read, or the landing holds another source's files.
    """
    with Lease(landing_dir / "log").exclusive():
        _clear(landing_dir / "unfinished")
        events = read_log(landing_dir)
        others = sorted({event.source for event in events} - {source.name})
        if others:
            message = f"{landing_dir} holds files of {', '.join(others)}: give {source.name} a data folder of its own"
            raise SourceFileError(message)
        found = find_files(source)
        seen = last_seen(events)
        for batch in batched(found, BATCH_FILES):
            append(landing_dir, _land_batch(source, batch, seen, landing_dir, now))
        append(landing_dir, _gone(seen, found, now))
        return landed_files(source, landing_dir)


def landed_files(source: Source, landing_dir: Path) -> list[LandedFile]:
    """Return every content that ever landed, feed by feed, in the order of their deliveries."""
    return versions_of(read_log(landing_dir), source)


def unlanded(source: Source, landing_dir: Path) -> list[SourceFile]:
    """Return the source's files whose content is new, or other than what was last seen under their path."""
    events = read_log(landing_dir)
    seen, known = last_seen(events), {(event.feed, event.file_sha256) for event in events}
    return [
        file
        for file in list_source_files(source)
        if not _is_seen(seen, file.feed, file.path, file.sha256)
        and ((file.feed, file.path) in seen or (file.feed, file.sha256) not in known)
    ]


def forget(source: Source, landing_dir: Path, name: str, now: datetime) -> list[LandedFile]:
    """Let go of every content that landed under a path, or of the one whose hash begins so, and return them.

    Their bytes stay in the landing. Raises `SourceFileError` where nothing has that name.
    """
    return _decide(source, landing_dir, name, now, "forgotten")


def restore(source: Source, landing_dir: Path, name: str, now: datetime) -> list[LandedFile]:
    """Take back what was let go of, and return it. Raises `SourceFileError` where nothing has that name."""
    return _decide(source, landing_dir, name, now, "restored")


def _decide(source: Source, landing_dir: Path, name: str, now: datetime, kind: str) -> list[LandedFile]:
    with Lease(landing_dir / "log").exclusive():
        wanted = "kept" if kind == "forgotten" else "let go"
        files = [file for file in landed_files(source, landing_dir) if file.state == wanted and _is_called(file, name)]
        if not files:
            message = f"no landed file that is {wanted} is called {name!r}: `storecast landed list --all` names them"
            raise SourceFileError(message)
        append(
            landing_dir,
            [
                Event(kind, file.source, file.feed, file.path, file.file_sha256, file.bytes, file.landed_at, now)  # type: ignore[arg-type]
                for file in files
            ],
        )
        return files


def _is_called(file: LandedFile, name: str) -> bool:
    return file.path == name or (len(name) >= 8 and file.file_sha256.startswith(name.lower()))


def _land_batch(
    source: Source,
    files: Sequence[FoundFile],
    seen: dict[tuple[str, str], Event],
    landing_dir: Path,
    now: datetime,
) -> list[Event]:
    """Make the bytes of files safe, and return the events of what is new."""
    with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
        events = list(pool.map(lambda file: _look(source, file, seen, landing_dir, now), files))
    new = [event for event in events if event is not None]
    for folder in {stored_at(landing_dir, event.file_sha256, event.path).parent for event in new}:
        _sync_folder(folder)
    return new


def _look(
    source: Source, file: FoundFile, seen: dict[tuple[str, str], Event], landing_dir: Path, now: datetime
) -> Event | None:
    """Copy a file where its bytes are not there yet; return the event where its path holds something else than before.

    The hash is the copy's, whatever happens to the original meanwhile.
    """
    sha256 = file_sha256(file.path)
    modified_at = datetime.fromtimestamp(file.path.stat().st_mtime, UTC).replace(tzinfo=None)
    size = file.path.stat().st_size
    if not stored_at(landing_dir, sha256, file.relative).exists():
        sha256, size = _copy(file, landing_dir)
    if _is_seen(seen, file.feed, file.relative, sha256):
        return None
    return Event("seen", source.name, file.feed, file.relative, sha256, size, modified_at, now)


def _is_seen(seen: dict[tuple[str, str], Event], feed: str, path: str, sha256: str) -> bool:
    last = seen.get((feed, path))
    return last is not None and last.kind == "seen" and last.file_sha256 == sha256


def _copy(file: FoundFile, landing_dir: Path) -> tuple[str, int]:
    name = hashlib.sha256(f"{file.feed}\0{file.relative}".encode()).hexdigest()
    copy = landing_dir / "unfinished" / name
    digest = hashlib.sha256()
    size = 0
    with copy.open("wb") as target:
        for chunk in chunks(file.path):
            digest.update(chunk)
            size += target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    stored = stored_at(landing_dir, digest.hexdigest(), file.relative)
    stored.parent.mkdir(parents=True, exist_ok=True)
    copy.replace(stored)
    return digest.hexdigest(), size


def _gone(seen: dict[tuple[str, str], Event], found: Iterable[FoundFile], now: datetime) -> list[Event]:
    """Return an event for each path that is no longer in the folder; its content stays."""
    there = {(file.feed, file.relative) for file in found}
    return [
        Event("gone", last.source, last.feed, last.path, last.file_sha256, last.bytes, last.modified_at, now)
        for key, last in seen.items()
        if last.kind == "seen" and key not in there
    ]


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder safe against a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _clear(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
