"""Random exports with known truth: a shape in a dialect with a slip, the same for the same seed and number."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from benchmarks.exports.dialects import Dialect, Kind, dialect_of
from benchmarks.exports.sales import DAYS, FIRST_DAY, NAMES, OPENING_QUOTE, RICH_NAMES
from benchmarks.exports.shapes import SHAPES, Draft, World
from benchmarks.exports.slips import WEIGHTS, Slipping, no_slip
from benchmarks.exports.truth import Export, File, Table
from benchmarks.exports.writers import written

PLACES: Final = (
    *(("Europe/Berlin", "EUR", "DE"),) * 7,
    *(("Europe/London", "GBP", "GB"),) * 2,
    ("America/New_York", "USD", "US"),
)
NO_ZONE_MOMENTS: Final = ("iso", "iso_t", "iso_minutes", "day_dot", "day_slash", "month_slash", "month_name")
ORDERS_AN_EXPORT: Final = 10_000
FIRST_CHANGE: Final = datetime.combine(FIRST_DAY + timedelta(DAYS + 2), time(6), UTC)
"""When the first file was written: two days after the last sale."""


def exports(number: int, seed: int) -> list[Export]:
    """Draw so many exports; each shape comes as often as the others."""
    return [export_of(f"e{index:03d}", index, seed) for index in range(number)]


def export_of(name: str, index: int, seed: int) -> Export:
    """Draw one export."""
    rng = random.Random(f"{seed} {index}")  # noqa: S311 - data for a benchmark
    shape = list(SHAPES)[index % len(SHAPES)]
    place = rng.choice(PLACES)
    kind: Kind = "csv"
    for attempt in range(2):  # what a shape is written in is known once it is drawn
        rng = random.Random(f"{seed} {index} {attempt}")  # noqa: S311
        dialect = _dialect(rng, kind, place[1], shape)
        world = World(rng, name, place[0], place[1], _names(dialect), rng.random() < 0.25, index * ORDERS_AN_EXPORT)
        draft = SHAPES[shape](world)
        kind = draft.kind
        if dialect.kind == kind:
            break
    slipping = _slipped(rng, draft, dialect)
    return _written(name, shape, slipping[1], place, draft, slipping[0])


def _dialect(rng: random.Random, kind: Kind, currency: str, shape: str) -> Dialect:
    """A dialect; hours of a day are days to a mapping, which reads no zone."""
    return dialect_of(rng, kind, currency, moments=NO_ZONE_MOMENTS if shape == "hourly" else ())


def _names(dialect: Dialect) -> Sequence[str]:
    if dialect.kind == "csv" and dialect.quoting == "none":
        return (*NAMES, OPENING_QUOTE) if dialect.has_opening_quotes else NAMES
    return (*NAMES, *RICH_NAMES)


def _slipped(rng: random.Random, draft: Draft, dialect: Dialect) -> tuple[Dialect, str]:
    """Let a slip happen that fits the draft; return the dialect, which it may have changed, and its name."""
    while True:
        (slip,) = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
        slipping = Slipping(rng, draft, dialect)
        if slip(slipping):
            return slipping.dialect, "" if slip is no_slip else slip.__name__


def _written(name: str, shape: str, slip: str, place: tuple[str, str, str], draft: Draft, dialect: Dialect) -> Export:
    deliveries, count = [], 0
    for delivery in draft.deliveries:
        files = []
        for table in delivery:
            files.append(_file(name, table, dialect, FIRST_CHANGE + timedelta(hours=count)))
            count += 1
        deliveries.append(tuple(files))
    return Export(
        name=name,
        shape=shape,
        slip=slip,
        place=place,
        deliveries=tuple(deliveries),
        feeds=tuple(_feed(name, feed, draft, dialect) for feed in draft.feeds),
        top=draft.top,
        is_daily=draft.is_daily,
    )


def _file(name: str, table: Table, dialect: Dialect, changed_at: datetime) -> File:
    own = dialect if table.ending.lower() in {"", dialect.ending} else Dialect(ending=table.ending)
    ending = table.ending or own.ending
    if own.has_opening_quotes and not own.says_quote:
        table.rows = [
            replace(row, fate="either" if row.fate == "stays" and OPENING_QUOTE in row.cells.values() else row.fate)
            for row in table.rows
        ]
    return File(f"{name}-{table.stem}{ending}", written(table, own), changed_at, tuple(table.rows), own)


def _feed(name: str, feed: Mapping[str, Any], draft: Draft, dialect: Dialect) -> dict[str, Any]:
    """The feed with what its dialect needs, and the glob of its files."""
    rest = dict(feed)
    own = dialect if rest.pop("kind", dialect.kind) == dialect.kind else Dialect()
    of_days = not any(column.kind == "moment" for column in draft.first_table.columns)
    files = f"{name}-{rest.pop('files', '*')}{own.ending}"
    return {"name": rest.pop("name", name), "files": files, **own.keys(of_days=of_days), **rest}
