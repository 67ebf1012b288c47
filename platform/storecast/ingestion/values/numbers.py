"""Numbers as exports write them: thousands, decimal signs, currency signs, a minus behind.

A number that can be read in one way only is read so. One that can be read in two (`1.500`) is read as the column's
other numbers are written; where they do not say and the mapping does not either, the file is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from storecast.ingestion.values.formats import UnclearValuesError, are_few, sql_text

Role = Literal["decimal", "thousands", "unknown"]
"""What a point or comma before three digits is."""

SURE_VOTES = 3
"""So many numbers that can be read in one way only decide about the others; or as many as there are others."""

PLAIN = r"[+-]?(\d+(\.(\d{1,2}|\d{4,}))?|0\.\d+|\d{4,}\.\d+)"
"""Numbers that every reading leaves as they are."""

OTHER = {".": ",", ",": "."}
_OPEN = {sign: rf"[+-]?[1-9]\d{{0,2}}{re.escape(sign)}\d{{3}}" for sign in OTHER}
_POINT = (
    r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    r"|[1-9]\d{0,2}( \d{3})+(\.\d+)?|[1-9]\d{0,2}('\d{3})+(\.\d+)?"
    r"|[1-9]\d{0,2}(,\d{2,3})*,\d{3}\.\d+|[1-9]\d{0,2}(,\d{2,3})+,\d{3})"
)
_COMMA = (
    r"[+-]?(\d*,\d+|[1-9]\d{0,2}( \d{3})+,\d+|[1-9]\d{0,2}('\d{3})+,\d+"
    r"|[1-9]\d{0,2}(\.\d{3})+,\d+|[1-9]\d{0,2}(\.\d{3}){2,})"
)
_SAYS_NOTHING = r"[+-]?(\d+|[1-9]\d{0,2}( \d{3})+|[1-9]\d{0,2}('\d{3})+)([eE][+-]?\d+)?"

_LOOKALIKES = dict.fromkeys("\u00a0\u2007\u2009\u202f", " ") | dict.fromkeys("’‘ʼ´`", "'") | {"−": "-", "–": "-"}
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


@dataclass
class Evidence:
    """How a column's numbers are written: cells by kind, and one example of each kind that is open to two readings.

    - `whole`: cells of digits alone.
    - `keeps_zeros`: whether a contested number ends in 0, as `1.500`.
    """

    filled: int = 0
    whole: int = 0
    keeps_zeros: bool = False
    votes: dict[str, int] = field(default_factory=lambda: {".": 0, ",": 0})
    contested: dict[str, int] = field(default_factory=lambda: {".": 0, ",": 0})
    examples: dict[str, str] = field(default_factory=dict)

    @property
    def winner(self) -> str | None:
        """The decimal sign that nine in ten of the clear numbers show, if they are enough to decide about the rest."""
        sign = max(self.votes, key=lambda key: self.votes[key])
        votes, others = self.votes[sign], self.votes[OTHER[sign]]
        enough = votes >= min(SURE_VOTES, max(1, sum(self.contested.values())))
        return sign if enough and votes >= 9 * others else None


def kind_of(shape: str) -> str:
    """Tell what a number's shape says: "." or "," (its decimal sign), "open." or "open,", or "" for nothing.

    >>> [kind_of(text) for text in ("1,299.00", "1.299,00", "0.500", "1.500", "1,500", "1299", "1.299.000", "abc")]
    ['.', ',', '.', 'open.', 'open,', '', ',', '']
    """
    for sign, pattern in _OPEN.items():
        if re.fullmatch(pattern, shape):
            return f"open{sign}"
    if re.fullmatch(_SAYS_NOTHING, shape):
        return ""
    if re.fullmatch(_POINT, shape):
        return "."
    return "," if re.fullmatch(_COMMA, shape) else ""


def evidence_of(shapes: Iterable[tuple[str, bool, int, str]], currency: str) -> Evidence:
    """Return what a column's shapes say: each a number's shape, if it has a currency sign, cells, and an example.

    Money is written with two decimals or none: `$1,299` is a thousand, but in a currency of three decimals.
    """
    found = Evidence()
    for shape, is_money, cells, example in shapes:
        found.filled += cells
        kind = kind_of(shape)
        sign = kind[-1:]
        if kind.startswith("open") and is_money and currency not in _THREE_DECIMALS:
            found.votes[OTHER[sign]] += cells
        elif kind.startswith("open"):
            found.contested[sign] += cells
            found.keeps_zeros |= shape.endswith("0")
            found.examples.setdefault(sign, example)
        elif kind:
            found.votes[sign] += cells
        found.whole += cells if shape.lstrip("+-").isdigit() else 0
    return found


def roles_of(
    column: str,
    evidence: Evidence,
    decimal: Mapping[str, str],
    thousands: Mapping[str, str],
    elsewhere: str | None,
) -> dict[str, Role]:
    """Return what a point and a comma before three digits are in a column.

    `decimal` and `thousands` are the mapping's signs, by column or "" for all; `elsewhere` is the decimal comma where
    another column of the file has one. A key for the column decides; then the column's own numbers; then `thousands`.
    Without any of these a point is a decimal point, unless something in mapping or file speaks for a comma, or `1.500`
    stands beside `2`: who keeps zeros behind a decimal point writes `2.000`.
    """
    said = decimal.get(column) or evidence.winner
    if said:
        return {said: "decimal", OTHER[said]: "thousands"}
    grouped = thousands.get(column) or thousands.get("")
    if grouped in OTHER:
        return {grouped: "thousands", OTHER[grouped]: "decimal"}
    if grouped:
        return {".": "decimal", ",": "decimal"}
    speaks_for_comma = "," in (decimal.get(""), elsewhere) or evidence.votes[","] or evidence.contested[","]
    is_doubtful = speaks_for_comma or (evidence.whole and evidence.keeps_zeros)
    return {".": "unknown" if is_doubtful else "decimal", ",": "unknown"}


def refuse_unclear(
    place: str, column: str, evidence: Evidence, roles: Mapping[str, Role], keys: Mapping[str, str]
) -> None:
    """Raise `UnclearValuesError` where numbers that can be read in two ways are more than a few of a column's.

    `place` names file and column, `keys` the other columns' decimal signs, for the key that the message writes.
    """
    for sign, cells in evidence.contested.items():
        if roles[sign] != "unknown" or are_few(cells, evidence.filled):
            continue
        example = evidence.examples[sign]
        small, large = both_readings(example, sign)
        written = ", ".join(f'{name} = "{key}"' for name, key in {**keys, column: sign}.items())
        message = (
            f"{place} holds {example!r} and the like in {cells} of {evidence.filled} cells: that is {small} or "
            f"{large}, and nothing else in the column says which; write decimal = {{ {written} }} for {small}, "
            f'with {column} = "{OTHER[sign]}" for {large}'
        )
        raise UnclearValuesError(message)


def both_readings(text: str, sign: str) -> tuple[str, str]:
    """Return a number with its sign as decimal sign, and as sign of thousands.

    >>> both_readings("1.500", "."), both_readings("-1,299", ",")
    (('1.5', '1500'), ('-1.299', '-1299'))
    """
    return text.replace(sign, ".").rstrip("0").rstrip("."), text.replace(sign, "")


def bare(expression: str, currency: str) -> str:
    """Return a number without currency sign, its blanks and apostrophes plain, its minus in front."""
    signs = rf"(?:[A-Z]{{0,3}}\p{{Sc}}|[Kk]r\.?|zł|Kč|Ft|Fr\.?|lei|{re.escape(currency)})"
    plain = f"translate({expression}, {sql_text(''.join(_LOOKALIKES))}, {sql_text(''.join(_LOOKALIKES.values()))})"
    ahead = f"regexp_replace({plain}, {sql_text(rf'^([-+(]?)\s*{signs}?\s*')}, '\\1')"
    behind = f"regexp_replace({ahead}, {sql_text(rf'\s*{signs}\s*([-)]?)$')}, '\\1')"
    return f"regexp_replace({behind}, {sql_text(r'^\((.+)\)$|^([^-+].*)-$')}, '-\\1\\2')"


def shapes_sql(expression: str, rows: str, currency: str) -> str:
    """Return the query of a column's shapes: its numbers with 9 for every digit but 0, as `evidence_of` takes them."""
    number = bare("cell", currency)
    return (
        f"SELECT regexp_replace(number, '[1-9]', '9', 'g') AS shape, number <> trim(cell) AND "
        f"regexp_matches(cell, '[\\p{{Sc}}\\p{{L}}]') AS is_money, count(*), min(number) "
        f"FROM (SELECT cell, {number} AS number FROM (SELECT {expression} AS cell FROM {rows}) WHERE cell <> '') "
        "GROUP BY ALL"
    )


