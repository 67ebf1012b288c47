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


def online_retail_ii(folder: Path) -> Source:
    """Return the data set as one parquet file or as UCI's workbook, both sheets.

    Lines carry no number and no status: a cancellation is an invoice that starts with C, and what it voids is decided
    where demand is made. Stock codes that are no products stay too.
    """
    expressions = {ours: quote(theirs) for ours, theirs in COLUMNS.items()} | {"channel": "'online'"}
    reads = tuple(COLUMNS.values())
    return Source(
        name="online_retail_ii",
        folder=folder,
        timezone="Europe/London",
        currency="GBP",
        country="GB",
        feeds=(Feed("invoice_lines", "order_lines", "online_retail_[iI][iI].*", expressions, reads),),
    )
