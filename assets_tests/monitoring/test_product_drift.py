"""The judgement: which kinds account for which, on rows made for it, and on a shop whose shifts are known."""

import duckdb
import numpy as np
import pandas as pd
import pytest

from storecast.monitoring import contracts as c
from storecast.monitoring.product_drift import FORECAST_WEIGHT, judged, memory_gb, product_drift
from storecast.monitoring.shift_statistics import false_discovery_level, weighted_q_values

LAST_DAY = pd.Timestamp("2026-05-03")
WEEKS, PRODUCTS = 130, 12


def measures(*rows: tuple[str, str, str, str, float, float]) -> pd.DataFrame:
    """Measures of one report: product, channel, kind, feature, statistic, effect; calm series beside them."""
    calm = [(f"calm {number}", "shop", c.LEVEL, c.UNITS, 0.3, 0.01) for number in range(60)]
    columns = ["product_id", "channel", "kind", "feature", "statistic", "effect"]
    frame = pd.DataFrame([*rows, *calm], columns=columns)
    is_feed = frame["kind"] == c.DATA_FAULT
    scope = np.where(is_feed, np.where(frame["channel"] == c.ALL, c.PORTFOLIO, c.CHANNEL), c.SERIES)
    return frame.assign(
        scope=scope, report_date=LAST_DAY, window_days=14, expected=1.0, history=52, change_date=pd.NaT
    )  # fmt: skip


def verdict(rows: pd.DataFrame, product: str, kind: str, channel: str = "shop") -> tuple[bool, str | None]:
    [row] = rows[(rows["product_id"] == product) & (rows["kind"] == kind) & (rows["channel"] == channel)].itertuples()
    return row.is_drifted, None if pd.isna(row.explained_by) else row.explained_by


def test_a_feed_that_stopped_accounts_for_all_that_its_channel_shows():
    rows = judged(measures(
        (c.ALL, "shop", c.DATA_FAULT, c.FEED, 60.0, -1.0), ("A", "shop", c.LEVEL, c.UNITS, -90.0, -1.0),
        ("A", "market", c.LEVEL, c.UNITS, 90.0, 0.6),
    ))  # fmt: skip
    assert verdict(rows, c.ALL, c.DATA_FAULT) == (True, None)
    assert verdict(rows, "A", c.LEVEL) == (False, c.DATA_FAULT)
    assert verdict(rows, "A", c.LEVEL, "market") == (True, None)


def test_a_source_that_stopped_accounts_for_every_channel():
    rows = judged(measures(
        (c.ALL, c.ALL, c.DATA_FAULT, c.FEED, 60.0, -1.0), ("A", "market", c.LEVEL, c.UNITS, -90.0, -1.0),
    ))  # fmt: skip
    assert verdict(rows, "A", c.LEVEL, "market") == (False, c.DATA_FAULT)


def test_sales_that_fall_while_sold_out_are_the_stock_s_and_sales_that_rise_are_not():
    stock = [(name, "shop", c.STOCK_OUT, c.IS_IN_STOCK, 30.0, 0.9) for name in "AB"]
    rows = judged(
        measures(*stock, ("A", "shop", c.LEVEL, c.UNITS, -90.0, -0.9), ("B", "shop", c.LEVEL, c.UNITS, 90.0, 1.0))
    )
    assert verdict(rows, "A", c.STOCK_OUT) == (True, None)
    assert verdict(rows, "A", c.LEVEL) == (False, c.STOCK_OUT)
    assert verdict(rows, "B", c.LEVEL) == (True, None)


def test_a_product_that_moves_between_channels_is_mix_and_one_that_moves_in_one_is_level():
    def both(product: str, channel: str, sign: float) -> list[tuple[str, str, str, str, float, float]]:
        shifted = [(c.LEVEL, c.UNITS), (c.MIX, c.CHANNEL_SHARE)]
        return [(product, channel, kind, feature, 90.0 * sign, 0.4 * sign) for kind, feature in shifted]

    rows = judged(measures(*both("moved", "shop", -1), *both("moved", "market", 1), *both("rose", "shop", 1)))
    for channel in ("shop", "market"):
        assert verdict(rows, "moved", c.MIX, channel) == (True, None)
        assert verdict(rows, "moved", c.LEVEL, channel) == (False, c.MIX)
    assert verdict(rows, "rose", c.LEVEL) == (True, None)
    assert verdict(rows, "rose", c.MIX) == (False, c.LEVEL)


