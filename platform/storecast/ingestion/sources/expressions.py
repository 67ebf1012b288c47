"""SQL expressions that turn a source's text into ours; what does not fit stays as it is, for the contract to judge.

Every function takes and returns an expression of type VARCHAR (or null).
"""

import re
from collections.abc import Iterable, Mapping

_OFFSET = r":\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
_COMMA_NUMBER = r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?\s*"
_NUMBER = r"\s*\+?\d+(\.\d+)?\s*"


def text(value: str) -> str:
    """Return a constant.

    >>> print(text("it's"))
    'it''s'
    """
    return "'" + value.replace("'", "''") + "'"


def decimal_comma(expression: str) -> str:
    """Write numbers such as ``1.234,50`` with a decimal point; a dot before three digits groups thousands."""
    plain = f"replace(replace({expression}, '.', ''), ',', '.')"
    return f"CASE WHEN regexp_full_match({expression}, '{_COMMA_NUMBER}') THEN {plain} ELSE {expression} END"


def negated(expression: str) -> str:
    """Put a minus before a number that has none."""
    minus = f"'-' || ltrim(trim({expression}), '+')"
    return f"CASE WHEN regexp_full_match({expression}, '{_NUMBER}') THEN {minus} ELSE {expression} END"


def moment(expression: str, pattern: str) -> str:
    """Write moments of a strptime pattern in ISO 8601."""
    return f"coalesce(CAST(try_strptime({expression}, {text(pattern)}) AS VARCHAR), {expression})"


def in_utc(expression: str) -> str:
    """Mark a moment as UTC where it names no offset itself."""
    return f"CASE WHEN regexp_matches({expression}, '{_OFFSET}') THEN {expression} ELSE {expression} || 'Z' END"


def renamed(expression: str, values: Mapping[str, str]) -> str:
    """Replace the source's words by ours."""
    cases = " ".join(f"WHEN {text(theirs)} THEN {text(ours)}" for theirs, ours in values.items())
    return f"CASE {expression} {cases} ELSE {expression} END"


def among(expression: str, values: Iterable[str]) -> str:
    """Say yes or no: whether a text is one of the values."""
    return f"CASE WHEN trim({expression}) IN ({', '.join(map(text, values))}) THEN 'yes' ELSE 'no' END"


def glob_pattern(glob: str) -> str:
    r"""Return a glob as the regular expression that a whole text matches, in whatever case.

    >>> glob_pattern("GIFT-*")
    '(?i)GIFT\\-.*'
    """
    signs = {"*": ".*", "?": "."}
    return "(?i)" + "".join(signs.get(sign, re.escape(sign)) for sign in glob)


def json_text(document: str, path: str) -> str:
    """Return what a JSON document holds at a path, as text."""
    return f"json_extract_string({document}, {text(path)})"
