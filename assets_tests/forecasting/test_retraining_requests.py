"""Which products are asked to be trained anew."""

import pandas as pd
import pytest

from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.retraining_requests import ANSWERS, REQUESTS_SQL, TABLE, WAITING_SQL
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types

DAY = pd.Timestamp("2026-06-30")
CHANGED = pd.Timestamp("2026-06-17")
DRIFT = ["report_date", "scope", "product_id", "channel", "kind", "is_drifted", "change_date"]
SIGNAL = ["as_of_date", "level", "node", "channel", "smoothed_absolute_error_units", "is_biased"]


class Shop:
    """The tables that requests are made of."""

    def __init__(self, folder) -> None:
        self.warehouse = Warehouse(Settings(data_dir=folder).warehouse_path)
        self.drifted: list[tuple] = []
        self.signals: list[tuple] = []
        self.decided: list[tuple] = []
        self.trained_until(DAY - pd.Timedelta(days=1))
        for name, contract in r.RETRAINING_TABLES.items():
            self.warehouse.replace_table(name, pd.DataFrame(columns=list(sql_types(contract))), sql_types(contract))

    def drift(self, product, kind="level", *, channel="shop", scope="series", is_drifted=True, day=DAY) -> None:
        self.drifted.append((day, scope, product, channel, kind, is_drifted, CHANGED))

    def signal(self, product, error_units, *, is_biased=False, channel="shop", day=DAY) -> None:
        self.signals.append((day, "product_channel", product, channel, error_units, is_biased))

    def decide(self, kind, days_ago) -> None:
        self.decided.append((kind, DAY - pd.Timedelta(days=days_ago)))

    def trained_until(self, day, alias="champion") -> None:
        rows = pd.DataFrame({"training_id": ["t"], "model_version": [1], "alias": [alias], "origin_date": [day]})
        self.warehouse.replace_table("ops.registered_models", rows)

    def asked(self, *, budget=50, cooldown_days=14) -> pd.DataFrame:
        types = {name: "DATE" if name.endswith("_date") else "VARCHAR" for name in DRIFT} | {"is_drifted": "BOOLEAN"}
        self.warehouse.replace_table("ops.product_drift", pd.DataFrame(self.drifted, columns=DRIFT), types)
        types = {"as_of_date": "DATE", "is_biased": "BOOLEAN", "smoothed_absolute_error_units": "DOUBLE"}
        types = {name: types.get(name, "VARCHAR") for name in SIGNAL}
        self.warehouse.replace_table("ops.tracking_signals", pd.DataFrame(self.signals, columns=SIGNAL), types)
        ids = sorted({row[2] for row in self.drifted} | {row[2] for row in self.signals})
        keys = pd.DataFrame({"product_id": ids, "partition_key": [f"key of {name}" for name in ids]})
        self.warehouse.replace_table("ops.product_partitions", keys)
        decided = pd.DataFrame(self.decided, columns=["kind", "last_date"])
        self.warehouse.replace_table("ops.promotions", decided, {"kind": "VARCHAR", "last_date": "DATE"})
        limits = {"budget": budget, "cooldown_days": cooldown_days}
        return self.warehouse.read(REQUESTS_SQL, limits)

    def keep(self, name: str, rows: pd.DataFrame) -> None:
        kinds = sql_types(r.RETRAINING_TABLES[name])
        self.warehouse.replace_table(name, rows.reindex(columns=list(kinds)), kinds)

    def waiting(self) -> list[str]:
        return self.warehouse.read(WAITING_SQL)["partition_key"].tolist()


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)


def products(rows: pd.DataFrame) -> list[str]:
    return sorted(set(rows["product_id"]))


def test_drifted_and_biased_products_are_asked_for_and_no_others(shop):
    shop.drift("moved")
    shop.drift("calm", is_drifted=False)
    shop.drift("moved last week", day=DAY - pd.Timedelta(days=7))
    shop.signal("biased", 2.0, is_biased=True)
    shop.signal("fair", 2.0)
    rows = shop.asked()
    assert products(rows) == ["biased", "moved"]
    told = rows.set_index("product_id")
    assert told["kinds"].to_dict() == {"biased": "bias", "moved": "level"}
    assert told["change_date"].to_dict() == {"biased": DAY - pd.Timedelta(days=27), "moved": CHANGED}
    assert set(rows["report_date"]) == {DAY}


