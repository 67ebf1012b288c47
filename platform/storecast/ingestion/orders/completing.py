"""Rows of orders completed by what the other rows of their order in the same file say."""

from storecast.ingestion.contracts import ENTITIES, bronze_types
from storecast.ingestion.orders.money import paid
from storecast.ingestion.orders.order_fields import ORDER_FIELDS, Step, carried_down, merged
from storecast.ingestion.orders.repeats import numbered
from storecast.ingestion.sources.base import Feed
from storecast.warehouse.database import quote


def completed(mapped: str, feed: Feed, entity: str) -> str:
    """Return the query of a file's rows as bronze holds them, from the query that maps them one by one.

    Rows of other entities than orders and their lines stay as they are.
    """
    steps = {"orders": _headers, "order_lines": _lines}.get(entity, _none)(feed)
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


def _last(steps: list[Step]) -> str:
    return steps[-1][0] if steps else "mapped"


def _order_fields(feed: Feed) -> list[str]:
    """Return the fields of whole orders that the feed reads from its files; a constant is never blank."""
    return [name for name in ORDER_FIELDS if not feed.columns.get(name, "'").startswith("'")]
