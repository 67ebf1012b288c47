import pandas as pd
import pytest

from storecast.ingestion.sources.m5 import m5


@pytest.fixture
def walmart(shop):
    days = pd.date_range("2015-03-03", periods=3).date
    sales = pd.DataFrame(
        [
            (item, store, "FOODS_1", "FOODS", store[:2], day, number, units)
            for item in ("FOODS_1_002", "FOODS_1_001")
            for store in ("CA_1", "TX_2")
            for number, (day, units) in enumerate(zip(days, (0, 1, 2), strict=True), start=1495)
        ],
        columns=["item_id", "store_id", "dept_id", "cat_id", "state_id", "date", "d", "sales"],
    )
    sales.to_parquet(shop.folder / "sales_daily_2015-03-03_2016-05-22_all30490.parquet")
    sales.to_parquet(shop.folder / "sales_daily_full1941_280series.parquet")
    calendar = pd.DataFrame({"date": days, "wm_yr_wk": [11505, 11505, 11506]})
    calendar = calendar.assign(event_name_1=[None, "Easter", None], event_type_1=[None, "Cultural", None])
    calendar = calendar.assign(event_name_2=[None, "OrthodoxEaster", None], event_type_2=[None, "Religious", None])
    calendar.assign(snap_CA=[1, 0, 0], snap_TX=[0, 0, 1], snap_WI=[1, 1, 1]).to_parquet(
        shop.folder / "calendar.parquet"
    )
    prices = [("CA_1", "FOODS_1_002", 11506, 2.5), ("CA_1", "FOODS_1_001", 11505, 3.5)]
    prices = pd.DataFrame(prices, columns=["store_id", "item_id", "wm_yr_wk", "sell_price"])
    prices.to_parquet(shop.folder / "sell_prices.parquet")
    return shop


def test_an_item_in_a_store_becomes_a_product_in_a_channel(walmart) -> None:
    walmart.ingest(m5(walmart.folder, None))
    sales = walmart.bronze("daily_sales")
    assert len(sales) == 12
    assert sales.iloc[1][["product_id", "channel", "date", "units"]].tolist() == [
        "FOODS_1_002",
        "CA_1",
        "2015-03-04",
        "1",
    ]
    products = walmart.bronze("products")[["product_id", "category", "brand"]]
    assert products.to_numpy().tolist() == [["FOODS_1_002", "FOODS", "FOODS_1"], ["FOODS_1_001", "FOODS", "FOODS_1"]]


def test_a_week_of_a_price_begins_on_its_first_day(walmart) -> None:
    walmart.ingest(m5(walmart.folder, None))
    prices = walmart.bronze("prices")[["product_id", "channel", "valid_from_date", "unit_price"]]
    assert prices.to_numpy().tolist() == [
        ["FOODS_1_002", "CA_1", "2015-03-05", "2.5"],
        ["FOODS_1_001", "CA_1", "2015-03-03", "3.5"],
    ]


def test_events_hold_everywhere_and_food_stamps_in_the_stores_of_their_state(walmart) -> None:
    walmart.ingest(m5(walmart.folder, None))
    events = walmart.bronze("calendar")[["date", "event_name", "event_type", "channel"]]
    assert events.to_numpy().tolist() == [
        ["2015-03-03", "SNAP", "SNAP", "CA_1"],
        ["2015-03-04", "Easter", "Cultural", None],
        ["2015-03-04", "OrthodoxEaster", "Religious", None],
        ["2015-03-05", "SNAP", "SNAP", "TX_2"],
    ]


def test_the_first_products_in_the_order_of_their_ids_can_be_chosen(walmart) -> None:
    walmart.ingest(m5(walmart.folder, 1))
    assert set(walmart.bronze("daily_sales")["product_id"]) == {"FOODS_1_001"}
    assert walmart.bronze("products")["product_id"].tolist() == ["FOODS_1_001"]
    assert walmart.bronze("prices")["product_id"].tolist() == ["FOODS_1_001"]
    assert walmart.ingest(m5(walmart.folder, 2)) > 0
    assert len(walmart.bronze("daily_sales")) == 12
    with pytest.raises(ValueError, match="products: 0 is no number of products"):
        m5(walmart.folder, 0)


@pytest.mark.slow
def test_of_the_real_stores_two_products_sell_in_ten_stores_on_447_days(shop, shared_data) -> None:
    shop.ingest(m5(shared_data / "m5", 2))
    sales = shop.bronze("daily_sales")
    assert len(sales) == 2 * 10 * 447
    assert (sales["date"].min(), sales["date"].max()) == ("2015-03-03", "2016-05-22")
    assert set(sales["product_id"]) == {"FOODS_1_001", "FOODS_1_002"}
    assert set(shop.bronze("prices")["product_id"]) == {"FOODS_1_001", "FOODS_1_002"}
    events = shop.bronze("calendar")
    assert (events["event_name"] == "SNAP").sum() == 650 * 4 + 650 * 3 + 650 * 3  # days of each state times its stores
    assert shop.warehouse.read("SELECT count(*) AS rows FROM ops.quarantine")["rows"].tolist() == [0]
