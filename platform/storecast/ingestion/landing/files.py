"""Which files of a source's folder its feeds take."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from storecast.ingestion.sources.base import Feed, Source, SourceFileError

CHUNK_BYTES = 1 << 20


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


def matches(path: str, pattern: str) -> bool:
    """Tell whether a feed's glob takes a path, also where the file is gone.

    >>> matches("in/2026/orders-1.csv", "in/**/orders-*.csv"), matches("in/orders-1.csv", "*.csv")
    (True, False)
    """
    return _matches(PurePosixPath(path).parts, PurePosixPath(pattern).parts)


def file_sha256(path: Path) -> str:
    """Return the hash of a file's bytes. Raises `SourceFileError` where it cannot be read."""
    digest = hashlib.sha256()
    for chunk in chunks(path):
        digest.update(chunk)
    return digest.hexdigest()


def chunks(path: Path) -> Iterator[bytes]:
    """Give a file's bytes piece by piece. Raises `SourceFileError` where it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError as error:
        message = f"{shown(path)} cannot be read: {error.strerror}; give Storecast the right to read it"
        raise SourceFileError(message) from error


def shown(path: Path) -> str:
    """Return a path as text that every table can hold: bytes that are no UTF-8 are written as escapes."""
    return path.as_posix().encode(errors="backslashreplace").decode()


def _matches(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == "**":
        return any(_matches(parts[count:], patterns[1:]) for count in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])


def _files_of(feed: Feed, folder: Path) -> list[FoundFile]:
    found = []
    for path in sorted(folder.glob(feed.pattern)):
        if path.name.startswith((".", "~$")):
            continue
        relative = path.relative_to(folder)
        if not path.is_file():
            message = f"{shown(relative)} (feed {feed.name}) is no regular file; move it out of {feed.pattern!r}'s way"
            raise SourceFileError(message)
        if not path.resolve().is_relative_to(folder):
            message = f"{shown(relative)} (feed {feed.name}) is a link out of the source's folder; copy the file there"
            raise SourceFileError(message)
        found.append(FoundFile(feed.name, path, shown(relative)))
    return found
