"""The warehouse never sells what it does not have."""

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.simulation.catalogue import make_catalogue
from storecast.simulation.stock import run_warehouse
from storecast.simulation.streams import Streams


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), days=st.integers(1, 90), pace=st.floats(0, 30))
def test_sales_never_exceed_demand_or_stock_and_no_unit_vanishes(seed: int, days: int, pace: float) -> None:
    catalogue = make_catalogue(9, dt.date(2024, 1, 1), Streams(seed), hostile_ids=False)
    live = catalogue.is_live(days)[:, :, None] & catalogue.is_offered
    demanded = np.random.default_rng(seed).poisson(pace, live.shape) * live
    stock = run_warehouse(demanded, np.zeros((days + 90, *live.shape[1:])), catalogue, Streams(seed))
    assert (stock.sold_units >= 0).all()
    assert (stock.sold_units <= demanded).all()
    np.testing.assert_array_equal(stock.closing_units, stock.opening_units - stock.sold_units.sum(axis=2))
    assert (stock.closing_units >= 0).all()
    arrived = stock.opening_units[1:] - stock.closing_units[:-1]
    assert (arrived >= 0).all()
    # A sale is lost only on a day on which the warehouse runs empty.
    lost = (demanded - stock.sold_units).sum(axis=2)
    assert (stock.closing_units[lost > 0] == 0).all()


def test_exported_stock_goes_down_by_what_was_sold_or_up_by_a_delivery(shop) -> None:
    levels = pd.concat(
        [shop.csv(f"inventory/{path.name}") for path in sorted((shop.source / "inventory").iterdir())]
    ).assign(on_hand=lambda table: table["on_hand"].astype(int), date=lambda table: pd.to_datetime(table["date"]))
    sold = shop.table("demand").assign(date=lambda table: pd.to_datetime(table["date"]))
    sold = sold.groupby(["product_id", "date"])["sold_units"].sum().rename_axis(["sku", "date"]).reset_index()
    table = levels.merge(sold, on=["sku", "date"], how="left", validate="one_to_one").sort_values(["sku", "date"])
    assert table["sold_units"].notna().all()
    change = table.groupby("sku")["on_hand"].diff() + table["sold_units"]
    assert (change.dropna() >= 0).all()
    assert 0.01 < (change.dropna() > 0).mean() < 0.2, "deliveries are neither daily nor never"


def test_lost_sales_are_listed_as_stockouts(shop) -> None:
    demand = shop.table("demand").groupby(["product_id", "date"])[["demanded_units", "sold_units"]].sum()
    lost = (demand["demanded_units"] - demand["sold_units"]).loc[lambda units: units > 0].sort_index()
    stockouts = shop.table("stockouts").set_index(["product_id", "date"])
    pd.testing.assert_series_equal(
        lost, stockouts["lost_units"].loc[lambda units: units > 0].sort_index(), check_names=False
    )
    assert 0.005 < lost.sum() / demand["demanded_units"].sum() < 0.10
    assert (stockouts["opening_units"] == 0).any()
