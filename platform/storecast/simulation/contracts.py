"""The columns of every file the demo shop writes, spelled once: the shop's own exports, and the truth tables."""

from typing import Final

ZONE: Final = "Europe/Berlin"
CURRENCY: Final = "EUR"
WEBSHOP: Final = "webshop"
ALPHA: Final = "alpha"
BETA: Final = "beta"
CHANNELS: Final = (WEBSHOP, ALPHA, BETA)

PLAN_DAYS: Final = 90
"""How far price list, promotions and announced discontinuations reach past the last order day."""

ALPHA_HEADER: Final = (
    "Order ID",
    "Order Line",
    "Purchase Date",
    "SKU",
    "Title",
    "Quantity",
    "Item Price",
    "Buyer ID",
    "Ship Country",
    "Order State",
    "Merchant",
)
BETA_HEADER: Final = (
    "bestellnummer",
    "position",
    "bestelldatum",
    "artikelnummer",
    "bezeichnung",
    "menge",
    "einzelpreis",
    "kunde",
    "land",
    "status",
    "haendler",
)
RETURNS_HEADER: Final = (
    "return_id",
    "order_id",
    "line",
    "sku",
    "qty",
    "price",
    "returned_at",
    "channel",
    "customer_id",
)
PRODUCTS_HEADER: Final = ("sku", "name", "category", "brand", "seller_id", "cost", "launched", "discontinued")
CUSTOMERS_HEADER: Final = ("customer_id", "country", "city", "signed_up")
SELLERS_HEADER: Final = ("seller_id", "name", "country", "city")
PRICES_HEADER: Final = ("sku", "channel", "valid_from", "price")
PROMOTIONS_HEADER: Final = ("promotion_id", "sku", "channel", "start", "end", "discount", "type")
INVENTORY_HEADER: Final = ("sku", "date", "on_hand")
SESSIONS_COLUMNS: Final = ("session_id", "event_number", "ts", "channel", "customer_id", "sku", "event")
AD_SPEND_COLUMNS: Final = ("date", "platform", "campaign", "spend", "impressions", "clicks")

TRUTH_COLUMNS: Final = {
    "demand": ("product_id", "channel", "date", "expected_units", "demanded_units", "sold_units"),
    "elasticities": ("product_id", "category", "demand_class", "elasticity", "yearly_trend"),
    "ad_response": (
        "platform",
        "campaign",
        "channel",
        "retention_share",
        "half_saturation_eur",
        "shape",
        "max_lift_share",
    ),
    "tastes": ("customer_id", "category", "log_affinity"),
    "stockouts": ("product_id", "date", "opening_units", "demanded_units", "sold_units", "lost_units"),
    "returns": ("return_id", "order_id", "line_number", "product_id", "channel", "order_date", "return_date", "units"),
    "dirty_rows": ("file", "row_number", "kind", "expected", "kept_row_number"),
}
"""Table name (`truth/<name>.parquet`) to its columns, in order."""
