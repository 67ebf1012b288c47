"""Online Retail II (UCI, CC BY 4.0): every invoice line of a British online gift shop, two years."""

from pathlib import Path

from storecast.ingestion.sources.base import Feed, Source
from storecast.warehouse.database import quote

COLUMNS = {
    "order_id": "Invoice",
    "ordered_at": "InvoiceDate",
    "product_id": "StockCode",
    "product_name": "Description",
    "quantity": "Quantity",
    "unit_price": "Price",
    "customer_id": "Customer ID",
    "country": "Country",
}
NON_PRODUCTS = {
    "POST": "postage",
    "DOT": "postage of the dotcom shop",
    "C[23]": "carriage",
    "23444": "next-day carriage",
    "23574": "packing charge",
    "M|m": "manual entry",
    "D": "discount",
    "S": "samples sent",
    "B": "bad debt written off",
    "BANK CHARGES": "bank charges",
    "AMAZONFEE": "marketplace fee",
    "CRUK": "donation to a charity",
    "ADJUST2?": "adjustment by hand",
    "PADS": "nominal entry at 0.001",
    r"TEST\d+": "test entry",
    "gift_.*|GIFT": "gift voucher: a payment made in advance",
}
"""Stock codes that are no products, as patterns, and what such a line is.

Read off all codes that do not begin with five digits, and off the five-digit ones whose description is a service.
DCGS… and SP1002 are not here: they are goods with names and prices. Nor is a rule on descriptions: FRENCH CARRIAGE
LANTERN is no carriage.
"""

STATUS = "CASE WHEN Invoice LIKE 'C%' THEN 'cancelled' END"


def online_retail_ii(folder: Path) -> Source:
    """Return the data set as one parquet file or as UCI's workbook, both sheets.

    Lines carry no number: rows that are exactly alike are copies. A cancellation is an invoice that starts with C; what
    it voids is decided where demand is made. Stock codes that are no products stay too.
    """
    expressions = {ours: quote(theirs) for ours, theirs in COLUMNS.items()} | {"channel": "'online'", "status": STATUS}
    reads = tuple(COLUMNS.values())
    return Source(
        name="online_retail_ii",
        folder=folder,
        timezone="Europe/London",
        currency="GBP",
        country="GB",
        feeds=(
            Feed(
                "invoice_lines",
                "order_lines",
                "online_retail_[iI][iI].*",
                expressions,
                reads,
                repeated_rows="copies",
            ),
        ),
        non_products=NON_PRODUCTS,
    )
