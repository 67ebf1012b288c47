"""Olist (CC BY-NC-SA 4.0): a Brazilian marketplace of many sellers, two years."""

from pathlib import Path

from storecast.ingestion.sources.base import Feed, Source
from storecast.ingestion.sources.expressions import renamed

STATUSES = {
    "created": "placed",
    "approved": "placed",
    "invoiced": "placed",
    "processing": "placed",
    "shipped": "shipped",
    "delivered": "delivered",
    "canceled": "cancelled",
    "unavailable": "cancelled",
}

BUYERS = """(
    SELECT customer_id, customer_unique_id
    FROM customers
    QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY _row_number DESC) = 1
)"""

ORDERS_WITH_BUYERS = f"""(
    SELECT raw.*, buyers.customer_unique_id
    FROM raw LEFT JOIN {BUYERS} AS buyers USING (customer_id)
)"""
"""The shop gives a customer a new `customer_id` with each order; `customer_unique_id` is the person."""

ITEMS_WITH_ORDERS = f"""(
    SELECT raw.*, headers.order_purchase_timestamp, headers.order_status, buyers.customer_unique_id
    FROM raw
    LEFT JOIN (
        SELECT * FROM orders QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY _row_number DESC) = 1
    ) AS headers USING (order_id)
    LEFT JOIN {BUYERS} AS buyers USING (customer_id)
)"""

PRODUCTS_IN_ENGLISH = """(
    SELECT raw.*, coalesce(english.product_category_name_english, raw.product_category_name) AS category
    FROM raw
    LEFT JOIN (
        SELECT * FROM translations
        QUALIFY row_number() OVER (PARTITION BY product_category_name ORDER BY _row_number DESC) = 1
    ) AS english USING (product_category_name)
)"""


TRANSLATIONS = Feed(
    "category_translations",
    None,
    "product_category_name_translation.*",
    {},
    ("product_category_name", "product_category_name_english"),
)


def olist(folder: Path) -> Source:
    """Return the data set's orders, items, products, customers and sellers; payments are not read.

    An item is one unit; one of an order that was cancelled or could not be had is `cancelled`.
    """
    return Source(
        name="olist",
        folder=folder,
        timezone="America/Sao_Paulo",
        currency="BRL",
        country="BR",
        feeds=(_orders(), _order_items(), _products(), TRANSLATIONS, _customers(), _sellers()),
    )


def _orders() -> Feed:
    columns = {
        "order_id": "order_id",
        "ordered_at": "order_purchase_timestamp",
        "channel": "'olist'",
        "customer_id": "customer_unique_id",
        "status": renamed("order_status", STATUSES),
        "country": "'BR'",
    }
    reads = ("order_id", "customer_id", "order_status", "order_purchase_timestamp")
    return Feed(
        "orders",
        "orders",
        "olist_orders_dataset.*",
        columns,
        reads,
        rows=ORDERS_WITH_BUYERS,
        alongside={"customers": "customers"},
        keeps_raw=True,
    )


def _order_items() -> Feed:
    columns = {
        "order_id": "order_id",
        "line_number": "order_item_id",
        "ordered_at": "order_purchase_timestamp",
        "channel": "'olist'",
        "product_id": "product_id",
        "quantity": "'1'",
        "unit_price": "price",
        "customer_id": "customer_unique_id",
        "seller_id": "seller_id",
        "status": renamed("order_status", STATUSES),
        "country": "'BR'",
        "currency": "'BRL'",
    }
    return Feed(
        "order_items",
        "order_lines",
        "olist_order_items_dataset.*",
        columns,
        ("order_id", "order_item_id", "product_id", "seller_id", "price"),
        rows=ITEMS_WITH_ORDERS,
        alongside={"orders": "orders", "customers": "customers"},
        keeps_raw=True,
    )


def _products() -> Feed:
    return Feed(
        "products",
        "products",
        "olist_products_dataset.*",
        {"product_id": "product_id", "category": "category"},
        ("product_id", "product_category_name"),
        rows=PRODUCTS_IN_ENGLISH,
        alongside={"translations": "category_translations"},
        keeps_raw=True,
    )


def _customers() -> Feed:
    columns = {"customer_id": "customer_unique_id", "city": "customer_city", "country": "'BR'"}
    reads = ("customer_id", "customer_unique_id", "customer_city")
    return Feed("customers", "customers", "olist_customers_dataset.*", columns, reads, keeps_raw=True)


def _sellers() -> Feed:
    columns = {"seller_id": "seller_id", "city": "seller_city", "country": "'BR'"}
    return Feed("sellers", "sellers", "olist_sellers_dataset.*", columns, ("seller_id", "seller_city"), keeps_raw=True)
