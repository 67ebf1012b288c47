"""Rows completed by what others of the same file say: those of their order, or the one they are a copy of."""

from storecast.ingestion.contracts import ADDED_UP, ENTITIES, bronze_types
from storecast.ingestion.orders.money import paid
from storecast.ingestion.orders.order_fields import ORDER_FIELDS, Step, carried_down, merged
from storecast.ingestion.orders.repeats import numbered, without_copies
from storecast.ingestion.sources.base import Feed
from storecast.warehouse.database import quote


def completed(mapped: str, feed: Feed, entity: str) -> str:
    """Return the query of a file's rows as bronze holds them, from the query that maps them one by one.

    Orders, their lines, and rows that are added up know of one another; those of other entities stay as they are.
    """
    completing = {"orders": _headers, "order_lines": _lines, **dict.fromkeys(ADDED_UP, _copies)}
    steps = completing.get(entity, _none)(feed)
    if not steps:
        return mapped
    named = ", ".join(f"{name} AS ({query})" for name, query in steps)
    columns = ", ".join(map(quote, bronze_types(entity)))
    return f"WITH mapped AS MATERIALIZED ({mapped}), {named} SELECT {columns} FROM {steps[-1][0]}"


def _none(_feed: Feed) -> list[Step]:
    return []


def _headers(feed: Feed) -> list[Step]:
    fields = _order_fields(feed)
    return merged("mapped", fields) if fields else []


def _lines(feed: Feed) -> list[Step]:
    fields = _order_fields(feed)
    steps = carried_down("mapped", fields) if fields else []
    is_dated = "updated_at" in feed.columns
    columns = ENTITIES["order_lines"].columns
    if is_dated or feed.repeated_rows != "copies":
        steps += numbered(_last(steps), columns, feed.repeated_rows, is_dated=is_dated)
    return steps if feed.money.is_plain else [*steps, *paid(_last(steps), columns, feed.money)]


def _copies(feed: Feed) -> list[Step]:
    return without_copies("mapped") if feed.keeps_raw and feed.repeated_rows != "lines" else []


def _last(steps: list[Step]) -> str:
    return steps[-1][0] if steps else "mapped"


def _order_fields(feed: Feed) -> list[str]:
    """Return the fields of whole orders that the feed reads from its files; a constant is never blank."""
    return [name for name in ORDER_FIELDS if not feed.columns.get(name, "'").startswith("'")]
