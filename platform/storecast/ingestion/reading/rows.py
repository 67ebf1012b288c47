"""What every reader gives: rows of text, in the file's order, malformed ones too."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

Row = tuple[int, str | None, Sequence[str | None]]
"""A row's number from 1, the mark of what is malformed or None, and its cells (all None where malformed)."""


@dataclass
class Tally:
    """What a reader took in, row by row: its rows, and its lines that are no row of their own.

    `other_lines` are the header's, and lines that go on within a quoted cell.
    """

    rows: int = 0
    other_lines: int = 0


def malformed(reason: str, content: object) -> str:
    """Return the mark of a row that cannot be told into columns: a JSON list, where a sound row is a JSON object.

    >>> malformed("2 cells where the header has 3", ["a", "b"])
    '["2 cells where the header has 3", ["a", "b"]]'
    """
    return json.dumps([reason, content], ensure_ascii=False)