def test_what_forecasts_miss_weighs_more_than_the_same_evidence_in_an_input():
    rows = judged(
        measures(("A", "shop", c.FORECAST, c.FORECAST_BIAS, 12.0, 0.2), ("A", "shop", c.LEVEL, c.UNITS, 12.0, 0.2))
    )
    bias, level = (rows[(rows["product_id"] == "A") & (rows["kind"] == kind)].iloc[0] for kind in (c.FORECAST, c.LEVEL))
    weights = np.where(rows["kind"] == c.FORECAST, FORECAST_WEIGHT, 1.0)
    np.testing.assert_allclose(rows["q_value"], weighted_q_values(rows["p_value"], weights))
    assert bias["threshold"] == level["threshold"] == false_discovery_level(61) / 2
    assert weights.max() > 1


def test_prices_that_did_change_make_no_level_likelier_to_have_moved():
    prices = [(f"P{number}", "shop", c.PRICE, c.UNIT_PRICE, 90.0, 0.2) for number in range(40)]
    level = ("A", "shop", c.LEVEL, c.UNITS, 9.0, 0.2)
    alone, among = (judged(measures(level, *others)) for others in ([], prices))
    told = [
        rows.loc[(rows["product_id"] == "A") & (rows["kind"] == c.LEVEL), "q_value"].item() for rows in (alone, among)
    ]
    assert told[0] == told[1]
    assert among.loc[among["kind"] == c.PRICE, "is_drifted"].all()


def test_rows_keep_the_contract_and_a_report_of_nothing_is_one_of_no_rows():
    rows = c.ProductDrift.validate(judged(measures(("A", "shop", c.PRICE, c.UNIT_PRICE, 90.0, 0.2))))
    [price] = rows[rows["is_drifted"]].itertuples()
    assert price.change_date == LAST_DAY - pd.Timedelta(days=13)
    assert judged(measures().iloc[:0]).empty


def shop(units_of=lambda units, **_: units) -> duckdb.DuckDBPyConnection:
    """Two and a half years of twelve products in two channels with a common December, changed by a function.

    Where that gives NaN a product is not yet sold.
    """
    rng = np.random.default_rng(8)
    days = pd.date_range(LAST_DAY - pd.Timedelta(days=7 * WEEKS - 1), LAST_DAY)
    common = np.where((days.month == 12) & (days.day < 25), 2.5, 1.0) * (1 + 0.3 * (days.dayofweek >= 5))
    frames = []
    for product in range(PRODUCTS):
        for channel in ("market", "shop"):
            units = rng.poisson(30 * common).astype(float)
            units = units_of(units, product=product, channel=channel, days=days)
            stock = ~((product == 3) & (days > LAST_DAY - pd.Timedelta(days=14)))
            frame = {"product_id": f"P{product:02d}", "channel": channel, "date": days.date, "units": units * stock}
            price = np.where((product == 5) & (days > LAST_DAY - pd.Timedelta(days=14)), 1.15, 1.0)
            frames.append(pd.DataFrame({**frame, "unit_price": 10 * price, "is_in_stock": stock, "is_recorded": True}))
    connection = duckdb.connect()
    connection.execute("create schema gold; create schema silver")
    demand = pd.concat(frames).dropna(subset="units")
    connection.register("demand", demand)
    connection.execute("create table gold.daily_demand as select * replace (date::date as date) from demand")
    connection.execute("create table silver.products as select distinct product_id, 'toys' as category from demand")
    connection.execute(
        "create table gold.demand_forecasts (product_id varchar, channel varchar, origin_date date, date date,"
        " mean_units double, p05_units double, p95_units double)"
    )
    return connection


def drifted(connection: duckdb.DuckDBPyConnection, day: pd.Timestamp = LAST_DAY, *, reports: int = 1) -> pd.DataFrame:
    rows = product_drift(lambda sql, given: connection.execute(sql, given).df(), day.date(), reports=reports)
    return c.ProductDrift.validate(rows).query("is_drifted")


