"""A file's columns looked at once, so that its mapping writes canonical values to bronze."""

import dataclasses
from collections.abc import Sequence

from storecast.ingestion.contracts import silver_types
from storecast.ingestion.sources.base import MALFORMED, Feed, MappingError
from storecast.ingestion.values import ids, moments, numbers
from storecast.ingestion.values.formats import Ask, Formats, UnclearValuesError, sql_text, trimmed
from storecast.warehouse.database import quote

NUMBERS = frozenset({"DOUBLE", "BIGINT"})
MOMENTS = frozenset({"TIMESTAMP", "DATE"})
ID = "_id"


def read_values(feed: Feed, path: str, ask: Ask) -> Feed:
    """Return the feed with expressions that write this file's values canonically, as its own columns are written.

    `ask` queries the file's rows, `path` is what the source calls it. A feed without `formats` is canonical already.
    Raises `MappingError` naming file, feed, column and what to write where a column can be read in two ways.
    """
    if feed.formats is None or feed.entity is None:
        return feed
    try:
        return dataclasses.replace(feed, columns={**feed.columns, **_Look(feed, feed.formats, ask).expressions()})
    except UnclearValuesError as error:
        message = f"{path} (feed {feed.name}): {error}"
        raise MappingError(message) from error


class _Look:
    """One look at a file's columns: counts first, and shapes only of the columns that are not plain."""

    def __init__(self, feed: Feed, formats: Formats, ask: Ask) -> None:
        self.feed = feed
        self.formats = formats
        self.ask = ask
        self.rows = f"{feed.rows} WHERE {MALFORMED} IS NULL"
        kinds = silver_types(str(feed.entity))
        self.numbers = [name for name in formats.columns if kinds[name] in NUMBERS]
        self.days = frozenset(name for name in formats.columns if kinds[name] == "DATE")
        self.moments = [name for name in formats.columns if kinds[name] in MOMENTS]
        self.ids = [name for name in formats.columns if name.endswith(ID)]

    def expressions(self) -> dict[str, str]:
        """Return the expression of each column that is not canonical as it is."""
        self._refuse_lost_items()
        self._refuse_twins()
        odd, found_ids = self._first_count()
        written = {name: ids.canonical(self._cell(name), found) for name, found in found_ids.items()}
        odd_moments = [name for name in self.moments if name in odd or self.formats.date_format]
        written |= {name: self._moments(name) for name in odd_moments}
        return written | self._numbers([name for name in self.numbers if name in odd])

    def _cell(self, name: str) -> str:
        return self.feed.columns[name]

    def _place(self, name: str) -> str:
        return f"{name} ({self.formats.columns[name]!r})"

    def _first_count(self) -> tuple[set[str], dict[str, ids.Evidence]]:
        """Return the columns that are not plain, and what the ids look like: one query for the whole file."""
        plain = sql_text(numbers.PLAIN)
        odd = [
            f"count_if({self._cell(name)} <> '' AND NOT regexp_full_match({self._cell(name)}, {plain}))"
            for name in self.numbers
        ]
        odd += [f"count_if({moments.needs_reading(self._cell(name))})" for name in self.moments]
        counts = [*odd, *(ids.evidence_sql(self._cell(name)) for name in self.ids)]
        if not counts:
            return set(), {}
        [found] = self.ask(f"SELECT {', '.join(counts)} FROM {self.rows}")
        names = [*self.numbers, *self.moments]
        fours = [found[start : start + 4] for start in range(len(names), len(found), 4)]
        return (
            {name for name, cells in zip(names, found, strict=False) if cells},
            {name: ids.Evidence(*four) for name, four in zip(self.ids, fours, strict=True)},
        )

    def _moments(self, name: str) -> str:
        column = moments.Column(self._cell(name), self._place(name), name in self.days)
        moments.refuse_swapped_days(column, self.formats, self.rows, self.ask)
        return moments.canonical(column, self.formats, self.ask(moments.shapes_sql(column.expression, self.rows)))

    def _numbers(self, names: Sequence[str]) -> dict[str, str]:
        currency = self.formats.currency
        found = {
            name: numbers.evidence_of(self.ask(numbers.shapes_sql(self._cell(name), self.rows, currency)), currency)
            for name in names
        }
        written = {}
        for name, evidence in found.items():
            elsewhere = "," if any(each.winner == "," for each in found.values()) else None
            roles = numbers.roles_of(name, evidence, self.formats.decimal, self.formats.thousands, elsewhere)
            numbers.refuse_unclear(self._place(name), name, evidence, roles, self._decimal_signs())
            written[name] = numbers.canonical(self._cell(name), currency, roles)
        return written

    def _decimal_signs(self) -> dict[str, str]:
        """Return the decimal sign that the mapping gives each number column, to write the key anew."""
        common = self.formats.decimal.get("")
        known = {name: self.formats.decimal.get(name) or common for name in self.numbers}
        return {name: sign for name, sign in known.items() if sign}

    def _refuse_lost_items(self) -> None:
        """Refuse columns that make a row of one place of a JSON list where a record holds more."""
        for name, path in self.formats.firsts.items():
            [(longer, records)] = self.ask(
                f"SELECT count_if(json_array_length(line, {sql_text(path)}) > 1), count(*) FROM {self.rows}"
            )
            if longer:
                message = (
                    f"{self._place(name)} takes one place of the list {path!r}, which holds more in {longer} of "
                    f"{records} records: write {path}[*] in every column that reads it, which makes one row an item"
                )
                raise UnclearValuesError(message)

    def _refuse_twins(self) -> None:
        """Refuse a mapped column whose header the file has twice with other values."""
        if self.feed.rows != "raw" or not self.feed.reads:
            return
        names = {str(row[0]) for row in self.ask("DESCRIBE raw")}
        for ours, theirs in self.formats.columns.items():
            twin = f"{theirs} (2)"
            if twin not in names or theirs not in names:
                continue
            one, other = trimmed(quote(theirs)), trimmed(quote(twin))
            differing = self.ask(
                f"SELECT _row_number, {one}, {other}, count(*) OVER () FROM {self.rows} "
                f"AND {one} IS DISTINCT FROM {other} ORDER BY _row_number LIMIT 1"
            )
            for row, first, second, cells in differing:
                message = (
                    f"{self._place(ours)} is the header of two columns, which differ in {cells} rows "
                    f'({first!r} and {second!r} in row {row}): write {ours} = "{theirs} (1)" or "{twin}"'
                )
                raise UnclearValuesError(message)
