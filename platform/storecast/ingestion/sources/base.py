"""What a source is: feeds of files, each mapped to one canonical entity by SQL over the file's rows."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal
from zoneinfo import available_timezones

from storecast.ingestion.contracts import ENTITIES, bronze_types
from storecast.ingestion.orders.money import Money
from storecast.ingestion.reading.csv_files import Dialect
from storecast.ingestion.values.formats import Formats

Kind = Literal["csv", "excel", "jsonl", "parquet"]
Delivery = Literal["deltas", "snapshots", "periods"]

RepeatedRows = Literal["lines", "copies"]

KINDS: dict[str, Kind] = {
    ".csv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}

ROW_NUMBER = "_row_number"
MALFORMED = "_malformed"
RAW = "_raw"
RESERVED = (ROW_NUMBER, MALFORMED, RAW)
"""Columns that every relation of file rows has besides the file's own; a file's column of that name is renamed.

`_malformed` is null, or a JSON list of what is wrong and what the file says there; `_raw` is the row as a JSON object.
"""

LINE = "line"
"""The only column of a file of JSON lines; null where malformed."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
PLAIN_ENDING = re.compile(r"\.[a-z0-9]{1,8}")


class SourceFileError(ValueError):
    """A source file cannot be read as its feed says; the message names the file and what to do."""


class MappingError(SourceFileError):
    """A source file can be read, but does not have what its feed's mapping asks for."""


@dataclass(frozen=True)
class Format:
    """How a feed's files are read; `kind` None goes by the file name's ending.

    `sheet` None reads every sheet of a workbook, one below the other. The rest is of text files.
    """

    kind: Kind | None = None
    dialect: Dialect = field(default_factory=Dialect)
    sheet: str | None = None

    def kind_of(self, path: str) -> Kind:
        """Return the kind of a file. Raises `SourceFileError` for an ending that says nothing."""
        ending = PurePosixPath(path).suffix.lower()
        kind = self.kind or KINDS.get(ending)
        if kind is None:
            message = f"{path}: the ending {ending!r} names no format; known are {', '.join(KINDS)}"
            raise SourceFileError(message)
        return kind


@dataclass(frozen=True)
class Feed:
    """Files of one shape and the entity they become, None for files that only others join.

    - `pattern`: a glob below the source's folder.
    - `columns`: the entity's columns, each as a SQL expression over `rows`; the others stay null.
    - `reads`: the columns a file must have (none for JSON lines, whose only column is `line`).
    - `rows`: a SQL relation with the `RESERVED` columns; by default the file's rows, called `raw`.
    - `alongside`: other feeds whose newest landed file `rows` joins, by the name it gives them.
    - `delivery`: how files follow each other: `deltas` by key, `snapshots` (the newest file is the whole), or
      `periods` (each file replaces the days it has rows of).
    - `keeps_raw`: the mapping drops or changes something, so bronze keeps the row as JSON too.
    - `formats`: how the files write values, read by their own evidence; None: `columns` writes them canonically.
    - `largest_quantity`: quantities up to it are believed, others set aside; None: the files' other quantities decide.
    - `money`: what the columns of prices, discounts and taxes of order lines hold.
    - `repeated_rows`: whether rows of one file that are exactly alike each count; None goes by where they stand.
    """

    name: str
    entity: str | None
    pattern: str
    columns: Mapping[str, str]
    reads: tuple[str, ...] = ()
    format: Format = Format()
    rows: str = "raw"
    alongside: Mapping[str, str] = field(default_factory=dict)
    keeps_raw: bool = False
    delivery: Delivery = "deltas"
    formats: Formats | None = None
    largest_quantity: float | None = None
    repeated_rows: RepeatedRows | None = None
    money: Money = field(default_factory=Money)

    def __post_init__(self) -> None:
        """Refuse names that are not ours."""
        if not _NAME.fullmatch(self.name):
            message = f"feed {self.name!r}: a name is a-z, 0-9 and _, and begins with a letter"
            raise ValueError(message)
        if self.entity is None:
            return
        if self.entity not in ENTITIES:
            message = f"feed {self.name}: no entity {self.entity!r}; there are {', '.join(ENTITIES)}"
            raise ValueError(message)
        unknown = [column for column in self.columns if column not in ENTITIES[self.entity].columns]
        if unknown:
            message = (
                f"feed {self.name}: {self.entity} has no column {', '.join(map(repr, unknown))}; "
                f"it has {', '.join(ENTITIES[self.entity].columns)}"
            )
            raise ValueError(message)

    def mapping_hash(self, joined_sha256: Mapping[str, str]) -> str:
        """Return a fingerprint of the mapping and of the files it joins; a file is loaded once under each."""
        mapping = [
            self.entity,
            dict(self.columns),
            list(self.reads),
            [self.format.kind, asdict(self.format.dialect), self.format.sheet],
            self.rows,
            self.keeps_raw,
            asdict(self.formats) if self.formats else None,
            self.repeated_rows,
            asdict(self.money),
            dict(joined_sha256),
            bronze_types(self.entity) if self.entity else {},
        ]
        return hashlib.sha256(json.dumps(mapping).encode()).hexdigest()


@dataclass(frozen=True)
class Source:
    """A shop's files: where they lie, its time zone, currency and country, and its feeds.

    A moment without an offset is in `timezone`; an amount without a currency in `currency`. `non_products` says which
    products are none, such as shipping: regular expressions that the whole id matches, and what such a line is.
    """

    name: str
    folder: Path
    timezone: str
    currency: str
    country: str
    feeds: tuple[Feed, ...]
    non_products: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an unknown zone, and feeds of one name or that join a feed that is not there."""
        if self.timezone not in available_timezones():
            message = f"source {self.name}: timezone {self.timezone!r} is unknown; write e.g. 'Europe/Berlin'"
            raise ValueError(message)
        names = [feed.name for feed in self.feeds]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"source {self.name}: two feeds are called {', '.join(twice)}; give each its own name"
            raise ValueError(message)
        joined = {name for feed in self.feeds for name in feed.alongside.values()} - set(names)
        if joined:
            message = f"source {self.name}: a feed joins {', '.join(sorted(joined))}, which is no feed"
            raise ValueError(message)

    def feed(self, name: str) -> Feed:
        """Return the feed of a name. Raises `KeyError` where there is none."""
        return {feed.name: feed for feed in self.feeds}[name]

    def feeds_of(self, entity: str) -> tuple[Feed, ...]:
        """Return the feeds that fill an entity."""
        return tuple(feed for feed in self.feeds if feed.entity == entity)
