import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.baselines import seasonal_average
from storecast.forecasting.calendar_regression import forecast_group_totals
from storecast.forecasting.level_corrections import Groups
from storecast.forecasting.panel import EVENT_CODE, Panel

DAYS, HORIZON, SERIES = 420, 28, 12
PAY_DAY, FAIR = "Pay day", "Fair"
FAIRS = pd.to_datetime(["2025-02-14", "2025-05-23", "2026-02-06"])
WEEKDAY = np.array([0.9, 0.8, 0.85, 0.95, 1.2, 1.5, 0.8])


def shop(noise: float, seed: int = 0) -> tuple[Panel, np.ndarray]:
    """Two channels of one category whose days follow weekday, pay days and fairs; its history, and what comes."""
    random = np.random.default_rng(seed)
    times = pd.date_range("2025-01-01", periods=DAYS + HORIZON)
    is_pay_day, is_fair = np.isin(times.day, [1, 2, 3, 15]), times.isin(FAIRS)
    effect = WEEKDAY[times.dayofweek] * np.where(is_pay_day, 1.4, 1.0) * np.where(is_fair, 2.0, 1.0)
    level = np.linspace(20, 60, SERIES)[:, None]
    units = level * effect * np.exp(noise * random.standard_normal((SERIES, DAYS + HORIZON)))
    keys = pd.MultiIndex.from_tuples(
        [(f"p{place}", "web" if place % 2 else "shop") for place in range(SERIES)], names=[c.PRODUCT_ID, c.CHANNEL]
    )
    code = np.where(is_pay_day, 1.0, np.where(is_fair, 0.0, -1.0))
    drivers = {c.HAS_EVENT: np.tile(code >= 0, (SERIES, 1)).astype(float), EVENT_CODE: np.tile(code, (SERIES, 1))}
    statics = keys.to_frame(index=False).assign(**{c.CATEGORY: "toys"})
    panel = Panel(keys, times[:DAYS], units[:, :DAYS], drivers, statics, (FAIR, PAY_DAY))
    return panel, units[:, DAYS:]


def totals(panel: Panel, future: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    groups = Groups.of(panel)
    return groups.total(groups.codes(panel), future), forecast_group_totals(panel, groups, HORIZON)


def test_effects_of_weekday_and_pay_day_are_found_where_there_is_no_noise():
    actual, forecast = totals(*shop(noise=0.0))
    # ridge leaves a part of a fair that was seen once with its day of the month
    np.testing.assert_allclose(forecast, actual, rtol=0.1)
    assert np.median(np.abs(forecast / actual - 1)) < 0.01


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_sum_of_noisy_days_is_forecast_better_than_by_the_last_four_weeks(seed):
    panel, future = shop(noise=0.3, seed=seed)
    actual, forecast = totals(panel, future)
    groups = Groups.of(panel)
    weeks = groups.total(groups.codes(panel), seasonal_average(panel.units, 7, 4, HORIZON))
    assert np.abs(actual - forecast).sum() < 0.8 * np.abs(actual - weeks).sum()


def test_a_day_on_which_the_shop_was_closed_teaches_nothing():
    panel, future = shop(noise=0.0)
    units = panel.units.copy()
    units[:, 358] = 0.0
    actual, forecast = totals(panel.with_units(units), future)
    np.testing.assert_allclose(forecast, actual, rtol=0.1)


def test_ten_times_the_units_are_ten_times_the_forecast():
    panel, future = shop(noise=0.2)
    _, forecast = totals(panel, future)
    _, tenfold = totals(panel.with_units(10 * panel.units), future)
    np.testing.assert_allclose(tenfold, 10 * forecast, rtol=1e-9)


def test_small_groups_join_and_what_is_too_small_together_has_no_group():
    panel, _ = shop(noise=0.0)
    assert Groups.of(panel).names == (("toys", "shop"), ("toys", "web"))
    half = np.where(np.arange(SERIES)[:, None] % 2 == 0, panel.units / 20, panel.units)
    assert Groups.of(panel.with_units(half)).names == (("toys", "web"),)
    assert Groups.of(panel.with_units(panel.units / 3)).names == (("*", "*"),)
    assert Groups.of(panel.with_units(panel.units / 1000)).names == ()
    assert forecast_group_totals(panel, Groups.of(panel.with_units(panel.units / 1000)), HORIZON).shape == (0, HORIZON)
