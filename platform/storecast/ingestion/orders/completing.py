"""Rows of orders completed by what the other rows of their order in the same file say."""

from storecast.ingestion.contracts import bronze_types
from storecast.ingestion.orders.order_fields import ORDER_FIELDS, carried_down, in_blocks, merged
from storecast.ingestion.sources.base import Feed
from storecast.warehouse.database import quote


def completed(mapped: str, feed: Feed, entity: str) -> str:
    """Return the query of a file's rows as bronze holds them, from the query that maps them one by one.

    Rows of other entities than orders and their lines stay as they are.
    """
    steps = {"orders": _headers, "order_lines": _lines}.get(entity)
    return _chained(mapped, steps(feed), list(bronze_types(entity))) if steps else mapped


def _headers(feed: Feed) -> list[tuple[str, str]]:
    fields = _order_fields(feed, "orders")
    return [("blocks", in_blocks("mapped")), ("merged", merged("blocks", fields))] if fields else []


def _lines(feed: Feed) -> list[tuple[str, str]]:
    fields = _order_fields(feed, "order_lines")
    return [("carried", carried_down("mapped", fields))] if fields else []


def _order_fields(feed: Feed, entity: str) -> list[str]:
    """Return the fields of whole orders that the feed reads from its files; a constant is never blank."""
    known = [name for name in ORDER_FIELDS if name in bronze_types(entity)]
    return [name for name in known if not feed.columns.get(name, "'").startswith("'")]


def _chained(mapped: str, steps: list[tuple[str, str]], columns: list[str]) -> str:
    """Return one query out of steps, each a name and the query over the one before."""
    if not steps:
        return mapped
    before = "".join(f", {name} AS ({query})" for name, query in steps)
    return f"WITH mapped AS MATERIALIZED ({mapped}){before} SELECT {', '.join(map(quote, columns))} FROM {steps[-1][0]}"
