"""The landing's log: one line of JSON for each thing that was seen or decided, only ever appended to.

A line counts once it ends: what a kill cut short is no line, and the next landing writes it again.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from storecast.ingestion.sources.base import SourceFileError

LOG = "log.jsonl"
Kind = Literal["seen", "gone", "forgotten", "restored"]


@dataclass(frozen=True)
class Event:
    """What happened to one file of one feed.

    - `seen`: the path holds this content from now on; its bytes are safe.
    - `gone`: the path held this content, and is no longer in the folder.
    - `forgotten`, `restored`: a person let this content go, or took it back.
    """

    kind: Kind
    source: str
    feed: str
    path: str
    file_sha256: str
    bytes: int
    modified_at: datetime
    at: datetime

    @property
    def is_decision(self) -> bool:
        """Whether a person decided it, rather than that it was found so."""
        return self.kind in {"forgotten", "restored"}


def read_log(landing_dir: Path) -> list[Event]:
    """Return the events, oldest first. Raises `SourceFileError` naming the line where one cannot be read."""
    path = landing_dir / LOG
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    lines = whole.split(b"\n") if whole else []
    return [_event(line, number, path) for number, line in enumerate(lines, start=1)]


def append(landing_dir: Path, events: Iterable[Event]) -> None:
    """Write events behind the others, so that they are there after a power cut too."""
    lines = b"".join(json.dumps(_fields(event)).encode() + b"\n" for event in events)
    if not lines:
        return
    path = landing_dir / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # a line that a kill cut short
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())


def _fields(event: Event) -> dict[str, str | int]:
    return {**asdict(event), "modified_at": event.modified_at.isoformat(), "at": event.at.isoformat()}


def _event(line: bytes, number: int, path: Path) -> Event:
    try:
        fields = json.loads(line)
        moments = {name: datetime.fromisoformat(fields[name]) for name in ("modified_at", "at")}
        return Event(**{**fields, **moments})
    except (ValueError, KeyError, TypeError) as error:
        message = (
            f"{path}, line {number} cannot be read ({error}): take the file from a backup, or move {path.parent} away; "
            "then the source's files land anew"
        )
        raise SourceFileError(message) from error
