"""A series that drifted is read at its new level where that surely helps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.baselines import SeasonalWindowAverage
from storecast.forecasting.panel import Panel
from storecast.forecasting.retraining import at_new_levels, retrain

HORIZON = 28
DAYS = 400
CHANGE = 386
SERIES = 40


def forecast(panel: Panel) -> np.ndarray:
    """What the mean of eight weeks says."""
    return SeasonalWindowAverage(seasons=8).fit_panel(panel).predict_panel(HORIZON)


def panel_of(factor: float, level: float = 30.0) -> Panel:
    """Poisson series with a week whose level moves 14 days before the last of 400 days, and 28 days more."""
    rng = np.random.default_rng(3)
    rate = level * (1 + 0.4 * np.sin(2 * np.pi * np.arange(DAYS + HORIZON) / 7))
    rate[CHANGE:] *= factor
    keys = pd.MultiIndex.from_product([[f"p{number:02d}" for number in range(SERIES)], ["shop"]])
    times = pd.date_range("2025-01-01", periods=DAYS + HORIZON)
    units = rng.poisson(rate, (SERIES, DAYS + HORIZON)).astype(float)
    return Panel(keys=keys.set_names([c.PRODUCT_ID, c.CHANNEL]), times=times, units=units)


def asked(panel: Panel, kinds: str = "level", change: int = CHANGE) -> pd.DataFrame:
    return panel.keys.to_frame(index=False).assign(
        report_date=panel.times[-1],
        partition_key=panel.keys.get_level_values(0),
        change_date=panel.times[change],
        kinds=kinds,
        error_units=1.0,
    )


def retrained(whole: Panel, kinds: str = "level") -> pd.DataFrame:
    known = whole.until(DAYS, HORIZON)
    return r.RetrainedSeries.validate(retrain(known, asked(known, kinds), forecast, HORIZON))


@pytest.mark.parametrize("factor", [0.5, 1.7])
def test_a_level_that_moved_is_found_and_costs_little_from_then_on(factor):
    whole = panel_of(factor)
    known, actual = whole.until(DAYS, HORIZON), whole.units[:, DAYS:]
    found = retrained(whole)
    moved = found.loc[found["level_factor"] != 1.0, "level_factor"]
    assert len(moved) >= 0.9 * SERIES
    assert moved.median() == pytest.approx(factor, abs=0.05)
    at_level, reasons = at_new_levels(known, found)
    errors = [np.abs(forecast(panel) - actual).sum() / actual.sum() for panel in (known, at_level)]
    unmoved = panel_of(1.0, level=30.0 * factor)
    floor = (
        np.abs(forecast(unmoved.until(DAYS, HORIZON)) - unmoved.units[:, DAYS:]).sum() / unmoved.units[:, DAYS:].sum()
    )
    assert errors[1] < errors[0]
    assert errors[1] - floor < 0.15 * (errors[0] - floor)
    assert set(reasons) - {None} == {f"history before 2026-01-22 times {row:.2f}: level drift" for row in moved}


def test_nothing_is_changed_where_no_level_moved_and_the_table_says_why():
    found = retrained(panel_of(1.0))
    assert (found["level_factor"] == 1.0).mean() >= 0.95
    kept = found[found["level_factor"] == 1.0]
    assert kept["reason"].str.contains("not clear enough, the history stays").all()


def test_a_week_that_moved_alone_leaves_the_level_as_it_is():
    assert (retrained(panel_of(0.5), kinds="season")["level_factor"] == 1.0).all()


def test_a_stop_is_no_level():
    assert (retrained(panel_of(0.0))["level_factor"] == 1.0).all()


def test_days_that_ended_sold_out_say_nothing_of_the_level():
    whole = panel_of(0.5)
    flags = np.ones(whole.units.shape, bool)
    flags[:, CHANGE:] = False
    found = retrained(replace(whole, is_in_stock=flags))
    assert (found["level_factor"] == 1.0).all()


@pytest.mark.parametrize("change", [3, DAYS - 3])
def test_a_change_with_too_few_days_on_a_side_is_not_judged(change):
    known = panel_of(0.5).until(DAYS, HORIZON)
    found = retrain(known, asked(known, change=change), forecast, HORIZON)
    assert (found["level_factor"] == 1.0).all()
    assert found["reason"].str.startswith("fewer than 7 days").all()


def test_a_series_that_the_panel_lacks_is_named():
    known = panel_of(0.5).until(DAYS, HORIZON)
    with pytest.raises(ValueError, match="panel lacks product 'p00' in 'shop': pass its partition"):
        retrain(known.take(slice(1, None)), asked(known), forecast, HORIZON)


def test_the_newest_answer_of_a_series_counts_until_its_change_is_long_past():
    known = panel_of(0.5).until(DAYS, HORIZON)
    first = asked(known).head(2).assign(level_factor=[0.5, 0.5])
    second = first.assign(report_date=known.times[-1] + pd.Timedelta(days=14), level_factor=[0.7, 1.0])
    panel, reasons = at_new_levels(known, pd.concat([second, first]))
    assert panel.units[0, CHANGE - 1] == pytest.approx(0.7 * known.units[0, CHANGE - 1])
    np.testing.assert_array_equal(panel.units[0, CHANGE:], known.units[0, CHANGE:])
    np.testing.assert_array_equal(panel.units[1:], known.units[1:])
    assert [reason is None for reason in reasons] == [False] + [True] * (SERIES - 1)
    old, reasons = at_new_levels(known, first.assign(change_date=known.times[-58]))
    assert old is known
    assert set(reasons) == {None}