def test_each_planted_shift_is_found_as_its_kind_and_dated_and_nothing_else():
    def planted(units, *, product, channel, days):
        is_late = days > LAST_DAY - pd.Timedelta(days=14)
        factor = {(1, "shop"): 1.6, (2, "shop"): 0.2, (2, "market"): 1.8}.get((product, channel), 1.0)
        return np.where(is_late, np.round(units * factor), units)

    with shop(planted) as connection:
        found = drifted(connection)
    told = {(row.product_id, row.channel, row.kind) for row in found.itertuples() if row.scope == c.SERIES}
    both = ("market", "shop")
    assert told == (
        {("P01", "shop", c.LEVEL)}
        | {("P02", channel, c.MIX) for channel in both}
        | {("P03", channel, c.STOCK_OUT) for channel in both}
        | {("P05", channel, c.PRICE) for channel in both}
    )
    dated = found[found["kind"].isin([c.LEVEL, c.MIX, c.PRICE])]
    assert ((dated["change_date"] - (LAST_DAY - pd.Timedelta(days=13))).abs() <= pd.Timedelta(days=1)).all()


@pytest.mark.parametrize("day", ["2025-12-07", "2025-12-25", "2026-01-07"])
def test_a_december_that_all_products_share_is_no_product_s_drift(day):
    with shop() as connection:
        found = drifted(connection, pd.Timestamp(day))
    assert found[found["kind"].isin([c.LEVEL, c.MIX, c.SEASON])].empty


def test_launches_that_outsell_what_was_there_are_no_fall_of_it():
    def launched(units, *, product, channel, days):
        weeks_ago = {8: 30, 9: 24, 10: 24, 11: 18}.get(product)
        is_sold = np.ones(len(days), bool) if weeks_ago is None else days > LAST_DAY - pd.Timedelta(weeks=weeks_ago)
        return np.where(is_sold, units if weeks_ago is None else 20 * units, np.nan)

    with shop(launched) as connection:
        found = drifted(connection, reports=30)
    assert found[found["kind"].isin([c.LEVEL, c.MIX, c.SEASON]) & (found["scope"] == c.SERIES)].empty


@pytest.mark.parametrize(
    "weeks_sold",
    [
        pytest.param(lambda _product, channel: 60 if channel == "shop" else WEEKS, id="its channel is young"),
        pytest.param(lambda product, _channel: WEEKS if product == 1 else 70, id="all others came later"),
        pytest.param(lambda product, _channel: WEEKS if product == 1 else 20, id="all others came just now"),
        pytest.param(
            lambda product, channel: 51 if (product, channel) == (0, "market") else 50, id="all but a stray are young"
        ),
    ],
)
def test_a_product_that_ceases_is_found_however_long_the_others_have_sold(weeks_sold):
    def ceased(units, *, product, channel, days):
        is_sold = days > LAST_DAY - pd.Timedelta(weeks=weeks_sold(product, channel))
        is_over = (product, channel) == (1, "shop") and days > LAST_DAY - pd.Timedelta(days=14)
        return np.where(is_sold, np.where(is_over, 0.0, np.round(units / 5)), np.nan)

    with shop(ceased) as connection:
        found = drifted(connection)
    of_one = found[(found["product_id"] == "P01") & (found["channel"] == "shop")]
    assert of_one[["kind", "feature"]].to_numpy().tolist() == [[c.STOCK_OUT, c.UNITS]]
    assert found[found["kind"].isin([c.LEVEL, c.MIX, c.SEASON])].empty


def test_a_channel_without_sales_is_a_fault_told_once():
    def stopped(units, *, product, channel, days):
        return np.where((channel == "market") & (days > LAST_DAY - pd.Timedelta(days=5)), 0.0, units)

    with shop(stopped) as connection:
        found = drifted(connection)
    assert found[found["channel"] == "market"][["scope", "kind"]].to_numpy().tolist() == [[c.CHANNEL, c.DATA_FAULT]]
    assert set(found.loc[found["channel"] == "shop", "kind"]) <= {c.PRICE, c.STOCK_OUT}


def test_little_memory_gives_the_same_report(tmp_path):
    connection = shop()
    plenty = drifted(connection)
    connection.execute("set temp_directory = ?", [str(tmp_path)])
    connection.execute("set memory_limit = '64MB'")
    pd.testing.assert_frame_equal(drifted(connection), plenty)


def test_the_memory_grows_with_the_shop_and_is_a_gigabyte_for_a_small_one():
    assert memory_gb(10_000) == 1.0
    assert memory_gb(30_000_000) == 10.0
