"""A shop in a temporary folder: files in, tables out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from storecast.ingestion.account_contracts import LandedFiles
from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.judging import judge
from storecast.ingestion.landing import LandedFile, land
from storecast.ingestion.loading import ensure_tables, load_entity
from storecast.ingestion.sources import Source
from storecast.ingestion.withdrawing import landed_table, withdraw
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types

NOW = datetime(2026, 11, 20, 12, 0, 0)


@dataclass
class Shop:
    """A source's folder, its landing and its warehouse."""

    folder: Path
    landing_dir: Path
    warehouse: Warehouse

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def ingest(self, source: Source, now: datetime = NOW) -> int:
        """Land, load and judge; return the number of rows loaded."""
        landed = land(source, self.landing_dir, now)
        ensure_tables(self.warehouse)
        self._note(source, landed)
        loaded = set(self.warehouse.read("SELECT entity FROM ops.loads")["entity"])
        concerned = [name for name in ENTITIES if name in loaded or source.feeds_of(name)]
        done = [load_entity(self.warehouse, source, landed, name, self.landing_dir, now) for name in concerned]
        withdraw(self.warehouse, source, landed, now)
        self._note(source, landed)
        judge(self.warehouse, source, now)
        return sum(loaded.rows for loaded in done)

    def _note(self, source: Source, landed: list[LandedFile]) -> None:
        files = landed_table(self.warehouse, source, landed)
        self.warehouse.replace_table("ops.landed_files", files, sql_types(LandedFiles))

    def states(self) -> dict[str, str]:
        """Return what became of each landed file, by path and first digits of its hash."""
        files = self.warehouse.read("SELECT path, state FROM ops.landed_files ORDER BY landed_at, path")
        return dict(zip(files["path"], files["state"], strict=True))

    def bronze(self, entity: str) -> pd.DataFrame:
        return self.warehouse.read(f"SELECT * FROM bronze.{entity} ORDER BY feed, landed_at, file_sha256, row_number")

    def reasons(self, entity: str) -> dict[int, str]:
        """Return row number → reasons of an entity's quarantined rows."""
        rows = self.warehouse.read("SELECT row_number, reasons FROM ops.quarantine WHERE entity = ?", [entity])
        return dict(zip(rows["row_number"].tolist(), rows["reasons"].tolist(), strict=True))


@pytest.fixture(scope="session")
def open_shop() -> Callable[[Path], Shop]:
    def make(place: Path) -> Shop:
        (place / "source").mkdir(parents=True)
        return Shop(place / "source", place / "data" / "landing", Warehouse(place / "data" / "warehouse.duckdb"))

    return make


@pytest.fixture
def make_shop(open_shop: Callable[[Path], Shop], tmp_path: Path) -> Callable[[str], Shop]:
    return lambda name: open_shop(tmp_path / name)


@pytest.fixture
def shop(make_shop: Callable[[str], Shop]) -> Shop:
    return make_shop("shop")


@pytest.fixture
def now() -> datetime:
    return NOW
