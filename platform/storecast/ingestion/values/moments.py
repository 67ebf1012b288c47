"""Moments and days as exports write them: ISO 8601 with its liberties, epochs, Excel's serial days, own formats.

What is canonical already stays. A moment with an offset or a zone keeps it, an epoch is UTC; the rest is shop time.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from storecast.ingestion.values.formats import (
    Ask,
    Formats,
    UnclearValuesError,
    are_few,
    sql_text,
)
from storecast.ingestion.values.zones import AMBIGUOUS, offset_of

_DAY = r"\d{4}-\d{1,2}-\d{1,2}"
_TIME = r"[ T]\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
LOCAL_MOMENT = f"{_DAY}({_TIME})?"
OFFSET_MOMENT = _DAY + r"[ T]\d{1,2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}(:?\d{2})?)"
"""Canonical moments, in the shop's time or with an offset: bronze holds them so, and no cast reads others."""

_LOOSE = (
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2})"
    r"(?:[ T]+(\d{1,2}:\d{2})(?:(:\d{2})([.,]\d{1,9})?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?|[A-Z]{3,5})?)?"
)
_BASIC = r"(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})(Z?))?"
_SERIAL = r"\d{5}([.,]\d+)?"
_SECONDS = r"\d{9,10}(\.\d+)?"
_MILLISECONDS = r"\d{12,13}(\.0)?"
_NUMBER = r"\d+(\.\d+)?"
_FIRST_MILLISECONDS = 100_000_000_000
_DAYS_TO_1970 = 25_569