@pytest.mark.parametrize(
    ("kind", "days_ago", "asked"),
    [
        ("rollback", 13, ["moved"]),  # on the day that the errors began
        ("promotion", 14, ["missed", "moved"]),
        ("promotion", 28, ["biased", "missed", "moved"]),
        ("first", 0, ["biased", "missed", "moved"]),
        ("look", 0, ["biased", "missed", "moved"]),
    ],
)
def test_errors_of_another_champion_ask_for_nothing(shop, kind, days_ago, asked):
    shop.drift("moved")
    shop.drift("missed", "forecast")
    shop.signal("biased", 1.0, is_biased=True)
    shop.decide(kind, days_ago)
    assert products(shop.asked()) == asked


@pytest.mark.parametrize("days_after", [0, 1])
def test_nothing_is_asked_of_a_champion_that_knows_the_report_s_last_day_not_even_by_a_signal(shop, days_after):
    shop.drift("moved")
    shop.signal("biased", 2.0, is_biased=True)
    shop.keep(TABLE, shop.asked())
    assert shop.waiting() == ["key of biased", "key of moved"]
    shop.trained_until(DAY + pd.Timedelta(days=days_after))
    assert shop.waiting() == []
    shop.keep(TABLE, shop.asked().iloc[:0])
    assert shop.asked().empty


def test_a_challenger_that_knows_the_day_leaves_the_champion_s_products_asked_for(shop):
    shop.drift("moved")
    shop.trained_until(DAY, alias="challenger")
    assert products(shop.asked()) == ["moved"]


@pytest.mark.parametrize("kind", ["data_fault", "stock_out"])
def test_what_is_no_drift_asks_for_nothing_not_even_by_its_bias(shop, kind):
    shop.drift("lamp", kind)
    shop.signal("lamp", 3.0, is_biased=True)
    assert shop.asked().empty


@pytest.mark.parametrize(("scope", "channel"), [("channel", "shop"), ("portfolio", "all")])
def test_a_feed_that_stopped_asks_for_nothing(shop, scope, channel):
    shop.drift("all", "data_fault", scope=scope, channel=channel)
    shop.drift("lamp")
    shop.signal("chair", 3.0, is_biased=True)
    shop.drift("elsewhere", channel="market")
    assert products(shop.asked()) == (["elsewhere"] if scope == "channel" else [])


def test_the_budget_goes_to_the_partitions_whose_forecasts_miss_most(shop):
    for number in range(6):
        shop.drift(f"p{number}")
        shop.drift(f"p{number}", channel="market")
        shop.signal(f"p{number}", float(number))
        shop.signal(f"p{number}", 10.0, channel="market")
    rows = shop.asked(budget=2)
    assert products(rows) == ["p4", "p5"]
    assert len(rows) == 4
    assert rows.groupby("product_id")["error_units"].first().to_dict() == {"p4": 14.0, "p5": 15.0}
    assert shop.asked(budget=0).empty


@pytest.mark.parametrize(("days_ago", "is_asked"), [(13, False), (14, True)])
def test_a_partition_rests_after_it_was_trained_anew(shop, days_ago, is_asked):
    shop.drift("lamp")
    answer = shop.asked().assign(report_date=DAY - pd.Timedelta(days=days_ago), level_factor=1.0)
    shop.keep(ANSWERS, answer)
    assert shop.asked().empty is not is_asked


def test_what_was_asked_for_but_not_done_does_not_rest(shop):
    shop.drift("lamp")
    shop.keep(TABLE, shop.asked().assign(report_date=DAY - pd.Timedelta(days=1)))
    assert products(shop.asked()) == ["lamp"]


def test_what_was_asked_for_on_a_day_stays_asked_for_on_that_day(shop):
    shop.drift("lamp")
    first = shop.asked()
    shop.keep(TABLE, first)
    shop.drift("chair")
    pd.testing.assert_frame_equal(shop.asked(), first)


def test_only_what_was_not_done_waits(shop):
    shop.drift("lamp")
    shop.drift("chair")
    rows = shop.asked()
    shop.keep(TABLE, rows)
    assert shop.waiting() == ["key of chair", "key of lamp"]
    shop.keep(ANSWERS, rows[rows["product_id"] == "chair"])
    assert shop.waiting() == ["key of lamp"]


def test_a_product_s_name_is_no_sql(shop):
    hostile = "x'); drop table ops.product_drift; --"
    shop.drift(hostile)
    assert products(shop.asked()) == [hostile]
