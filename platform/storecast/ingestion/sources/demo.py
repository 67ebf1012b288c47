"""The demo shop: a web shop's JSON lines, two marketplaces with words of their own, and the shop's master data."""

from pathlib import Path

from storecast.ingestion.reading.csv_files import Dialect
from storecast.ingestion.sources.base import Feed, Format, Source
from storecast.ingestion.sources.expressions import decimal_comma, in_utc, json_text, moment, negated, renamed
from storecast.warehouse.database import quote

BETA_MOMENT = "%d.%m.%Y %H:%M:%S"

WEBSHOP_LINES = """(
    SELECT
        row_number() OVER (ORDER BY _row_number, position) AS _row_number,
        CASE WHEN _malformed IS NULL AND position = 0
            THEN CAST(json_array('lines: not a list', line) AS VARCHAR) ELSE _malformed END AS _malformed,
        _raw,
        line,
        lines[position] AS order_line
    FROM (
        SELECT *, unnest(CASE WHEN lines IS NULL THEN [0] ELSE range(1, len(lines) + 1) END) AS position
        FROM (
            SELECT *, CASE json_type(line, '$.lines') WHEN 'ARRAY' THEN json_extract(line, '$.lines[*]') END AS lines
            FROM raw
        )
    )
)"""
"""One row a line of an order; an order whose `lines` is no list is one malformed row, one with no lines is none."""


def demo(folder: Path) -> Source:
    """Return the demo shop, as `storecast.simulation` writes its files."""
    return Source(
        name="demo",
        folder=folder,
        timezone="Europe/Berlin",
        currency="EUR",
        country="DE",
        feeds=(*_webshop(), *_marketplaces(), *_master_data(), *_plans(), *_measurements()),
    )


def _webshop() -> tuple[Feed, ...]:
    files = "orders/webshop-*.jsonl"
    order = {
        "order_id": json_text("line", "$.id"),
        "ordered_at": json_text("line", "$.created_at"),
        "channel": "'webshop'",
        "customer_id": json_text("line", "$.customer.id"),
        "status": json_text("line", "$.status"),
        "country": json_text("line", "$.customer.country"),
    }
    lines = {
        **order,
        "line_number": json_text("order_line", "$.line"),
        "product_id": json_text("order_line", "$.sku"),
        "product_name": json_text("order_line", "$.name"),
        "quantity": json_text("order_line", "$.qty"),
        "unit_price": json_text("order_line", "$.price"),
        "seller_id": json_text("order_line", "$.seller"),
        "currency": json_text("line", "$.currency"),
    }
    returns = {
        "order_id": "return_id",
        "line_number": "line",
        "ordered_at": "returned_at",
        "channel": "channel",
        "product_id": "sku",
        "quantity": negated("qty"),
        "unit_price": "price",
        "customer_id": "customer_id",
        "status": "'returned'",
    }
    reads = ("return_id", "order_id", "line", "sku", "qty", "price", "returned_at", "channel", "customer_id")
    return (
        Feed("webshop_orders", "orders", files, order, keeps_raw=True),
        Feed("webshop_order_lines", "order_lines", files, lines, rows=WEBSHOP_LINES),
        Feed("returns", "order_lines", "orders/returns-*.csv", returns, reads, keeps_raw=True),
    )


def _marketplaces() -> tuple[Feed, ...]:
    alpha = {
        "order_id": "Order ID",
        "line_number": "Order Line",
        "ordered_at": "Purchase Date",
        "product_id": "SKU",
        "product_name": "Title",
        "quantity": "Quantity",
        "unit_price": "Item Price",
        "customer_id": "Buyer ID",
        "country": "Ship Country",
        "status": "Order State",
        "seller_id": "Merchant",
    }
    beta = {
        "order_id": "bestellnummer",
        "line_number": "position",
        "ordered_at": "bestelldatum",
        "product_id": "artikelnummer",
        "product_name": "bezeichnung",
        "quantity": "menge",
        "unit_price": "einzelpreis",
        "customer_id": "kunde",
        "country": "land",
        "status": "status",
        "seller_id": "haendler",
    }
    alpha_columns = {
        **{ours: quote(theirs) for ours, theirs in alpha.items()},
        "channel": "'alpha'",
        "status": renamed(quote("Order State"), {"Shipped": "shipped", "Canceled": "cancelled"}),
    }
    beta_columns = {
        **{ours: quote(theirs) for ours, theirs in beta.items()},
        "channel": "'beta'",
        "ordered_at": moment("bestelldatum", BETA_MOMENT),
        "unit_price": decimal_comma("einzelpreis"),
        "status": renamed("status", {"versandt": "shipped", "storniert": "cancelled"}),
    }
    return (
        Feed(
            "alpha_order_lines",
            "order_lines",
            "marketplaces/alpha-*.csv",
            alpha_columns,
            tuple(alpha.values()),
            keeps_raw=True,
        ),
        Feed(
            "beta_order_lines",
            "order_lines",
            "marketplaces/beta-*.csv",
            beta_columns,
            tuple(beta.values()),
            Format(dialect=Dialect(delimiter=";")),
            keeps_raw=True,
        ),
    )


def _master_data() -> tuple[Feed, ...]:
    products = {
        "product_id": "sku",
        "product_name": "name",
        "category": "category",
        "brand": "brand",
        "seller_id": "seller_id",
        "unit_cost": "cost",
        "launch_date": "launched",
        "discontinued_date": "discontinued",
    }
    customers = {"customer_id": "customer_id", "country": "country", "city": "city", "signup_date": "signed_up"}
    sellers = {"seller_id": "seller_id", "seller_name": "name", "country": "country", "city": "city"}
    return (
        _named("products", "products.csv", products),
        _named("customers", "customers.csv", customers),
        _named("sellers", "sellers.csv", sellers),
    )


def _plans() -> tuple[Feed, ...]:
    prices = {"product_id": "sku", "channel": "channel", "valid_from_date": "valid_from", "unit_price": "price"}
    promotions = {
        "promotion_id": "promotion_id",
        "product_id": "sku",
        "channel": "channel",
        "start_date": "start",
        "end_date": "end",
        "discount_share": "discount",
        "promotion_type": "type",
    }
    return _named("prices", "prices.csv", prices), _named("promotions", "promotions.csv", promotions)


def _measurements() -> tuple[Feed, ...]:
    inventory = {"product_id": "sku", "date": "date", "on_hand_units": "on_hand"}
    sessions = {
        "session_id": "session_id",
        "event_number": "event_number",
        "channel": "channel",
        "customer_id": "customer_id",
        "product_id": "sku",
        "event": "event",
    }
    ad_spend = {
        "date": "date",
        "ad_channel": "platform",
        "campaign": "campaign",
        "spend": "spend",
        "impressions": "impressions",
        "clicks": "clicks",
    }
    return (
        _named("inventory_levels", "inventory/inventory-*.csv", inventory),
        Feed(
            "sessions",
            "sessions",
            "sessions/sessions-*.parquet",
            {**{ours: quote(theirs) for ours, theirs in sessions.items()}, "occurred_at": in_utc("ts")},
            (*sessions.values(), "ts"),
        ),
        _named("ad_spend", "ad_spend.parquet", ad_spend),
    )


def _named(entity: str, pattern: str, columns: dict[str, str]) -> Feed:
    """Return a feed that only renames columns, called as its entity."""
    expressions = {ours: quote(theirs) for ours, theirs in columns.items()}
    return Feed(entity, entity, pattern, expressions, tuple(columns.values()))
