import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.lost_demand import lost_demand_of
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.unconstraining import unconstrained

SOLD_OUT = pd.to_datetime(["2025-04-07", "2025-04-08", "2025-06-30"])


@pytest.fixture
def stocked(daily_demand) -> pd.DataFrame:
    """The small shop with stocks: `fast` was sold out on three days, on the first and last before any sale."""
    is_out = (daily_demand["product_id"] == "fast") & daily_demand["date"].isin(SOLD_OUT)
    units = daily_demand["units"].mask(is_out, np.where(daily_demand["date"] == SOLD_OUT[1], 3.0, 0.0))
    return daily_demand.assign(units=units, is_in_stock=~is_out)


def test_each_sold_out_day_has_a_row_and_no_other(stocked):
    lost = c.LostDemand.validate(lost_demand_of(stocked))
    assert lost[["product_id", "channel"]].drop_duplicates().to_numpy().tolist() == [
        ["fast", "market"],
        ["fast", "shop"],
    ]
    assert lost["date"].tolist() == [*SOLD_OUT, *SOLD_OUT]


def test_lost_units_are_what_the_forecasters_learn_from_less_what_was_sold(stocked):
    lost = lost_demand_of(stocked).set_index(["product_id", "channel", "date"])
    panel = panel_from_tables(stocked)
    demand = unconstrained(panel)
    for (product_id, channel, date), row in lost.iterrows():
        place = panel.keys.get_loc((product_id, channel)), panel.times.get_loc(date)
        assert row["estimated_demand_units"] == demand.units[place]
        assert row["lost_units"] == demand.units[place] - panel.units[place]
        assert row["lost_revenue"] == row["lost_units"] * row["unit_price"]
    assert lost["lost_units"].sum() > 30


def test_rows_stay_when_later_days_come(stocked):
    earlier = stocked[stocked["date"] < "2025-06-01"]
    now, then = lost_demand_of(stocked), lost_demand_of(earlier)
    pd.testing.assert_frame_equal(now[now["date"] < "2025-06-01"].reset_index(drop=True), then)


def test_without_a_price_revenue_is_missing(stocked):
    lost = c.LostDemand.validate(lost_demand_of(stocked.assign(unit_price=np.nan)))
    assert lost["lost_revenue"].isna().all()
    assert (lost["lost_units"] > 0).all()


def test_a_shop_that_never_sold_out_lost_nothing(stocked):
    assert c.LostDemand.validate(lost_demand_of(stocked.assign(is_in_stock=True))).empty
    assert c.LostDemand.validate(lost_demand_of(stocked.iloc[:0])).empty