_WORD = re.compile(r"(?<![A-Za-z])[A-Z]{3,5}(?![A-Za-z])")
_CALENDAR_WORDS = frozenset(
    {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "SEPT", "OCT", "NOV", "DEC"}
    | {"MARCH", "APRIL", "JUNE", "JULY", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"}
)


@dataclass(frozen=True)
class Column:
    """A column of moments (or of days, where `is_day`): its SQL expression, and what messages call it."""

    expression: str
    place: str
    is_day: bool


def canonical(column: Column, formats: Formats, shapes: Iterable[tuple[str, int]]) -> str:
    """Return the SQL that writes a column's moments canonically; what is none stays, for the contract to judge.

    `shapes` are the column's texts with 9 for every digit, and their cells. Raises `UnclearValuesError` where more than
    a few cells name a zone whose offset is not known.
    """
    shapes = list(shapes)
    words = zone_words(shapes, formats)
    offsets = _known_offsets(column, words, sum(cells for _, cells in shapes), formats)
    written = _recognised(column.expression, offsets, [shape for shape, _ in shapes])
    if formats.date_format == "epoch":
        written = _either(column.expression, _NUMBER, _epoch(column.expression), written)
    elif formats.date_format == "excel":
        written = _either(column.expression, _NUMBER, _serial(column.expression), written)
    elif formats.date_format:
        parsed = parsed_sql(column.expression, formats.date_format, offsets)
        otherwise = column.expression if formats.date_format.startswith("%Y") else written
        written = f"coalesce({parsed}, {otherwise})"
    return _day_of(written, formats.timezone) if column.is_day else written


def needs_reading(expression: str) -> str:
    """Return the SQL that tells whether a cell is written otherwise than canonically."""
    return (
        f"{expression} <> '' AND NOT regexp_full_match({expression}, {sql_text(LOCAL_MOMENT)}) "
        f"AND NOT regexp_full_match({expression}, {sql_text(OFFSET_MOMENT)})"
    )


def shapes_sql(expression: str, rows: str) -> str:
    """Return the query of a column's shapes and their cells."""
    return (
        f"SELECT regexp_replace(cell, '\\d', '9', 'g') AS shape, count(*) "
        f"FROM (SELECT {expression} AS cell FROM {rows}) WHERE cell <> '' GROUP BY ALL"
    )


def zone_words(shapes: Iterable[tuple[str, int]], formats: Formats) -> dict[str, int]:
    """Return the zone abbreviations in a column and their cells.

    They are looked for where a date_format has `%Z`, and behind ISO 8601.

    >>> zone_words([("9999-99-99 99:99:99 BST", 3), ("99 SEP 9999", 1)], Formats("UTC", "EUR", {}))
    {'BST': 3}
    """
    anywhere = "%Z" in (formats.date_format or "")
    found: dict[str, int] = {}
    for shape, cells in shapes:
        if not anywhere and not re.fullmatch(_LOOSE, shape):
            continue
        for word in set(_WORD.findall(shape)) - _CALENDAR_WORDS:
            found[word] = found.get(word, 0) + cells
    return found


def _known_offsets(column: Column, words: Mapping[str, int], filled: int, formats: Formats) -> dict[str, str]:
    """Return the offset of each zone abbreviation; raise where one that counts has none."""
    known = {}
    for word, cells in sorted(words.items()):
        offset = formats.zones.get(word) or offset_of(word, formats.timezone)
        if offset:
            known[word] = offset
        elif not are_few(cells, filled):
            meaning = f", which may be {AMBIGUOUS[word]}" if word in AMBIGUOUS else ", which is not known"
            message = (
                f"{column.place} names the time zone {word} in {cells} of {filled} cells{meaning}: "
                f'write its offset into the feed, e.g. zones = {{ {word} = "+01:00" }}'
            )
            raise UnclearValuesError(message)
    return known


def mirrored(pattern: str) -> str | None:
    """Return a strptime pattern with day and month swapped, None where it does not number both.

    >>> mirrored("%m/%d/%Y"), mirrored("%-d.%-m.%y %H:%M"), mirrored("%b %d, %Y")
    ('%d/%m/%Y', '%-m.%-d.%y %H:%M', None)
    """
    places = set(re.findall(r"%-?([dm])", pattern))
    if places != {"d", "m"}:
        return None
    return re.sub(r"%(-?)([dm])", lambda found: f"%{found[1]}{'d' if found[2] == 'm' else 'm'}", pattern)


def refuse_swapped_days(column: Column, formats: Formats, rows: str, ask: Ask) -> None:
    """Raise `UnclearValuesError` where a date format fits fewer cells than the same with day and month swapped."""
    pattern = formats.date_format or ""
    mirror = mirrored(pattern)
    if mirror is None:
        return
    cell = column.expression
    if "%Z" in pattern:  # which zone is no matter here
        cell = f"regexp_replace({cell}, '(^|[^A-Za-z])[A-Z]{{3,5}}($|[^A-Za-z])', '\\1Z\\2')"
    fits = ", ".join(f"count({parsed_sql(cell, each.replace('%Z', 'Z'), {})})" for each in (pattern, mirror))
    [(fitting, swapped, filled)] = ask(f"SELECT {fits}, count(nullif({column.expression}, '')) FROM {rows}")
    if swapped > fitting:
        message = (
            f"{column.place} fits date_format {pattern!r} in {fitting} of {filled} cells, "
            f'but {mirror!r} in {swapped}: day and month are swapped; write date_format = "{mirror}"'
        )
        raise UnclearValuesError(message)


def parsed_sql(expression: str, pattern: str, offsets: Mapping[str, str]) -> str:
    """Return the SQL that reads moments of a strptime pattern, null where one does not fit.

    `%z` is an offset or Z, `%Z` one of the abbreviations of `offsets`; a literal Z, UTC or GMT in the pattern is UTC.
    """
    if "%z" in pattern:
        text = f"regexp_replace({expression}, '[Zz]$', '+0000')"
        return f"CAST(timezone('UTC', try_strptime({text}, {sql_text(pattern)})) AS VARCHAR) || 'Z'"
    if "%Z" in pattern:
        word = rf"(^|[^A-Za-z])({'|'.join(offsets) or 'Z'})($|[^A-Za-z])"
        text = f"regexp_replace({expression}, {sql_text(word)}, '\\1Z\\3')"
        local = f"CAST(try_strptime({text}, {sql_text(pattern.replace('%Z', 'Z'))}) AS VARCHAR)"
        return f"{local} || {_offset_sql(f'regexp_extract({expression}, {sql_text(word)}, 2)', offsets)}"
    local = f"CAST(try_strptime({expression}, {sql_text(pattern)}) AS VARCHAR)"
    words = re.sub(r"%-?[A-Za-z%]", " ", pattern)
    return f"{local} || 'Z'" if re.search(r"\b(Z|UTC|GMT)\b", words) else local


def _recognised(expression: str, offsets: Mapping[str, str], shapes: Iterable[str]) -> str:
    """Return the SQL that writes the forms that need no key canonically; the column itself where it has none."""
    forms = {
        _LOOSE: _loose(expression, offsets),
        _BASIC: _basic(expression),
        _SERIAL: _serial(expression),
        _SECONDS: _epoch(expression),
        _MILLISECONDS: _epoch(expression),
    }
    canonical_already = re.compile(f"{LOCAL_MOMENT}|{OFFSET_MOMENT}")
    others = [shape for shape in shapes if not canonical_already.fullmatch(shape)]
    present = [form for form in forms if any(re.fullmatch(form, shape) for shape in others)]
    if not present:
        return expression
    branches = " ".join(
        f"WHEN regexp_full_match({expression}, {sql_text(form)}) THEN {forms[form]}" for form in present
    )
    return f"coalesce(CASE {branches} END, {expression})"


def _loose(expression: str, offsets: Mapping[str, str]) -> str:
    day, time, seconds, fraction, zone = (
        f"regexp_extract({expression}, {sql_text(_LOOSE)}, {group})" for group in range(1, 6)
    )
    clock = f"' ' || {time} || coalesce(nullif({seconds}, ''), ':00') || replace({fraction}, ',', '.')"
    offset = (
        f"CASE WHEN regexp_full_match({zone}, '[A-Z]{{3,5}}') THEN {_offset_sql(zone, offsets)} ELSE upper({zone}) END"
    )
    return f"translate({day}, '/.', '--') || CASE WHEN {time} = '' THEN '' ELSE {clock} || {offset} END"


def _basic(expression: str) -> str:
    day = f"regexp_replace({expression}, {sql_text(_BASIC)}, '\\1-\\2-\\3')"
    moment = f"regexp_replace({expression}, {sql_text(_BASIC)}, '\\1-\\2-\\3 \\4:\\5:\\6\\7')"
    return f"CASE WHEN length({expression}) = 8 THEN {day} ELSE {moment} END"


def _serial(expression: str) -> str:
    """Excel counts days from 1899-12-30 in the shop's time; a millisecond is as fine as its numbers are."""
    days = f"CAST(replace({expression}, ',', '.') AS DOUBLE)"
    return f"CAST(make_timestamp(CAST(round(({days} - {_DAYS_TO_1970}) * 86400000) AS BIGINT) * 1000) AS VARCHAR)"


def _epoch(expression: str) -> str:
    number = f"CAST({expression} AS DECIMAL(24, 6))"
    micros = f"CAST({number} * CASE WHEN {number} < {_FIRST_MILLISECONDS} THEN 1000000 ELSE 1000 END AS BIGINT)"
    return f"CAST(make_timestamp({micros}) AS VARCHAR) || 'Z'"


def _either(expression: str, form: str, written: str, otherwise: str) -> str:
    return f"CASE WHEN regexp_full_match({expression}, {sql_text(form)}) THEN {written} ELSE {otherwise} END"


def _offset_sql(word: str, offsets: Mapping[str, str]) -> str:
    if not offsets:
        return "CAST(NULL AS VARCHAR)"
    cases = " ".join(f"WHEN {sql_text(name)} THEN {sql_text(offset)}" for name, offset in offsets.items())
    return f"CASE {word} {cases} END"


def _day_of(moment: str, timezone: str) -> str:
    """Return the shop's day of a canonical moment that has an offset; what has none is the shop's time already."""
    day = f"CAST(CAST(timezone({sql_text(timezone)}, try_cast({moment} AS TIMESTAMPTZ)) AS DATE) AS VARCHAR)"
    has_offset = f"regexp_full_match({moment}, {sql_text(OFFSET_MOMENT)})"
    return f"CASE WHEN {has_offset} THEN coalesce({day}, {moment}) ELSE {moment} END"
