import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.sources.demo import demo
from storecast.simulation.shop import write_demo_shop

ORDER = {
    "id": "W-100001",
    "created_at": "2025-03-01T13:22:05Z",
    "status": "shipped",
    "currency": "EUR",
    "customer": {"id": "C00017", "country": "DE"},
    "lines": [
        {"line": 1, "sku": "P-0007", "name": "Tasse", "qty": 2, "price": 12.95, "seller": "S01"},
        {"line": 2, "sku": "x') OR 1=1 --", "name": None, "qty": "abc", "price": 3, "seller": "S02"},
    ],
}


def test_a_web_order_becomes_an_order_and_its_lines(shop) -> None:
    shop.write("orders/webshop-2025-03.jsonl", json.dumps(ORDER) + "\n")
    shop.ingest(demo(shop.folder))
    [order] = shop.bronze("orders").to_dict("records")
    assert order["order_id"] == "W-100001"
    assert (order["channel"], order["customer_id"], order["country"]) == ("webshop", "C00017", "DE")
    assert json.loads(order["raw"]) == ORDER
    first, second = shop.bronze("order_lines").to_dict("records")
    assert [first["row_number"], second["row_number"]] == [1, 2]
    assert (first["line_number"], first["product_id"], first["quantity"], first["unit_price"]) == (
        "1",
        "P-0007",
        "2",
        "12.95",
    )
    assert (first["ordered_at"], first["status"], first["currency"]) == ("2025-03-01T13:22:05Z", "shipped", "EUR")
    assert (first["seller_id"], first["customer_id"], first["country"]) == ("S01", "C00017", "DE")
    assert (second["product_id"], second["product_name"], second["quantity"]) == ("x') OR 1=1 --", None, "abc")
    assert shop.reasons("order_lines") == {2: "quantity: 'abc' is not a number"}


def test_a_line_that_is_no_json_is_quarantined_in_both_tables_and_counts_as_a_row(shop) -> None:
    lines = [json.dumps(ORDER), '{"id": "W-2", "lines": [', json.dumps({**ORDER, "id": "W-3", "lines": "none"})]
    shop.write("orders/webshop-2025-03.jsonl", "\n".join([*lines, json.dumps({**ORDER, "id": "W-4", "lines": []})]))
    shop.ingest(demo(shop.folder))
    assert shop.reasons("orders") == {2: "row: not valid JSON"}
    reasons = shop.reasons("order_lines")
    assert reasons == {2: "quantity: 'abc' is not a number", 3: "row: not valid JSON", 4: "row: lines: not a list"}
    kept = shop.bronze("order_lines").set_index("row_number")["raw"]
    assert json.loads(kept[3]) == ["not valid JSON", '{"id": "W-2", "lines": [']
    assert len(shop.bronze("orders")) == 4


def test_a_return_becomes_a_negative_line_of_its_own_order(shop) -> None:
    header = "return_id,order_id,line,sku,qty,price,returned_at,channel,customer_id\n"
    rows = "R-1,W-1,1,P-1,2,12.95,2025-03-05T09:00:00Z,webshop,C1\nR-2,W-1,2,P-2,x,1,2025-03-05T09:00:00Z,alpha,C1\n"
    shop.write("orders/returns-2025-03.csv", header + rows)
    shop.ingest(demo(shop.folder))
    first, second = shop.bronze("order_lines").to_dict("records")
    assert (first["order_id"], first["quantity"], first["status"], first["channel"]) == (
        "R-1",
        "-2",
        "returned",
        "webshop",
    )
    assert json.loads(first["raw"])["order_id"] == "W-1"
    assert second["quantity"] == "x"


def test_the_alpha_marketplaces_words_become_ours(shop) -> None:
    header = '"Order ID","Order Line","Purchase Date","SKU","Title","Quantity","Item Price","Buyer ID","Ship Country",'
    rows = '"A-1","1","2025-03-01 14:22:05","0007","A, b","1","3.50","B1","AT","Canceled","M1"\n'
    shop.write(
        "marketplaces/alpha-2025-03.csv",
        header + '"Order State","Merchant"\n' + rows + rows.replace("Canceled", "Lost"),
    )
    shop.ingest(demo(shop.folder))
    first, second = shop.bronze("order_lines").to_dict("records")
    assert (first["product_id"], first["product_name"], first["status"]) == ("0007", "A, b", "cancelled")
    assert (first["channel"], first["seller_id"], first["ordered_at"]) == ("alpha", "M1", "2025-03-01 14:22:05")
    assert second["status"] == "Lost"
    assert shop.reasons("order_lines") == {
        2: "status: 'Lost' must be one of placed, shipped, delivered, cancelled, returned"
    }


