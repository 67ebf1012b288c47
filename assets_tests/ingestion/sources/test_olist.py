import json

import pandas as pd
import pytest

from storecast.ingestion.sources import SourceFileError
from storecast.ingestion.sources.olist import olist


@pytest.fixture
def marketplace(shop):
    moment = pd.Timestamp("2017-09-13 08:59:02")
    tables = {
        "olist_orders_dataset": {
            "order_id": ["o1", "o2", "o3"],
            "customer_id": ["c1", "c2", "c3"],
            "order_status": ["delivered", "unavailable", "invoiced"],
            "order_purchase_timestamp": [moment] * 3,
        },
        "olist_order_items_dataset": {
            "order_id": ["o1", "o1", "o2", "o9"],
            "order_item_id": [1, 2, 1, 1],
            "product_id": ["p1", "p1", "p2", "p3"],
            "seller_id": ["s1", "s1", "s2", "s2"],
            "price": [58.9, 58.9, 10.0, 1.0],
            "freight_value": [1.0] * 4,
        },
        "olist_customers_dataset": {
            "customer_id": ["c1", "c2", "c3"],
            "customer_unique_id": ["u1", "u1", "u3"],
            "customer_zip_code_prefix": [6273, 35550, 1],
            "customer_city": ["osasco", "itapecerica", "são paulo"],
        },
        "olist_products_dataset": {
            "product_id": ["p1", "p2", "p3"],
            "product_category_name": ["perfumaria", None, "pc_gamer"],
        },
        "olist_sellers_dataset": {"seller_id": ["s1", "s2"], "seller_city": ["cariacica", "rio"]},
        "product_category_name_translation": {
            "product_category_name": ["perfumaria"],
            "product_category_name_english": ["perfumery"],
        },
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_parquet(shop.folder / f"{name}.parquet")
    return shop


def test_an_item_takes_moment_status_and_buyer_from_its_order(marketplace) -> None:
    marketplace.ingest(olist(marketplace.folder))
    rows = marketplace.bronze("order_lines")
    columns = ["order_id", "line_number", "ordered_at", "status", "customer_id", "quantity", "unit_price", "currency"]
    assert rows[columns].iloc[:3].to_numpy().tolist() == [
        ["o1", "1", "2017-09-13 08:59:02", "delivered", "u1", "1", "58.9", "BRL"],
        ["o1", "2", "2017-09-13 08:59:02", "delivered", "u1", "1", "58.9", "BRL"],
        ["o2", "1", "2017-09-13 08:59:02", "cancelled", "u1", "1", "10.0", "BRL"],
    ]
    assert marketplace.reasons("order_lines") == {4: "ordered_at: missing, but required"}


def test_a_buyer_is_the_person_and_not_the_orders_number(marketplace) -> None:
    marketplace.ingest(olist(marketplace.folder))
    assert marketplace.bronze("orders")["customer_id"].tolist() == ["u1", "u1", "u3"]
    assert marketplace.bronze("orders")["status"].tolist() == ["delivered", "cancelled", "placed"]
    customers = marketplace.bronze("customers")
    assert customers["customer_id"].tolist() == ["u1", "u1", "u3"]
    assert json.loads(customers["raw"][0])["customer_zip_code_prefix"] == "6273"


def test_a_category_is_english_where_there_is_a_word_for_it(marketplace) -> None:
    marketplace.ingest(olist(marketplace.folder))
    assert marketplace.bronze("products")["category"].tolist() == ["perfumery", None, "pc_gamer"]


def test_items_are_loaded_anew_when_the_orders_beside_them_change(marketplace) -> None:
    marketplace.ingest(olist(marketplace.folder))
    assert marketplace.ingest(olist(marketplace.folder)) == 0
    path = marketplace.folder / "olist_orders_dataset.parquet"
    orders = pd.read_parquet(path)
    added = {
        "order_id": "o9",
        "customer_id": "c3",
        "order_status": "shipped",
        "order_purchase_timestamp": orders.iloc[0, 3],
    }
    pd.concat([orders, pd.DataFrame([added])]).to_parquet(path)
    marketplace.ingest(olist(marketplace.folder))
    assert marketplace.reasons("order_lines") == {}
    assert len(marketplace.bronze("order_lines")) == 4


def test_items_without_the_orders_beside_them_say_what_is_missing(marketplace) -> None:
    (marketplace.folder / "olist_orders_dataset.parquet").unlink()
    with pytest.raises(
        SourceFileError, match=r"\(feed order_items\) needs olist_orders_dataset\.\* beside it: put that file"
    ):
        marketplace.ingest(olist(marketplace.folder))


@pytest.mark.slow
def test_of_the_real_marketplace_every_row_is_in_bronze_and_none_breaks_a_contract(shop, shared_data) -> None:
    shop.ingest(olist(shared_data / "olist"))
    rows = {name: len(shop.bronze(name)) for name in ("orders", "order_lines", "products", "customers", "sellers")}
    assert rows == {
        "orders": 99_441,
        "order_lines": 112_650,
        "products": 32_951,
        "customers": 99_441,
        "sellers": 3_095,
    }
    assert shop.warehouse.read("SELECT count(*) AS rows FROM ops.quarantine")["rows"].tolist() == [0]
    lines = shop.bronze("order_lines")
    assert lines["ordered_at"].notna().all()
    assert lines["unit_price"].astype(float).sum() == pytest.approx(13_591_643.70)  # the sum of `price` in the file
    assert shop.bronze("customers")["customer_id"].nunique() == 96_096
    assert shop.bronze("products")["category"].isna().sum() == 610
