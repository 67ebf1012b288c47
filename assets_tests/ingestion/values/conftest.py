"""One small export through landing, mapping and judging."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from storecast.ingestion.judging import typed
from storecast.ingestion.sources.files import files

HEAD = 'timezone = "{zone}"\ncurrency = "{currency}"\ncountry = "DE"\n'
FEED = """
[[feeds]]
entity = "order_lines"
files = "{pattern}"
{keys}
columns = {{ order_id = "order", ordered_at = "at", product_id = "sku", quantity = "qty", unit_price = "price" }}
constants = {{ channel = "web" }}
"""
SOUND = {"order": "1", "at": "2026-09-30 12:00:00", "sku": "P1", "qty": "2", "price": "10.00"}


@dataclass
class Export:
    """A shop of one feed of order lines."""

    shop: object
    zone: str = "Europe/Berlin"
    currency: str = "EUR"

    def write(self, cells: Sequence[Mapping[str, str]], name: str = "f.csv") -> None:
        """Write rows of `;`-separated cells; what a row does not name is sound."""
        rows = [SOUND | {"order": str(number)} | dict(row) for number, row in enumerate(cells)]
        lines = [";".join(SOUND), *(";".join(row.values()) for row in rows)]
        self.shop.write(name, "\n".join(lines) + "\n")

    def ingest(self, keys: str = "", pattern: str = "*.csv", feeds: str = "") -> None:
        text = HEAD.format(zone=self.zone, currency=self.currency)
        text += feeds or FEED.format(pattern=pattern, keys=f'delimiter = ";"\n{keys}' if "csv" in pattern else keys)
        self.shop.ingest(files(self.shop.write("my_shop.toml", text)))

    def read(self, column: str) -> list[str | None]:
        return self.shop.bronze("order_lines")[column].tolist()

    def numbers(self, column: str) -> list[float | None]:
        """Return a column as silver reads it, of the rows that are not set aside."""
        return self._typed(column, "DOUBLE")

    def moments(self) -> list[str]:
        """Return the moments in UTC."""
        return [str(moment) for moment in self._typed("ordered_at", "TIMESTAMP")]

    def _typed(self, column: str, kind: str) -> list:
        frame = self.shop.warehouse.read(
            f"SELECT {typed(column, kind, self.zone)} AS cell FROM bronze.order_lines "
            "ANTI JOIN ops.quarantine USING (file_sha256, row_number) ORDER BY file_sha256, row_number"
        )
        return frame["cell"].tolist()


@pytest.fixture
def make_export(make_shop) -> Callable[..., Export]:
    return lambda **facts: Export(make_shop("shop"), **facts)


@pytest.fixture
def export(make_export) -> Export:
    return make_export()
