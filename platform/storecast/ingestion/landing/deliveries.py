"""Which of a feed's files was delivered later.

The rule: a date in every file's name decides, in any order of day, month and year; else the time at which a file was
last written. Files that were found together and written within a minute of each other go by their names, numbers as
numbers.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

BY_NAME, BY_TIME = "name", "modified"
TOGETHER = timedelta(minutes=1)
_TICK = timedelta(microseconds=1)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

_TIME = r"(?:[T _-]*(?P<hour>[01]\d|2[0-3])[-_.:h]?(?P<minute>[0-5]\d)(?:[-_.:]?(?P<second>[0-5]\d))?)?(?!\d)"
_YEAR_FIRST = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<gap>[-_. ]?)(?P<month>0[1-9]|1[0-2])(?P=gap)(?P<day>0[1-9]|[12]\d|3[01])"
    + _TIME
)
_YEAR_LAST = re.compile(r"(?<!\d)(?P<a>\d\d?)(?P<gap>[-_. ]?)(?P<b>\d\d?)(?P=gap)(?P<year>(?:19|20)\d\d)" + _TIME)
_NAMED_MONTH = re.compile(
    r"(?<!\d)(?P<day>\d\d?)[-_. ]?(?P<name>" + "|".join(_MONTHS) + r")[a-z]*[-_. ]?(?P<year>(?:19|20)\d\d)" + _TIME,
    re.IGNORECASE,
)
_MONTH_ONLY = re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)[-_.](?P<month>0[1-9]|1[0-2])(?!\d)")


@dataclass(frozen=True)
class Delivered:
    """A content of a feed: the name of its file, when that was last written and when it was found."""

    content: str
    name: str
    modified_at: datetime
    found_at: datetime


def order_deliveries(files: Sequence[Delivered]) -> dict[str, tuple[datetime, str]]:
    """Return, by content, the moment of its delivery and what that was taken from; no two moments are the same.

    >>> files = [Delivered("b", "orders_01-12-2026.csv", datetime(2026, 12, 5), datetime(2026, 12, 9)),
    ...          Delivered("a", "orders_30-11-2026.csv", datetime(2026, 12, 8), datetime(2026, 12, 9))]
    >>> {content: f"{moment:%d %B}, {by}" for content, (moment, by) in order_deliveries(files).items()}
    {'a': '30 November, name', 'b': '01 December, name'}
    """
    dated = _dates_in_names([file.name for file in files])
    if dated is None:
        moments = [min(file.modified_at, file.found_at) for file in files]
        order = _by_time(files, moments)
    else:
        moments = dated
        order = sorted(range(len(files)), key=lambda i: (moments[i], files[i].found_at, files[i].modified_at, i))
    delivered: dict[str, tuple[datetime, str]] = {}
    last = datetime.min
    for position in order:
        last = max(moments[position], last + _TICK)
        delivered[files[position].content] = (last, BY_TIME if dated is None else BY_NAME)
    return delivered


def _by_time(files: Sequence[Delivered], moments: Sequence[datetime]) -> list[int]:
    """Order by time; what was found together and written together goes by name."""
    order = sorted(range(len(files)), key=lambda i: (moments[i], files[i].found_at))
    groups: list[list[int]] = [order[:1]]
    for before, position in pairwise(order):
        found_together = files[before].found_at == files[position].found_at
        if found_together and moments[position] - moments[before] <= TOGETHER:
            groups[-1].append(position)
        else:
            groups.append([position])
    return [position for group in groups for position in sorted(group, key=lambda i: natural(files[i].name))]


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key that sorts names with numbers as numbers.

    >>> sorted(["report-10", "report-9"], key=natural)
    ['report-9', 'report-10']
    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _dates_in_names(names: Sequence[str]) -> list[datetime] | None:
    """Return the date in each name, None where a name has none or its order of day and month cannot be told."""
    for read in (_year_first, _named_month, _year_last, _month_only):
        dates = read(names)
        if dates is not None:
            return dates
    return None


def _year_first(names: Iterable[str]) -> list[datetime] | None:
    return _all(names, _YEAR_FIRST, lambda found: _moment(found, int(found["month"]), int(found["day"])))


def _named_month(names: Iterable[str]) -> list[datetime] | None:
    return _all(
        names, _NAMED_MONTH, lambda found: _moment(found, _MONTHS.index(found["name"].lower()) + 1, int(found["day"]))
    )


def _month_only(names: Iterable[str]) -> list[datetime] | None:
    return _all(names, _MONTH_ONLY, lambda found: datetime(int(found["year"]), int(found["month"]), 1))


def _year_last(names: Sequence[str]) -> list[datetime] | None:
    """Read day and month in the one order that fits all names, or in either where both sort the files alike."""
    day_first = _all(names, _YEAR_LAST, lambda found: _moment(found, int(found["b"]), int(found["a"])))
    month_first = _all(names, _YEAR_LAST, lambda found: _moment(found, int(found["a"]), int(found["b"])))
    if day_first is None or month_first is None:
        return day_first or month_first
    alike = _ranks(day_first) == _ranks(month_first)
    return day_first if alike else None


def _all(
    names: Iterable[str], pattern: re.Pattern[str], read: Callable[[re.Match[str]], datetime | None]
) -> list[datetime] | None:
    """Return the last date in each name, None where one has none."""
    dates = []
    for name in names:
        found = list(pattern.finditer(name))
        moment = read(found[-1]) if found else None
        if moment is None:
            return None
        dates.append(moment)
    return dates


def _moment(found: re.Match[str], month: int, day: int) -> datetime | None:
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    try:
        return datetime(int(found["year"]), month, day, hour, minute, second)
    except ValueError:  # no such day: the other order is meant, or no date at all
        return None


def _ranks(dates: Sequence[datetime]) -> list[int]:
    order = sorted(set(dates))
    return [order.index(date) for date in dates]
