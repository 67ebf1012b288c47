"""Abbreviations of time zones: the shop's own zone says what they mean, then common use; others stay unknown."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

YEARS = range(2000, 2038)

_COMMON = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "MEZ": 60, "MESZ": 120, "EET": 120,
    "EEST": 180, "MSK": 180, "SAST": 120, "NST": -210, "NDT": -150, "EST": -300, "EDT": -240, "MST": -420, "MDT": -360,
    "PST": -480, "PDT": -420, "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540, "KST": 540, "HKT": 480, "SGT": 480,
    "AWST": 480, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660, "NZST": 720, "NZDT": 780,
}  # fmt: skip
"""Minutes ahead of UTC of abbreviations that trade everywhere reads in one way."""

AMBIGUOUS = {
    "IST": "India, Ireland or Israel",
    "CST": "central America, China or Cuba",
    "CDT": "central America or Cuba",
    "BST": "Britain or Bangladesh",
    "AST": "the Atlantic coast or Arabia",
    "ADT": "the Atlantic coast or Arabia",
    "AMT": "Amazonas or Armenia",
    "GST": "the Gulf or South Georgia",
    "SST": "Samoa or Singapore",
}


@cache
def offset_of(word: str, timezone: str) -> str | None:
    """Return the offset from UTC that an abbreviation means in a shop of a time zone, None where that is not known.

    >>> offset_of("BST", "Europe/London"), offset_of("PDT", "Europe/Berlin"), offset_of("BST", "Europe/Berlin")
    ('+01:00', '-07:00', None)
    """
    own = _abbreviations(timezone).get(word, frozenset())
    if len(own) == 1:
        return _written(next(iter(own)))
    return _written(timedelta(minutes=_COMMON[word])) if not own and word in _COMMON else None


@cache
def _abbreviations(timezone: str) -> dict[str, frozenset[timedelta]]:
    """Return the offsets of each abbreviation that a zone has used, a look a month."""
    zone = ZoneInfo(timezone)
    found: dict[str, set[timedelta]] = {}
    for year in YEARS:
        for month in range(1, 13):
            moment = datetime(year, month, 15, tzinfo=UTC).astimezone(zone)
            found.setdefault(moment.tzname() or "", set()).add(moment.utcoffset() or timedelta(0))
    return {word: frozenset(offsets) for word, offsets in found.items()}


def _written(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
