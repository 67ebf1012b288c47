"""M5 (Walmart; competition rules: local use only): daily sales of item-stores, 447 days, with prices and events."""

from pathlib import Path

from storecast.ingestion.sources.base import Feed, Source

WEEKLY_PRICES = """(
    SELECT raw.*, weeks.first_day
    FROM raw
    LEFT JOIN (SELECT wm_yr_wk, min(date) AS first_day FROM calendar GROUP BY wm_yr_wk) AS weeks USING (wm_yr_wk)
    {chosen}
)"""

DAILY_SALES = "(SELECT * FROM raw {chosen})"

ITEMS = """(
    SELECT min(_row_number) AS _row_number, NULL AS _malformed, NULL AS _raw,
        item_id, min(cat_id) AS cat_id, min(dept_id) AS dept_id
    FROM raw
    {chosen}
    GROUP BY item_id
)"""

EVENTS = """(
    SELECT
        row_number() OVER (ORDER BY _row_number, kind, channel NULLS FIRST) AS _row_number, _malformed, _raw,
        date, event_name, event_type, channel
    FROM (
        SELECT *, 1 AS kind, event_name_1 AS event_name, event_type_1 AS event_type, NULL AS channel FROM raw
        UNION ALL
        SELECT *, 2, event_name_2, event_type_2, NULL FROM raw
        UNION ALL
        SELECT raw.*, 3, 'SNAP', 'SNAP', stores.store_id
        FROM raw
        INNER JOIN (SELECT DISTINCT store_id, state_id FROM sales) AS stores
            ON CASE stores.state_id WHEN 'CA' THEN snap_CA WHEN 'TX' THEN snap_TX WHEN 'WI' THEN snap_WI END = '1'
    )
    WHERE event_name IS NOT NULL
)"""
"""One row a day and event, and one a day and store of a state that pays out food stamps (SNAP) that day."""


def m5(folder: Path, products: int | None) -> Source:
    """Return the last 447 days of all item-stores, or of the first `products` items in the order of their ids."""
    chosen = "" if products is None else f"WHERE item_id IN ({_first_items(products)})"
    return Source(
        name="m5",
        folder=folder,
        timezone="America/New_York",
        currency="USD",
        country="US",
        feeds=(_daily_sales(chosen), _products(chosen), _prices(chosen), _calendar()),
    )


def _first_items(products: int) -> str:
    if products < 1:
        message = f"products: {products} is no number of products; name at least 1"
        raise ValueError(message)
    return f"SELECT DISTINCT item_id FROM sales ORDER BY item_id LIMIT {products:d}"


def _daily_sales(chosen: str) -> Feed:
    columns = {"product_id": "item_id", "channel": "store_id", "date": "date", "units": "sales"}
    return Feed(
        "daily_sales",
        "daily_sales",
        "sales_daily_*_all30490.parquet",
        columns,
        ("item_id", "store_id", "dept_id", "cat_id", "state_id", "date", "sales"),
        rows=DAILY_SALES.format(chosen=chosen),
        alongside={"sales": "daily_sales"},
    )


def _products(chosen: str) -> Feed:
    return Feed(
        "products",
        "products",
        "sales_daily_*_all30490.parquet",
        {"product_id": "item_id", "category": "cat_id", "brand": "dept_id"},
        ("item_id", "cat_id", "dept_id"),
        rows=ITEMS.format(chosen=chosen),
        alongside={"sales": "daily_sales"},
    )


def _prices(chosen: str) -> Feed:
    return Feed(
        "prices",
        "prices",
        "sell_prices.*",
        {"product_id": "item_id", "channel": "store_id", "valid_from_date": "first_day", "unit_price": "sell_price"},
        ("store_id", "item_id", "wm_yr_wk", "sell_price"),
        rows=WEEKLY_PRICES.format(chosen=chosen),
        alongside={"calendar": "calendar", "sales": "daily_sales"},
    )


def _calendar() -> Feed:
    events = ("event_name_1", "event_type_1", "event_name_2", "event_type_2")
    return Feed(
        "calendar",
        "calendar",
        "calendar.*",
        {"date": "date", "event_name": "event_name", "event_type": "event_type", "channel": "channel"},
        ("date", "wm_yr_wk", *events, "snap_CA", "snap_TX", "snap_WI"),
        rows=EVENTS,
        alongside={"sales": "daily_sales"},
    )
