"""A small demo shop with hostile product ids, and its files read back without the simulation's own code."""

import csv
import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from storecast.simulation.shop import DemoShopSummary, write_demo_shop

END = dt.date(2025, 4, 20)
BERLIN = ZoneInfo("Europe/Berlin")
# fmt: off
_COLUMNS = ["order_id", "line", "moment", "sku", "name", "quantity", "price", "customer", "country", "status", "seller"]
# fmt: on


@dataclass(frozen=True)
class Shop:
    source: Path
    truth: Path
    summary: DemoShopSummary

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.truth / f"{name}.parquet")

    def csv(self, name: str, delimiter: str = ",") -> pd.DataFrame:
        with (self.source / name).open(encoding="utf-8", newline="") as file:
            return pd.DataFrame(list(csv.DictReader(file, delimiter=delimiter)))

    def order_rows(self) -> pd.DataFrame:
        """Every row of every order file as text: file, row_number, and the row's own words in common names."""
        parts = [self._webshop(), self._marketplace("alpha"), self._marketplace("beta")]
        return pd.concat(parts, ignore_index=True)

    def _webshop(self) -> pd.DataFrame:
        rows = []
        for path in sorted((self.source / "orders").glob("webshop-*.jsonl")):
            orders = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
            lines = [(order, line) for order in orders for line in order["lines"]]
            rows += [
                {
                    "file": f"orders/{path.name}",
                    "row_number": number,
                    "order_id": order["id"],
                    "line": str(line["line"]),
                    "moment": order["created_at"],
                    "sku": line["sku"],
                    "quantity": str(line["qty"]),
                    "price": str(line["price"]),
                    "customer": order["customer"]["id"],
                    "is_cancelled": order["status"] == "cancelled",
                    "currency": order["currency"],
                    "channel": "webshop",
                }
                for number, (order, line) in enumerate(lines, start=1)
            ]
        return pd.DataFrame(rows)

    def _marketplace(self, channel: str) -> pd.DataFrame:
        delimiter = {"alpha": ",", "beta": ";"}[channel]
        parts = []
        for path in sorted((self.source / "marketplaces").glob(f"{channel}-*.csv")):
            rows = self.csv(f"marketplaces/{path.name}", delimiter)
            rows.columns = pd.Index(_COLUMNS)
            rows.insert(0, "file", f"marketplaces/{path.name}")
            rows.insert(1, "row_number", range(1, len(rows) + 1))
            parts.append(rows)
        rows = pd.concat(parts)
        if channel == "beta":
            rows["price"] = rows["price"].str.replace(",", ".")
        return rows.assign(
            is_cancelled=rows["status"].isin(["Canceled", "storniert"]), currency="EUR", channel=channel
        ).drop(columns=["name", "country", "status", "seller"])

    def clean_order_rows(self) -> pd.DataFrame:
        """Order rows without the dirty ones, typed, with the day in the shop's zone."""
        rows = self.order_rows()
        dirty = self.table("dirty_rows").set_index(["file", "row_number"]).index
        rows = rows[~pd.MultiIndex.from_frame(rows[["file", "row_number"]]).isin(dirty)]
        return rows.assign(
            quantity=rows["quantity"].astype(int),
            price=rows["price"].astype(float),
            date=[local_day(moment, channel) for moment, channel in zip(rows["moment"], rows["channel"], strict=True)],
        )


def local_day(moment: str, channel: str) -> dt.date:
    if channel == "webshop":
        return dt.datetime.fromisoformat(moment).astimezone(BERLIN).date()
    pattern = {"alpha": "%Y-%m-%d %H:%M:%S", "beta": "%d.%m.%Y %H:%M:%S"}[channel]
    return dt.datetime.strptime(moment, pattern).date()


def make_shop(folder: Path, *, products: int, days: int, end_date: dt.date, seed: int, hostile_ids: bool) -> Shop:
    source, truth = folder / "source", folder / "truth"
    summary = write_demo_shop(
        source, truth, products=products, days=days, end_date=end_date, seed=seed, hostile_ids=hostile_ids
    )
    return Shop(source, truth, summary)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Forty products, half a year over both changes of the clocks, hostile ids among them."""
    folder = tmp_path_factory.mktemp("shop")
    return make_shop(folder, products=40, days=190, end_date=END, seed=11, hostile_ids=True)
