"""Session events tell of the orders behind them."""

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def events(shop) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted((shop.source / "sessions").iterdir())])


def test_events_have_a_key_and_begin_with_a_view(events: pd.DataFrame) -> None:
    assert not events.duplicated(["session_id", "event_number"]).any()
    assert (events.loc[events["event_number"] == 1, "event"] == "view").all()
    assert events.groupby("session_id")["event_number"].agg(lambda numbers: numbers.max() == len(numbers)).all()
    assert set(events["event"]) == {"view", "cart", "purchase"}


def test_every_purchase_event_is_a_line_of_a_webshop_order_of_that_moment(shop, events: pd.DataFrame) -> None:
    bought = events[events["event"] == "purchase"]
    rows = shop.clean_order_rows().query("channel == 'webshop' and not is_cancelled")
    lines = set(zip(pd.to_datetime(rows["moment"]).dt.floor("h"), rows["customer"], rows["sku"], strict=True))
    near = zip(bought["ts"].dt.floor("h"), bought["customer_id"], bought["sku"], strict=True)
    found = sum(item in lines for item in near)
    # The events of a large order are a few seconds apart, which may begin another hour.
    assert found / len(bought) > 0.97
    assert len(bought) > 20


def test_customers_appear_only_after_they_signed_up(shop, events: pd.DataFrame) -> None:
    signed_up = pd.to_datetime(shop.csv("customers.csv").set_index("customer_id")["signed_up"])
    rows = shop.clean_order_rows()
    assert (rows["customer"].map(signed_up) <= pd.to_datetime(rows["date"])).all()
    known = events.dropna(subset="customer_id")
    day = pd.to_datetime(known["session_id"].str[2:10])
    assert (known["customer_id"].map(signed_up) <= day).all()


def test_buyers_follow_their_tastes(shop) -> None:
    category = shop.csv("products.csv").set_index("sku")["category"]
    rows = shop.clean_order_rows()
    rows = rows[rows["line"] == "1"].assign(category=lambda table: table["sku"].map(category))
    tastes = shop.table("tastes").rename(columns={"customer_id": "customer"})
    mean = tastes["log_affinity"].mean()
    liked = rows.merge(tastes, on=["customer", "category"], validate="many_to_one")["log_affinity"]
    assert liked.mean() > mean + 0.3