def canonical(expression: str, number: str, roles: Mapping[str, Role]) -> str:
    """Write numbers plainly; what is none stays, and what is open names both readings, for the contract to judge.

    `number` is the column of the `bare` numbers: they are looked at many times.
    """
    opens = " ".join(
        f"WHEN regexp_full_match({number}, {sql_text(_OPEN[sign])}) THEN {_opened(expression, number, sign, role)}"
        for sign, role in roles.items()
    )
    point = f"translate({number}, {sql_text(", '")}, '')"
    comma = f"replace(translate({number}, {sql_text(". '")}, ''), ',', '.')"
    return (
        f"CASE WHEN regexp_full_match({expression}, {sql_text(PLAIN)}) THEN {expression} {opens} "
        f"WHEN regexp_full_match({number}, {sql_text(_POINT)}) THEN {point} "
        f"WHEN regexp_full_match({number}, {sql_text(_COMMA)}) THEN {comma} ELSE {expression} END"
    )


def _opened(expression: str, number: str, sign: str, role: Role) -> str:
    small, large = f"replace({number}, '{sign}', '.')", f"replace({number}, '{sign}', '')"
    if role == "unknown":
        return f"{expression} || ' (' || {small} || ' or ' || {large} || ')'"
    return small if role == "decimal" else large
