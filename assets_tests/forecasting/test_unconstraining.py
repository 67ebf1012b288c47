from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from storecast.forecasting.baselines import SeasonalNaive
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.unconstraining import LONGEST_STOCK_OUT_DAYS, truncated_mean, unconstrained
from storecast.simulation.world import simulate

DAYS = 120


def panel_of(units, is_in_stock=None, products=None, prices=None) -> Panel:
    """Series of some products, one channel after the other; each its own product unless said otherwise."""
    units = np.atleast_2d(np.asarray(units, dtype=float))
    names = products or [f"p{row}" for row in range(len(units))]
    keys = pd.MultiIndex.from_arrays([names, [f"c{row}" for row in range(len(units))]], names=["product_id", "channel"])
    return Panel(
        keys=keys,
        times=pd.date_range("2025-01-01", periods=units.shape[1]),
        units=units,
        drivers={} if prices is None else {"unit_price": np.atleast_2d(prices)},
        statics=keys.to_frame(index=False),
        is_in_stock=None if is_in_stock is None else np.atleast_2d(is_in_stock),
    )


def sold_out_on(shape: tuple[int, int], *days: int) -> np.ndarray:
    flags = np.ones(shape, bool)
    flags[:, list(days)] = False
    return flags


@st.composite
def shops(draw) -> Panel:
    """Up to four series of up to two products over up to thirty days, some days sold out."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 30)))
    units = draw(arrays.arrays(np.float64, shape, elements=st.integers(0, 30).map(float)))
    for row in range(shape[0]):
        units[row, : draw(st.integers(0, shape[1] - 1))] = np.nan
    is_in_stock = draw(arrays.arrays(np.bool_, shape))
    products = draw(st.lists(st.sampled_from("ab"), min_size=shape[0], max_size=shape[0]))
    prices = draw(arrays.arrays(np.float64, shape, elements=st.floats(0.5, 20.0)))
    return panel_of(units, is_in_stock, products, prices)


# ---------------------------------------------------------------- the conditional mean
@pytest.mark.parametrize(("mean", "least"), [(0.3, 1), (0.3, 4), (2.0, 1), (2.0, 9), (40.0, 60)])
def test_a_poisson_demand_of_at_least_s_is_what_the_sum_over_its_tail_says(mean, least):
    tail = np.arange(least, 2000)
    chances = stats.poisson.pmf(tail, mean)
    by_hand = (tail * chances).sum() / chances.sum()
    found = truncated_mean(np.array([mean]), np.array([1e-7]), np.array([float(least)]))
    assert found.item() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize(
    ("mean", "dispersion", "least"), [(0.3, 2.0, 1), (3.0, 0.3, 7), (50.0, 0.1, 30), (5.0, 1.5, 40)]
)
def test_a_negative_binomial_demand_of_at_least_s_is_what_the_sum_over_its_tail_says(mean, dispersion, least):
    size = 1 / dispersion
    tail = np.arange(least, 20_000)
    chances = stats.nbinom.pmf(tail, size, size / (size + mean))
    by_hand = (tail * chances).sum() / chances.sum()
    found = truncated_mean(np.array([mean]), np.array([dispersion]), np.array([float(least)]))
    assert found.item() == pytest.approx(by_hand, rel=1e-9)


def test_demand_of_at_least_nothing_is_the_mean():
    assert truncated_mean(np.array([3.5]), np.array([0.2]), np.array([0.0])).tolist() == [3.5]


def test_far_beyond_all_that_is_likely_demand_is_little_more_than_sales():
    found = truncated_mean(np.array([1.0]), np.array([0.01]), np.array([5000.0])).item()
    assert 5000.0 <= found < 5001.0


# ---------------------------------------------------------------- what holds for every panel
@given(shops())
@settings(max_examples=25, deadline=None)
def test_no_day_is_below_its_sales_and_days_in_stock_stay_as_they_were(panel):
    demand = unconstrained(panel)
    assert demand.is_unconstrained == panel.is_sold_out.any()
    np.testing.assert_array_equal(np.isnan(demand.units), np.isnan(panel.units))
    sold, known = panel.units[~np.isnan(panel.units)], demand.units[~np.isnan(panel.units)]
    assert np.isfinite(known).all()
    assert (known >= sold).all()
    np.testing.assert_array_equal(demand.units[panel.is_in_stock], panel.units[panel.is_in_stock])


@given(shops(), st.data())
@settings(max_examples=25, deadline=None)
def test_an_estimate_reads_nothing_of_later_days(panel, data):
    begun = panel.first_day[~np.isnan(panel.units).all(axis=1)]
    days = data.draw(st.integers(int(begun.min()) + 1, panel.days))
    known = panel.until(days, 1)
    rows = panel.keys.get_indexer(known.keys)
    np.testing.assert_array_equal(unconstrained(known).units, unconstrained(panel).units[rows, :days])


@given(shops())
@settings(max_examples=25, deadline=None)
def test_a_product_alone_gets_the_same_numbers_to_the_last_bit(panel):
    together = unconstrained(panel).units
    for product in set(panel.statics["product_id"]):
        rows = np.flatnonzero(panel.statics["product_id"] == product)
        np.testing.assert_array_equal(unconstrained(panel.take(rows)).units, together[rows])


def test_where_nothing_was_sold_out_it_is_the_same_panel(panel):
    assert unconstrained(panel) is panel
    always = panel_of(np.ones((2, 9)), np.ones((2, 9), bool))
    np.testing.assert_array_equal(unconstrained(always).units, always.units)


def test_what_is_estimated_is_not_estimated_again():
    once = unconstrained(panel_of(np.full(30, 4.0), sold_out_on((1, 30), 20)))
    assert unconstrained(once) is once


# ---------------------------------------------------------------- what it estimates
def test_a_steady_series_lost_its_level_on_a_day_without_any_sale():
    units = np.full(DAYS, 10.0)
    units[100] = 0.0
    demand = unconstrained(panel_of(units, sold_out_on((1, DAYS), 100)))
    assert demand.units[0, 100] == pytest.approx(10.0, rel=0.02)


def test_a_day_that_sold_out_early_lost_more_than_one_that_sold_out_late():
    late, early = (np.where(np.arange(DAYS) == 100, sold, 10.0) for sold in (12.0, 2.0))
    demand = unconstrained(panel_of([late, early], sold_out_on((2, DAYS), 100)))
    lost = demand.units[:, 100] - [12.0, 2.0]
    assert 0 < lost[0] < 3 < 6 < lost[1]


def test_a_stock_out_on_a_weekday_that_sells_well_lost_more():
    units = np.tile([4.0, 4, 4, 4, 4, 20, 20], 40)
    days = [250, 252, 257]  # one of the week's last two days, one of its first five, one of the last two
    units[days] = 0.0
    demand = unconstrained(panel_of(units, sold_out_on((1, 280), *days)))
    assert demand.units[0, days] == pytest.approx([20.0, 4.0, 20.0], rel=0.2)


def test_a_stock_out_at_half_the_price_lost_more():
    prices = np.where(np.arange(300) % 20 < 3, 5.0, 10.0)
    units = np.where(prices == 5.0, 40.0, 10.0)
    units[[281, 290]] = 0.0
    demand = unconstrained(panel_of(units, sold_out_on((1, 300), 281, 290), prices=prices))
    assert demand.units[0, [281, 290]] == pytest.approx([40.0, 10.0], rel=0.3)


def test_channels_always_sold_out_together_share_one_stock_and_its_loss():
    units = np.full((2, DAYS), 10.0)
    units[1] = 30.0
    units[:, 100] = [10.0, 0.0]
    shared = unconstrained(panel_of(units, sold_out_on((2, DAYS), 100), ["a", "a"]))
    apart = unconstrained(panel_of(units, sold_out_on((2, DAYS), 100), ["a", "b"]))
    lost_shared, lost_apart = (panel.units[:, 100] - units[:, 100] for panel in (shared, apart))
    assert lost_shared.sum() == pytest.approx(30.0, rel=0.1)  # 40 are wanted, 10 were there
    assert lost_shared[1] == pytest.approx(3 * lost_shared[0], rel=0.1)
    assert lost_apart.sum() > lost_shared.sum()


def test_series_of_a_product_that_were_not_always_sold_out_together_have_stocks_of_their_own():
    units = np.full((2, DAYS), 10.0)
    units[:, 100] = [12.0, 0.0]
    flags = sold_out_on((2, DAYS), 100)
    flags[0, 50] = False
    demand = unconstrained(panel_of(units, flags, ["a", "a"]))
    assert demand.units[1, 100] == pytest.approx(10.0, rel=0.1)


def test_after_eight_weeks_sold_out_a_product_is_no_longer_on_offer():
    units = np.full(200, 10.0)
    units[100:] = 0.0
    demand = unconstrained(panel_of(units, np.arange(200) < 100)).units[0]
    assert (demand[100 : 100 + LONGEST_STOCK_OUT_DAYS] > 8).all()
    assert (demand[100 + LONGEST_STOCK_OUT_DAYS :] == 0).all()


def test_demand_cut_by_a_stock_of_known_size_is_found_again_in_sum():
    """500 series of Poisson demand, each day cut by a stock that was there by chance: the truth is known."""
    rng = np.random.default_rng(5)
    demand = rng.poisson(rng.gamma(2.0, 2.0, (500, 1)), (500, 300)).astype(float)
    stock = np.where(rng.random(demand.shape) < 0.15, rng.poisson(2.0, demand.shape), 1000)
    sold = np.minimum(demand, stock)
    estimate = unconstrained(panel_of(sold, sold < stock)).units[:, 60:]
    lost = (demand - sold)[:, 60:].sum()
    assert lost / demand[:, 60:].sum() > 0.05
    assert (estimate - sold[:, 60:]).sum() == pytest.approx(lost, rel=0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_demand_of_a_simulated_shop_is_found_again(seed):
    """A year of the demo shop's world: three channels share a product's stock, which an (s, S) policy fills."""
    world = simulate(date(2025, 1, 1), 365, 60, seed, hostile_ids=False)
    day, product, channel = world.demand.demanded_units.shape
    series = product * channel

    def by_series(values: np.ndarray) -> np.ndarray:
        return values.reshape(day, series).T.astype(float)

    sold, wanted = by_series(world.stock.sold_units), by_series(world.demand.demanded_units)
    sold[np.cumsum(sold, axis=1) == 0] = np.nan  # a series begins with its first sale
    is_in_stock = np.repeat(world.stock.closing_units.T > 0, channel, axis=0)
    names = np.repeat(world.catalogue.product_ids, channel).tolist()
    is_live = np.repeat(world.catalogue.is_live(day).T, channel, axis=0)
    has_sold = (np.nan_to_num(sold) > 0).any(axis=1)
    prices = by_series(world.plan.offer_price_eur[:day])
    panel = panel_of(sold, is_in_stock | ~is_live, names, prices).take(has_sold)
    wanted, estimate = wanted[has_sold], unconstrained(panel).units
    is_counted = ~np.isnan(panel.units) & panel.is_sold_out.any(axis=1, keepdims=True)
    lost = (wanted - panel.units)[is_counted].sum() / wanted[is_counted].sum()
    bias = (estimate - wanted)[is_counted].sum() / wanted[is_counted].sum()
    assert abs(bias) < 0.005 < 0.02 < lost
    errors = [np.abs(values - wanted)[panel.is_sold_out].mean() for values in (estimate, panel.units)]
    assert errors[0] < 0.85 * errors[1]


# ---------------------------------------------------------------- where it is used
@pytest.fixture
def frames() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A product that sells ten a day, sold out on the last ten of sixty days; what is known of stocks and prices."""
    days = pd.MultiIndex.from_product([["p"], pd.period_range("2025-01-01", periods=60)], names=["product_id", "date"])
    is_in_stock = np.arange(60) < 50
    y = pd.DataFrame({"units": np.where(is_in_stock, 10.0, 0.0)}, index=days)
    return y, pd.DataFrame({"is_in_stock": is_in_stock, "unit_price": 2.0}, index=days)


