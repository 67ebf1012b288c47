"""What an export holds and what is true of it: every row knows what it adds to the shop's sales.

Nothing here knows how the product reads a file. The truth of an export is the sum over its rows, so the truth of what
is left once some rows are set aside is known as well.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

Key = tuple[str, str, date | None]
"""Channel, product and day; no day where an export only tells sums over days."""

Fate = Literal["stays", "goes", "either"]
"""Whether a row belongs to silver, must be set aside, or may be: then both answers are right."""


@dataclass(frozen=True)
class Part:
    """What a row adds: units sold, revenue, and what of the revenue was given back."""

    channel: str
    product: str
    day: date
    units: Decimal = Decimal()
    gross: Decimal = Decimal()
    returned: Decimal = Decimal()


class Raw(str):
    """A cell that is written as it stands, whatever the dialect says."""

    __slots__ = ()


@dataclass
class Row:
    """A row of a file: its cells by header, the order it belongs to, what it adds.

    `carries` tells that other rows of its order are not understood without it.
    `missing_cells` are left out at its end; a negative number adds cells.
    """

    cells: dict[str, Any]
    order: str = ""
    carries: bool = True
    parts: tuple[Part, ...] = ()
    fate: Fate = "stays"
    missing_cells: int = 0


@dataclass(frozen=True)
class Column:
    """A column: its header, and what its cells are, which decides how a dialect writes them."""

    header: str
    kind: Literal["text", "id", "whole", "number", "money", "moment", "day"]


@dataclass
class Table:
    """A file before a dialect writes it.

    `ending` replaces the dialect's, `headers` renames columns, `is_cut` ends the file within its last row, `is_empty`
    leaves nothing of it at all.
    """

    stem: str
    columns: tuple[Column, ...]
    rows: list[Row]
    ending: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_empty: bool = False


@dataclass(frozen=True)
class File:
    """A written file: name, bytes, when it was last changed, its rows, and what a second reader needs to count them."""

    name: str
    content: bytes
    changed_at: datetime
    rows: tuple[Row, ...]
    dialect: Any


@dataclass(frozen=True)
class Export:
    """Files of one or more deliveries, the feeds of the mapping that reads them, and what is true.

    `place` is the shop's zone, currency and country; `top` the keys of the mapping outside its feeds; `slip` what went
    wrong with it; `is_daily` whether the days of the sales are known.
    """

    name: str
    shape: str
    slip: str
    place: tuple[str, str, str]
    deliveries: tuple[tuple[File, ...], ...]
    feeds: tuple[Mapping[str, Any], ...]
    top: Mapping[str, Any]
    is_daily: bool
    is_alone: bool = False

    @property
    def files(self) -> tuple[File, ...]:
        """All versions of all files."""
        return tuple(file for delivery in self.deliveries for file in delivery)

    def sums(self, left_out: Iterable[tuple[str, int]] = ()) -> "Sums":
        """What is true without some rows: (sha-256 of the file, number of the row from 1)."""
        gone = set(left_out)
        rows = [
            row
            for file in self.files
            for number, row in enumerate(file.rows, start=1)
            if row.fate != "goes" and (file.name, number) not in gone
        ]
        return Sums.of((part for row in rows for part in row.parts), is_daily=self.is_daily)


@dataclass(frozen=True)
class Sums:
    """Units a key, and the revenue of all, gross and net."""

    units: Mapping[Key, Decimal]
    gross: Decimal
    net: Decimal

    @classmethod
    def of(cls, parts: Iterable[Part], *, is_daily: bool) -> "Sums":
        """Add parts up."""
        units: dict[Key, Decimal] = defaultdict(Decimal)
        gross = returned = Decimal()
        for part in parts:
            units[part.channel, part.product, part.day if is_daily else None] += part.units
            gross += part.gross
            returned += part.returned
        return cls({key: amount for key, amount in units.items() if amount}, gross, gross - returned)

    def differs(self, other: "Sums", tolerance: Decimal = Decimal("0.011")) -> str:
        """Say where two sums differ, empty where they do not; amounts may differ by rounding.

        >>> Sums({}, Decimal(1), Decimal(1)).differs(Sums({}, Decimal(2), Decimal(2)))
        'gross 1, not 2'
        """
        for key in sorted({*self.units, *other.units}, key=str):
            ours, theirs = (sums.units.get(key, Decimal()) for sums in (self, other))
            if abs(ours - theirs) > Decimal("0.000001"):
                return f"{ours:f} units, not {theirs:f}, of {key[1]} in {key[0]}" + (f" on {key[2]}" if key[2] else "")
        for name in ("gross", "net"):
            if abs(getattr(self, name) - getattr(other, name)) > tolerance:
                return f"{name} {getattr(self, name):f}, not {getattr(other, name):f}"
        return ""
