"""Demand: what goes in can be found again in what comes out."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from storecast.simulation.advertising import adstock, saturation


@pytest.fixture(scope="module")
def offers(shop) -> pd.DataFrame:
    """The truth per product, channel and day, with the offer price from the shop's files."""
    demand = shop.table("demand").assign(date=lambda table: pd.to_datetime(table["date"]))
    prices = shop.csv("prices.csv").assign(
        date=lambda table: pd.to_datetime(table["valid_from"]), price=lambda table: table["price"].astype(float)
    )
    prices = prices[prices["price"] > 0].rename(columns={"sku": "product_id"})
    every = [prices[prices["channel"].isin(["", channel])].assign(channel=channel) for channel in _CHANNELS]
    prices = pd.concat(every).sort_values("date")[["product_id", "channel", "date", "price"]]
    table = pd.merge_asof(demand.sort_values("date"), prices, on="date", by=["product_id", "channel"])
    table["is_dipping"] = False
    for row in shop.csv("promotions.csv").itertuples():
        here = (table["product_id"] == row.sku) & table["channel"].isin([row.channel] if row.channel else _CHANNELS)
        start, end = pd.Timestamp(row.start), pd.Timestamp(row.end)
        table.loc[here & table["date"].between(start, end), "price"] *= 1 - float(row.discount)
        table.loc[here & (table["date"] > end) & (table["date"] <= end + pd.Timedelta(days=14)), "is_dipping"] = True
    return table


_CHANNELS = ["webshop", "alpha", "beta"]


def _two_channels(offers: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    one, two = (offers[offers["channel"] == channel] for channel in (first, second))
    pair = one.merge(two, on=["product_id", "date"])
    pair = pair[~pair["is_dipping_x"] & ~pair["is_dipping_y"]]
    return pair.assign(
        units=np.log(pair["expected_units_x"] / pair["expected_units_y"]),
        price=np.log(pair["price_x"] / pair["price_y"]),
        year=(pair["date"] - pair["date"].min()).dt.days / 365.25,
    )


def test_a_log_regression_of_one_channel_against_another_finds_the_elasticity(shop, offers: pd.DataFrame) -> None:
    # Season, level and life cycle are the product's, so that between two marketplaces only prices and trend differ.
    truth = shop.table("elasticities").set_index("product_id")
    pairs = _two_channels(offers, "alpha", "beta")
    checked = 0
    for product, rows in pairs.groupby("product_id"):
        if rows["price"].std() < 0.02 or truth.loc[product, "demand_class"] == "intermittent":
            continue
        design = np.column_stack([np.ones(len(rows)), rows["price"], rows["year"]])
        slope = np.linalg.lstsq(design, rows["units"], rcond=None)[0][1]
        assert slope == pytest.approx(truth.loc[product, "elasticity"], abs=0.02), product
        checked += 1
    assert checked >= 4


def test_the_webshop_gains_what_the_ad_response_says(shop, offers: pd.DataFrame) -> None:
    spend = pd.read_parquet(shop.source / "ad_spend.parquet")
    lift = 1.0
    for row in shop.table("ad_response").itertuples():
        own = spend[(spend["platform"] == row.platform) & (spend["campaign"] == row.campaign)].sort_values("date")
        pressure = adstock(own["spend"].to_numpy(), row.retention_share)
        lift = lift + row.max_lift_share * saturation(pressure, row.half_saturation_eur, row.shape)
    by_day = pd.Series(np.log(lift), index=pd.to_datetime(spend["date"].drop_duplicates().sort_values()))
    elasticity = shop.table("elasticities").set_index("product_id")["elasticity"]
    pair = _two_channels(offers, "webshop", "alpha")
    pair = pair[pair["product_id"].isin(shop.table("elasticities").query("demand_class == 'steady'")["product_id"])]
    left = pair["units"] - pair["price"] * pair["product_id"].map(elasticity)
    left -= left.groupby(pair["product_id"]).transform("mean")
    lifts = pair["date"].map(by_day)
    lifts -= lifts.groupby(pair["product_id"]).transform("mean")
    years = pair["year"] - pair["year"].groupby(pair["product_id"]).transform("mean")
    slope = np.linalg.lstsq(np.column_stack([lifts, years]), left, rcond=None)[0][0]
    assert slope == pytest.approx(1.0, abs=0.02)


def test_units_demanded_are_on_average_the_units_expected(shop) -> None:
    demand = shop.table("demand").merge(shop.table("elasticities"), on="product_id")
    for _, rows in demand.groupby("demand_class"):
        gap = rows["demanded_units"] - rows["expected_units"]
        assert abs(gap.sum() / np.sqrt((gap**2).sum())) < norm.ppf(0.9995)


def test_counts_vary_more_than_poisson_ones(shop) -> None:
    demand = shop.table("demand").query("expected_units > 2")
    spread = ((demand["demanded_units"] - demand["expected_units"]) ** 2 / demand["expected_units"]).mean()
    assert 1.2 < spread < 4


def test_a_good_third_of_the_products_sells_rarely(shop) -> None:
    demand = shop.table("demand")
    idle = demand.groupby("product_id")["demanded_units"].agg(lambda units: (units == 0).mean())
    assert 0.25 < (idle > 0.8).mean() < 0.6


def test_the_week_shows_and_differs_by_category(shop) -> None:
    demand = shop.table("demand").merge(shop.table("elasticities"), on="product_id")
    demand["weekday"] = pd.to_datetime(demand["date"]).dt.weekday
    week = demand.groupby("weekday")["demanded_units"].sum()
    assert week[0] > 1.15 * week[5], "people order on Mondays, not on Saturdays"
    by_category = demand.pivot_table(index="weekday", columns="category", values="demanded_units", aggfunc="sum")
    by_category /= by_category.mean()
    assert by_category.loc[6, "Office"] < 0.75 < 1.0 < by_category.loc[6, "Fashion"]


def test_gifts_sell_before_christmas_and_not_right_after_the_last_delivery(shop) -> None:
    demand = shop.table("demand").merge(shop.table("elasticities"), on="product_id").query("category == 'Toys'")
    units = demand.groupby("date")["expected_units"].sum()
    before = units[dt.date(2024, 12, 13) : dt.date(2024, 12, 19)].mean()
    after = units[dt.date(2024, 12, 22) : dt.date(2024, 12, 26)].mean()
    assert before > 1.5 * after
