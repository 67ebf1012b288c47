"""Landing: source files copied once, named by their content, with a manifest that survives a kill at any moment.

landing/<first two digits>/<sha256><ending>      the bytes
landing/manifest/<sha256>.<feed>.json            one entry a file and feed, written after the bytes are safe
landing/unfinished/                              copies in the making, cleared at the next landing
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from storecast.ingestion.sources.base import Feed, Source, SourceFileError
from storecast.warehouse.lease import Lease

CHUNK_BYTES = 1 << 20
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")


@dataclass(frozen=True)
class LandedFile:
    """A manifest entry: what a file's bytes are, where they came from and when. Nothing in it ever changes."""

    source: str
    feed: str
    path: str
    file_sha256: str
    bytes: int
    landed_at: datetime
    delivered_at: datetime
    delivered_by: str

    def stored(self, landing_dir: Path) -> Path:
        """Return where the file's bytes lie."""
        return _stored(landing_dir, self.file_sha256, self.path)


@dataclass(frozen=True)
class FoundFile:
    """A file of the source as it lies there, and the feed that takes it."""

    feed: str
    path: Path
    relative: str


@dataclass(frozen=True)
class SourceFile:
    """A file of the source by what it holds: its feed, its path below the source's folder, its hash."""

    feed: str
    path: str
    sha256: str


def find_files(source: Source) -> list[FoundFile]:
    """Return the files that the source's feeds take, in the order of feed and path.

    Hidden files and Excel's lock files (`~$…`) are not taken. Raises `SourceFileError` where the folder or every file
    is missing, or where one is no regular file or leads out of the folder.
    """
    if not source.folder.is_dir():
        message = f"source {source.name}: there is no folder {source.folder}"
        raise SourceFileError(message)
    folder = source.folder.resolve()
    found = [file for feed in source.feeds for file in _files_of(feed, folder)]
    if not found:
        patterns = ", ".join(sorted({feed.pattern for feed in source.feeds}))
        message = f"source {source.name}: no file below {source.folder} is called {patterns}"
        raise SourceFileError(message)
    return found


def list_source_files(source: Source) -> list[SourceFile]:
    """Return the files that the source's feeds take, with the hash of what they hold now."""
    return [SourceFile(file.feed, file.relative, file_sha256(file.path)) for file in find_files(source)]


def unlanded(source: Source, landing_dir: Path) -> list[SourceFile]:
    """Return the source's files whose content has not landed for their feed yet."""
    landed = {(entry.feed, entry.file_sha256) for entry in read_manifest(landing_dir)}
    return [file for file in list_source_files(source) if (file.feed, file.sha256) not in landed]


def land(source: Source, landing_dir: Path, now: datetime) -> list[LandedFile]:
    """Copy what is new in the source, and return all that has ever landed from it, oldest first.

    `now` (UTC) is when the new files land; in one landing a file later in the order of feeds and paths counts as
    newer, by a microsecond. The same content for the same feed lands once, whatever it is called.
    Raises `SourceFileError` where a file cannot be read, or the landing holds another source's files.
    """
    with Lease(landing_dir / "manifest").exclusive():
        _clear(landing_dir / "unfinished")
        landed = read_manifest(landing_dir)
        others = sorted({entry.source for entry in landed} - {source.name})
        if others:
            message = f"{landing_dir} holds files of {', '.join(others)}: give {source.name} a data folder of its own"
            raise SourceFileError(message)
        known = {(entry.feed, entry.file_sha256) for entry in landed}
        for count, file in enumerate(find_files(source)):
            sha256 = file_sha256(file.path)
            if (file.feed, sha256) not in known:
                entry = _land_one(source, file, landing_dir, now + timedelta(microseconds=count))
                known.add((entry.feed, entry.file_sha256))
        return read_manifest(landing_dir)


def read_manifest(landing_dir: Path) -> list[LandedFile]:
    """Return every entry of the manifest, oldest first."""
    entries = []
    for path in (landing_dir / "manifest").glob("*.json"):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            moments = {name: datetime.fromisoformat(fields[name]) for name in ("landed_at", "delivered_at")}
            entries.append(LandedFile(**{**fields, **moments}))
        except (ValueError, KeyError, TypeError) as error:
            message = f"{path} is damaged ({error!r}): remove it; the file lands anew where the source still has it"
            raise SourceFileError(message) from error
    return sorted(entries, key=lambda entry: (entry.landed_at, entry.feed, entry.file_sha256))


def file_sha256(path: Path) -> str:
    """Return the hash of a file's bytes. Raises `SourceFileError` where it cannot be read."""
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def _files_of(feed: Feed, folder: Path) -> list[FoundFile]:
    found = []
    for path in sorted(folder.glob(feed.pattern)):
        if path.name.startswith((".", "~$")):
            continue
        relative = path.relative_to(folder)
        if not path.is_file():
            message = f"{_shown(relative)} (feed {feed.name}) is no regular file; move it out of {feed.pattern!r}'s way"
            raise SourceFileError(message)
        if not path.resolve().is_relative_to(folder):
            message = f"{_shown(relative)} (feed {feed.name}) is a link out of the source's folder; copy the file there"
            raise SourceFileError(message)
        found.append(FoundFile(feed.name, path, _shown(relative)))
    return found


def _land_one(source: Source, file: FoundFile, landing_dir: Path, landed_at: datetime) -> LandedFile:
    """Copy one file and write its entry; the hash is the copy's, whatever happens to the original meanwhile."""
    copy = landing_dir / "unfinished" / "copy"
    digest = hashlib.sha256()
    size = 0
    with copy.open("wb") as target:
        for chunk in _chunks(file.path):
            digest.update(chunk)
            size += target.write(chunk)
        _sync(target.fileno())
    modified_at = datetime.fromtimestamp(file.path.stat().st_mtime, UTC).replace(tzinfo=None)
    entry = LandedFile(
        source.name, file.feed, file.relative, digest.hexdigest(), size, landed_at, modified_at, "modified"
    )
    _move(copy, entry.stored(landing_dir))
    note = landing_dir / "unfinished" / "entry"
    with note.open("w", encoding="utf-8") as target_text:
        moments = {"landed_at": landed_at.isoformat(), "delivered_at": entry.delivered_at.isoformat()}
        json.dump({**asdict(entry), **moments}, target_text, indent=1)
        target_text.flush()
        _sync(target_text.fileno())
    _move(note, landing_dir / "manifest" / f"{entry.file_sha256}.{entry.feed}.json")
    return entry


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        message = f"{_shown(path)} cannot be read: {error.strerror}; give Storecast the right to read it"
        raise SourceFileError(message) from error


def _stored(landing_dir: Path, sha256: str, path: str) -> Path:
    """Only the hash and a plain ending reach the file system; the name a source gives never does."""
    ending = PurePosixPath(path).suffix.lower()
    return landing_dir / sha256[:2] / f"{sha256}{ending if _ENDING.fullmatch(ending) else ''}"


def _move(path: Path, target: Path) -> None:
    """Give a finished file its name so that it is there wholly or not at all, even after a power cut."""
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        _sync(folder)
    finally:
        os.close(folder)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _clear(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()


def _shown(path: Path) -> str:
    """Return a path as text that every table can hold: bytes that are no UTF-8 are written as escapes."""
    return path.as_posix().encode(errors="backslashreplace").decode()
