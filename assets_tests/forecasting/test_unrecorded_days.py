"""Days of a channel that were not delivered are unknown: no forecaster takes them for days without demand."""

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.lost_demand import lost_demand_of
from storecast.forecasting.panel import Panel, panel_from_tables
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.unconstraining import unconstrained

DAYS, HORIZON = 168, 28
LATE = slice(DAYS - 10, DAYS)
MONTH = slice(90, 120)
SLOW = {"lstm", "auto_arima", "prophet"}
BY_CATALOGUE = {"new_products"}
"""It speaks of launches alone, and not of how much a settled product sells."""


def table_of(channel: str, units: np.ndarray, hole: slice | None = None) -> pd.DataFrame:
    is_recorded = np.ones(len(units), dtype=bool)
    if hole is not None:
        is_recorded[hole] = False
    return pd.DataFrame(
        {
            "product_id": "lamp",
            "channel": channel,
            "date": pd.date_range("2026-01-05", periods=len(units)),
            "units": np.where(is_recorded, units, 0.0),
            "unit_price": 10.0,
            "is_on_promotion": False,
            "discount_share": 0.0,
            "is_in_stock": True,
            "is_recorded": is_recorded,
            "is_price_planned": False,
            "has_event": False,
            "event_name": None,
        }
    )


@pytest.fixture(scope="module")
def sales() -> dict[str, np.ndarray]:
    """Two channels with a weekly pattern."""
    rng = np.random.default_rng(11)
    week = 1 + 0.4 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    return {"market": rng.poisson(400 * week).astype(float), "web": rng.poisson(300 * week).astype(float)}


@pytest.fixture(scope="module")
def even_sales() -> dict[str, np.ndarray]:
    """Two channels that sell alike on all weekdays: some models know no others."""
    rng = np.random.default_rng(11)
    return {"market": rng.poisson(400, DAYS).astype(float), "web": rng.poisson(300, DAYS).astype(float)}


def panel_of(sales: dict[str, np.ndarray], hole: slice | None) -> Panel:
    return panel_from_tables(pd.concat([table_of("market", sales["market"], hole), table_of("web", sales["web"])]))


@pytest.mark.parametrize("hole", [LATE, MONTH], ids=["last_ten_days", "a_month_within"])
@pytest.mark.parametrize("name", sorted(REGISTRY.keys() - SLOW - BY_CATALOGUE))
def test_a_shop_with_a_hole_is_forecast_as_the_same_shop_without_it(even_sales, name, hole):
    forecaster = REGISTRY[name].forecaster(0, 1, HORIZON)
    whole, holed = (
        forecaster.clone().fit_panel(panel_of(even_sales, gap).until(DAYS, HORIZON)).predict_panel(HORIZON).sum(axis=1)
        for gap in (None, hole)
    )
    assert holed == pytest.approx(whole, rel=0.05)


def test_the_hole_is_filled_with_what_was_expected_of_its_weekdays_from_the_days_before_it(sales):
    filled = unconstrained(panel_of(sales, MONTH))
    expected = [sales["market"][day - 7 * 4 * 3 : MONTH.start : 7].mean() for day in range(MONTH.start, MONTH.stop)]
    assert filled.units[0, MONTH] == pytest.approx(expected, rel=0.1)
    others = np.ones(DAYS, dtype=bool)
    others[MONTH] = False
    assert filled.units[0, others].tolist() == sales["market"][others].tolist()
    assert filled.units[1].tolist() == sales["web"].tolist()


def test_a_hole_of_half_a_year_is_filled_to_its_end(sales):
    units = np.concatenate([sales["market"], np.zeros(200)])
    filled = unconstrained(panel_from_tables(table_of("market", units, slice(DAYS, DAYS + 200))))
    assert filled.units[0, -7:].mean() == pytest.approx(sales["market"][-28:].mean(), rel=0.05)


def test_a_day_cut_short_counts_as_no_less_than_what_it_sold(sales):
    table = table_of("market", sales["market"], slice(DAYS - 1, DAYS))
    table.loc[DAYS - 1, "units"] = 30.0
    cut = unconstrained(panel_from_tables(table))
    assert cut.units[0, -1] == pytest.approx(sales["market"][:-1][-7 * 4 :: 7].mean(), rel=0.15)
    table.loc[DAYS - 1, "units"] = 900.0
    assert unconstrained(panel_from_tables(table)).units[0, -1] >= 900.0


def test_no_forecast_is_held_against_a_day_that_was_not_recorded(sales):
    hole = slice(DAYS - 40, DAYS - 20)
    tests = backtest(panel_of(sales, hole), [REGISTRY["seasonal_naive"]], BacktestPlan(HORIZON, 1, 1))
    counted = ~np.isnan(tests.actual)
    days = np.concatenate([np.arange(origin, origin + HORIZON) for origin, _ in tests.origins])
    assert counted[:, 0].ravel().tolist() == [day not in range(DAYS)[hole] for day in days]
    assert counted[:, 1].all()


def test_nothing_is_lost_on_a_day_that_was_not_recorded(sales):
    table = table_of("market", sales["market"], LATE).assign(is_in_stock=False)
    table["is_in_stock"] = table.index < DAYS - 12
    assert lost_demand_of(table)["date"].tolist() == table["date"].iloc[DAYS - 12 : DAYS - 10].tolist()


def test_a_series_known_by_a_hole_at_its_end_goes_on_from_its_first_day(sales):
    raw = panel_of(sales, LATE)
    assert np.isnan(raw.units[0, LATE]).all()
    assert raw.first_day.tolist() == [0, 0]
    assert raw.is_sold_out[0].tolist() == [day >= DAYS - 10 for day in range(DAYS)]
    assert not np.isnan(unconstrained(raw).units).any()
