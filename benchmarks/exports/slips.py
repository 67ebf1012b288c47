"""What goes wrong with an export: each slip changes a draft and what is true of it, or says that it does not fit."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from benchmarks.exports.dialects import NO_BREAK, Dialect
from benchmarks.exports.sales import DAYS, FIRST_DAY, OPENING_QUOTE
from benchmarks.exports.shapes import Draft
from benchmarks.exports.truth import Raw, Row, Table


@dataclass
class Slipping:
    """A draft, its dialect, and random numbers."""

    rng: random.Random
    draft: Draft
    dialect: Dialect

    @property
    def table(self) -> Table:
        """The table it happens to."""
        return self.draft.first_table

    @property
    def is_text(self) -> bool:
        """Whether the file is delimited text."""
        return self.dialect.kind == "csv"

    @property
    def is_of_orders(self) -> bool:
        """Whether its rows are lines of orders."""
        return self.draft.feeds[0]["entity"] == "order_lines"

    def column(self, ours: str) -> str:
        """The header that one of our columns is mapped to; empty where none is."""
        return str(self.draft.feeds[0]["columns"].get(ours, ""))

    def later_rows(self, number: int) -> list[Row]:
        """Some rows that carry nothing for others."""
        rows = [row for row in self.table.rows if not (self.draft.has_first_rows and row.carries)]
        return self.rng.sample(rows, min(number, len(rows)))

    def change(self, row: Row, **changes: Any) -> None:
        """Put a changed copy in the place of a row."""
        places = [place for place, other in enumerate(self.table.rows) if other is row]
        for place in places[:1]:
            self.table.rows[place] = replace(row, **changes)


Slip = Callable[[Slipping], bool]


def no_slip(_: Slipping) -> bool:
    """Nothing goes wrong."""
    return True


def blanks_around_ids(s: Slipping) -> bool:
    """Blanks before and after ids, on some rows."""
    header = s.column("product_id")
    if not s.draft.is_plain or s.dialect.kind == "parquet":
        return False
    for row in s.later_rows(len(s.table.rows) // 4):
        padded = s.rng.choice(("{} ", " {}", f"{{}}{NO_BREAK}", "{}  ")).format(row.cells[header])
        s.change(row, cells={**row.cells, header: padded})
    return True


def copied_rows(s: Slipping) -> bool:
    """Some orders stand in the file a second time, at its end."""
    if not s.draft.is_plain or not s.is_of_orders:
        return False
    orders = s.rng.sample(sorted({row.order for row in s.table.rows[: len(s.table.rows) // 2]}), 4)
    s.table.rows += [replace(row, parts=()) for row in s.table.rows if row.order in orders]
    return True


def empty_ids(s: Slipping) -> bool:
    """Rows without a product id."""
    header = s.column("product_id")
    if not s.draft.is_plain:
        return False
    for row in s.later_rows(3):
        s.change(row, cells={**row.cells, header: None}, fate="goes")
    return True


def absurd_number(s: Slipping) -> bool:
    """One quantity that nobody can have sold."""
    header = s.column("quantity") or s.column("units")
    if not s.draft.is_plain:
        return False
    absurd = s.rng.choice(("999999999999", "1000000000000000", "1e25"))
    for row in s.later_rows(1):
        value: Any = Raw(absurd) if s.is_text or not s.dialect.is_typed else Decimal(absurd)
        s.change(row, cells={**row.cells, header: value}, fate="goes")
    return True


def old_date(s: Slipping) -> bool:
    """One order dated twenty years before all others."""
    header = s.column("ordered_at") or s.column("date")
    if not s.draft.is_plain or s.draft.has_first_rows:
        return False
    order = s.rng.choice(s.table.rows).order
    for row in [row for row in s.table.rows if row.order == order]:
        when = row.cells[header]
        s.change(row, cells={**row.cells, header: when.replace(year=2006)}, fate="goes")
    return True


def ragged_row(s: Slipping) -> bool:
    """A row with a cell too few, and one with a cell too many."""
    if not s.draft.is_plain or not s.is_text:
        return False
    for row, missing in zip(s.later_rows(2), (2, -1), strict=False):
        s.change(row, missing_cells=missing, fate="goes")
    return True


def cut_off(s: Slipping) -> bool:
    """The file ends within its last row."""
    if not s.draft.is_plain or not s.is_text:
        return False
    s.table.is_cut = True
    s.change(s.table.rows[-1], fate="goes")
    return True


def repeated_header(s: Slipping) -> bool:
    """The header stands once more in the middle, as in files put one after the other."""
    if not s.draft.is_plain or not s.is_text:
        return False
    header = Row({column.header: Raw(column.header) for column in s.table.columns}, "header", fate="goes")
    place = next(
        place for place, row in enumerate(s.table.rows) if place > 20 and row.order != s.table.rows[place - 1].order
    )
    s.table.rows.insert(place, header)
    return True


def unclosed_quote(s: Slipping) -> bool:
    """One name begins with a quote that nothing closes."""
    if not s.draft.is_plain or not s.is_text or s.dialect.quoting == "none" or not s.column("product_name"):
        return False
    for row in s.later_rows(1):
        s.change(row, cells={**row.cells, s.column("product_name"): Raw(OPENING_QUOTE)}, fate="either")
    return True


def other_case(s: Slipping) -> bool:
    """The second of two files ends in .CSV where the mapping says .csv."""
    if not _split(s):
        return False
    s.draft.deliveries[0][1].ending = s.dialect.ending.upper()
    return True


def empty_file(s: Slipping) -> bool:
    """A file without a byte lies beside the good one."""
    if not s.draft.is_plain:
        return False
    s.draft.deliveries[0].append(Table("empty", s.table.columns, [], is_empty=True))
    return True


def only_a_header(s: Slipping) -> bool:
    """A file with nothing but its header lies beside the good one."""
    if not s.draft.is_plain or not s.is_text:
        return False
    s.draft.deliveries[0].append(Table("quiet", s.table.columns, []))
    return True


def renamed_column(s: Slipping) -> bool:
    """The second of two files calls a column otherwise."""
    header = s.column("quantity") or s.column("units")
    if not _split(s):
        return False
    s.draft.deliveries[0][1].headers = {header: f"{header} sold"}
    return True


def early_end(s: Slipping) -> bool:
    """The export ends ten days before the others."""
    return _keep_days(s, 0, DAYS - 10)


def missing_month(s: Slipping) -> bool:
    """Days in the middle are missing."""
    return _keep_days(s, 14, 42, is_inside=False)


def swapped_days(s: Slipping) -> bool:
    """The mapping reads day first where the file writes the month first, or the other way round."""
    if not s.draft.is_plain or not s.is_text:
        return False
    s.dialect = replace(s.dialect, moment="day_slash", day="day_slash")
    s.dialect = replace(s.dialect, moment_format="%m/%d/%Y" + (" %H:%M:%S" if _has_moment(s) else ""))
    return True


def _has_moment(s: Slipping) -> bool:
    return any(column.kind == "moment" for column in s.table.columns)


def _keep_days(s: Slipping, first: int, last: int, *, is_inside: bool = True) -> bool:
    """Keep rows of some days: of the first and last named, or of all others."""
    if not s.draft.is_plain or not s.draft.is_daily:
        return False
    span = (FIRST_DAY + timedelta(first), FIRST_DAY + timedelta(last))
    days = {row.order: part.day for row in s.table.rows for part in row.parts}
    voided = {row.order for row in s.table.rows} - days.keys()
    if voided and s.draft.has_first_rows:
        return False
    s.table.rows[:] = [row for row in s.table.rows if (span[0] <= days[row.order] < span[1]) is is_inside]
    return True


def _split(s: Slipping) -> bool:
    """Make two files of one, at the border of two orders."""
    if not s.draft.is_plain or not s.is_text:
        return False
    rows = s.table.rows
    middle = len(rows) // 2
    place = next(p for p in range(middle, len(rows)) if rows[p].order != rows[p - 1].order)
    second = replace(s.table, stem=f"{s.table.stem}-2", rows=rows[place:])
    s.table.rows = rows[:place]
    s.draft.deliveries[0].append(second)
    return True


WEIGHTS: Final[dict[Slip, int]] = {
    no_slip: 30,
    blanks_around_ids: 6,
    copied_rows: 6,
    empty_ids: 4,
    absurd_number: 4,
    old_date: 4,
    ragged_row: 4,
    cut_off: 4,
    repeated_header: 2,
    empty_file: 3,
    only_a_header: 2,
    early_end: 4,
    missing_month: 4,
    other_case: 2,
    unclosed_quote: 1,
    renamed_column: 1,
    swapped_days: 1,
}
"""How often each is drawn, one to the other, among those that fit the shape.

The last four leave nothing but a refusal or a warning, so they are rare.
"""
