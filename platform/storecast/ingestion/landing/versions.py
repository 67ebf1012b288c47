"""What the log makes of each content: its file, when that was delivered, and which newer one stands in its place."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from storecast.ingestion.landing.deliveries import Delivered, order_deliveries
from storecast.ingestion.landing.files import matches
from storecast.ingestion.landing.log import Event
from storecast.ingestion.sources.base import PLAIN_ENDING, Source

State = Literal["kept", "let go"]


@dataclass(frozen=True)
class LandedFile:
    """A content that landed for a feed: what its bytes are, where they came from and when.

    - `delivered_at`, `delivered_by`: which of two files of a feed is the later one, and what says so.
    - `state`: `let go` where a person forgot it, or the feed's glob no longer takes its path.
    - `newer`: later contents of the same path, oldest first; the newest that can be read stands in this one's place.
    - `is_present`: a file of the folder holds it still.
    """

    source: str
    feed: str
    path: str
    file_sha256: str
    bytes: int
    landed_at: datetime
    delivered_at: datetime
    delivered_by: str
    state: State = "kept"
    newer: tuple[str, ...] = ()
    is_present: bool = True

    def stored(self, landing_dir: Path) -> Path:
        """Return where the file's bytes lie."""
        return stored_at(landing_dir, self.file_sha256, self.path)


@dataclass
class _Content:
    """What the log says of one content of a feed."""

    first: Event
    paths: list[str] = field(default_factory=list)
    modified_at: datetime = datetime.min
    is_forgotten: bool = False


@dataclass
class _FeedLog:
    """The contents of a feed, and of each path its contents, oldest first, and whether it is in the folder."""

    contents: dict[str, _Content] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    present: dict[str, bool] = field(default_factory=dict)


def stored_at(landing_dir: Path, sha256: str, path: str) -> Path:
    """Only the hash and a plain ending reach the file system; the name a source gives never does."""
    ending = PurePosixPath(path).suffix.lower()
    return landing_dir / sha256[:2] / f"{sha256}{ending if PLAIN_ENDING.fullmatch(ending) else ''}"


def versions_of(events: Iterable[Event], source: Source) -> list[LandedFile]:
    """Return every content that ever landed, in the order of feeds and deliveries."""
    logs: dict[str, _FeedLog] = defaultdict(_FeedLog)
    for event in events:
        _follow(logs[event.feed], event)
    patterns = {feed.name: feed.pattern for feed in source.feeds}
    return [file for name, log in logs.items() for file in _landed(log, patterns.get(name))]


def last_seen(events: Iterable[Event]) -> dict[tuple[str, str], Event]:
    """Return the last event of each feed's path that is not a person's decision."""
    return {(event.feed, event.path): event for event in events if event.kind in {"seen", "gone"}}


def _follow(log: _FeedLog, event: Event) -> None:
    content = log.contents.setdefault(event.file_sha256, _Content(event))
    if event.kind == "seen":
        content.modified_at = max(content.modified_at, event.modified_at)
        if event.path not in content.paths:
            content.paths.append(event.path)
        earlier = log.versions[event.path]
        if event.file_sha256 in earlier:  # what it was before comes back
            earlier.remove(event.file_sha256)
        earlier.append(event.file_sha256)
    if event.kind in {"seen", "gone"}:
        log.present[event.path] = event.kind == "seen"
    else:
        content.is_forgotten = event.kind == "forgotten"


def _landed(log: _FeedLog, pattern: str | None) -> list[LandedFile]:
    kept = {sha256: content for sha256, content in log.contents.items() if _is_kept(content, pattern)}
    deliveries = order_deliveries(
        [
            Delivered(sha256, content.paths[-1], content.modified_at, content.first.at)
            for sha256, content in kept.items()
        ]
    )
    files = []
    for sha256, content in log.contents.items():
        moment, by = deliveries.get(sha256, (content.first.at, "modified"))
        first = content.first
        files.append(
            LandedFile(
                first.source,
                first.feed,
                content.paths[-1],
                sha256,
                first.bytes,
                first.at,
                moment,
                by,
                "kept" if sha256 in kept else "let go",
                _newer(sha256, content.paths, log, kept) if sha256 in kept else (),
                any(log.present[path] and log.versions[path][-1] == sha256 for path in content.paths),
            )
        )
    return sorted(files, key=lambda file: (file.delivered_at, file.file_sha256))


def _is_kept(content: _Content, pattern: str | None) -> bool:
    return not content.is_forgotten and pattern is not None and any(matches(path, pattern) for path in content.paths)


def _newer(sha256: str, paths: Sequence[str], log: _FeedLog, kept: dict[str, _Content]) -> tuple[str, ...]:
    """Return what was written over this content; nothing where a file of the folder holds it, or where none ever did.

    A file that was renamed and then written over has its content's newer versions under the new name.
    """
    later: tuple[str, ...] = ()
    for path in paths:
        versions = [version for version in log.versions[path] if version in kept]
        after = tuple(versions[versions.index(sha256) + 1 :])
        if not after and log.present[path]:
            return ()
        later = after or later
    return later