def test_the_beta_marketplaces_days_and_commas_become_ours(shop) -> None:
    header = (
        "bestellnummer;position;bestelldatum;artikelnummer;bezeichnung;menge;einzelpreis;kunde;land;status;haendler\n"
    )
    rows = "B-1;1;01.03.2025 14:22:05;P-1;Tasse;2;1.012,95;K1;DE;versandt;S1\n"
    rows += "B-2;1;31.02.2025 10:00:00;P-1;Tasse;2;-3,50;K1;DE;storniert;S1\n"
    shop.write("marketplaces/beta-2025-03.csv", header + rows)
    shop.ingest(demo(shop.folder))
    first, second = shop.bronze("order_lines").to_dict("records")
    assert (first["ordered_at"], first["unit_price"], first["status"]) == ("2025-03-01 14:22:05", "1012.95", "shipped")
    assert json.loads(first["raw"])["einzelpreis"] == "1.012,95"
    assert (second["ordered_at"], second["unit_price"], second["status"]) == (
        "31.02.2025 10:00:00",
        "-3.50",
        "cancelled",
    )
    assert shop.reasons("order_lines") == {
        2: "ordered_at: '31.02.2025 10:00:00' is not a moment (ISO 8601, e.g. 2025-03-01 14:22:05); "
        "unit_price: '-3.50' must be at least 0"
    }


def test_a_sessions_moment_is_utc(shop) -> None:
    (shop.folder / "sessions").mkdir()
    sessions = pd.DataFrame(
        {
            "session_id": ["S1"],
            "event_number": [1],
            "ts": [pd.Timestamp("2025-07-01 12:00:00")],
            "channel": ["webshop"],
            "customer_id": [None],
            "sku": ["P-1"],
            "event": ["view"],
        }
    )
    sessions.to_parquet(shop.folder / "sessions/sessions-2025-07.parquet")
    sessions.assign(ts=sessions["ts"].dt.tz_localize("UTC")).to_parquet(
        shop.folder / "sessions/sessions-2025-08.parquet"
    )
    shop.ingest(demo(shop.folder))
    assert shop.bronze("sessions")["occurred_at"].tolist() == ["2025-07-01 12:00:00Z", "2025-07-01 12:00:00+00"]
    assert shop.reasons("sessions") == {}


def test_every_channel_of_a_price_is_null(shop) -> None:
    shop.write("prices.csv", "sku,channel,valid_from,price\nP-1,,2025-01-01,3.50\nP-1,alpha,2025-01-01,0\n")
    shop.ingest(demo(shop.folder))
    assert shop.bronze("prices")["channel"].tolist() == [None, "alpha"]
    assert shop.reasons("prices") == {2: "unit_price: '0' must be more than 0"}


@pytest.mark.slow
def test_of_the_simulated_shop_exactly_the_rows_dirtied_on_purpose_are_quarantined(shop, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    write_demo_shop(shop.folder, truth, products=25, days=120, end_date=date(2026, 11, 15), seed=3, hostile_ids=True)
    shop.ingest(demo(shop.folder))
    dirty = pd.read_parquet(truth / "dirty_rows.parquet")
    expected = dirty.loc[dirty["expected"] == "quarantine", ["file", "row_number"]]
    found = shop.warehouse.read(
        "SELECT DISTINCT landed.path, rejected.row_number FROM ops.quarantine AS rejected "
        "JOIN ops.landed_files AS landed USING (file_sha256) WHERE entity <> 'orders'"
    )
    assert len(expected) > 20
    assert set(found.itertuples(index=False, name=None)) == set(expected.itertuples(index=False, name=None))
    filled = {name for name in ENTITIES if len(shop.bronze(name))}
    assert filled == set(ENTITIES) - {"daily_sales", "calendar"}
