"""What a mapping says about how a file writes its values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Ask = Callable[[str], Sequence[Any]]
"""Runs a query over a file's rows and gives all its rows."""

BLANKS = " \t\n\r\f\v\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u200b\u202f\u3000\ufeff"
"""What counts as blank around a value, besides the plain space: no-break, thin and zero-width ones."""

FEW = 20
"""One cell in so many is a slip: it is set aside and decides nothing about its column."""


class UnclearValuesError(ValueError):
    """A column can be read in two ways; the message names both and the key that says which."""


@dataclass(frozen=True)
class Formats:
    """How the values of a feed's files are written; what is None or absent is told by the file's own evidence.

    - `timezone`, `currency`: the shop's.
    - `columns`: our columns that come from the file, each with what the file calls it.
    - `decimal`, `thousands`: the signs in numbers, for every column under "", or for one of our columns.
    - `date_format`: a strptime pattern, "epoch" or "excel".
    - `zones`: offsets of zone abbreviations, e.g. {"IST": "+05:30"}.
    - `firsts`: our columns that take one place of a JSON list, each with the list's path.
    """

    timezone: str
    currency: str
    columns: Mapping[str, str]
    decimal: Mapping[str, str] = field(default_factory=dict)
    thousands: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    firsts: Mapping[str, str] = field(default_factory=dict)


def are_few(part: int, whole: int) -> bool:
    """Tell whether some of a column's cells are so few that they are slips.

    >>> are_few(1, 20), are_few(1, 19), are_few(0, 0)
    (True, False, True)
    """
    return part * FEW <= whole


def sql_text(value: str) -> str:
    """Return a text as a SQL constant.

    >>> print(sql_text("it's"))
    'it''s'
    """
    return "'" + value.replace("'", "''") + "'"


def trimmed(expression: str) -> str:
    """Return a text without the blanks around it."""
    return f"trim({expression}, {sql_text(BLANKS)})"