def forecaster() -> GlobalLightGBM:
    return GlobalLightGBM(n_trees=5)  # too few days to learn from: the recent level is the forecast


def test_through_sktime_stocks_come_with_the_drivers(frames):
    units, known = frames
    prices = known[["unit_price"]]
    demand = forecaster().fit(units, known).predict(fh=[1, 2], X=later(known))
    sales = forecaster().fit(units, prices).predict(fh=[1, 2], X=later(known)[["unit_price"]])
    assert demand["units"].to_numpy() == pytest.approx(10.0, rel=0.1)
    assert (sales["units"] < 8.5).all()


def test_sold_out_days_that_come_by_update_are_estimated_too(frames):
    units, known = frames
    fitted = forecaster().fit(units[:40], known[:40])
    for days in (slice(40, 55), slice(55, 60)):
        fitted.update(units[days], known[days])
    assert fitted.predict(fh=[1, 2], X=later(known))["units"].to_numpy() == pytest.approx(10.0, rel=0.1)


def later(known: pd.DataFrame) -> pd.DataFrame:
    days = pd.MultiIndex.from_product([["p"], pd.period_range("2025-03-02", periods=2)], names=known.index.names)
    return pd.DataFrame({"is_in_stock": True, "unit_price": 2.0}, index=days)


def test_a_forecasters_own_errors_leave_sold_out_days_out():
    units = np.tile([8.0, 12.0], 40)
    units[60:75] = 0.0
    fitted = SeasonalNaive().fit_panel(panel_of(units, ~np.isin(np.arange(80), np.arange(60, 75))))
    actual, _ = fitted._errors_within(fitted.panel_, 14)
    assert np.isnan(actual).sum() == 15
    assert np.nanmin(actual) == 8.0


@pytest.mark.parametrize("name", ["seasonal_naive", "window_average", "tsb", "theta", "lightgbm"])
def test_every_kind_of_forecaster_forecasts_what_would_have_sold(name):
    rng = np.random.default_rng(1)
    wanted = rng.poisson(6.0, (6, 200)).astype(float)
    flags = sold_out_on((6, 200), *range(185, 195))
    sold = np.where(flags, wanted, 0.0)
    totals = [
        REGISTRY[name].forecaster(0, 1, 14).fit_panel(known.until(200, 14)).predict_panel(14).sum()
        for known in (panel_of(wanted), panel_of(sold, flags), panel_of(sold))
    ]
    assert abs(totals[1] / totals[0] - 1) < 0.06 < 1 - totals[2] / totals[0]
