import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.panel import EVENT_CODE, panel_from_tables
from storecast.forecasting.rolling_panel import continued, latest

LATER_DAYS = 10


def cut(daily_demand, planned_drivers, products, first, last):
    """The panel as it was on a day, of the days from another one on; its plans reach as far as all plans do."""
    known = daily_demand[daily_demand["date"].between(first, last)]
    columns = planned_drivers.columns
    ahead = pd.concat([daily_demand.loc[daily_demand["date"] > last, columns], planned_drivers])
    return panel_from_tables(known, ahead, products)


@pytest.fixture
def days(daily_demand):
    last = daily_demand["date"].max()
    return daily_demand["date"].min(), last - pd.Timedelta(LATER_DAYS, "D"), last


def of_names(panel):
    """The event of each series and day by name."""
    names = np.array([*panel.event_names, ""], dtype=object)
    return names[np.nan_to_num(panel.drivers[EVENT_CODE], nan=-1).astype(int)]


def test_days_added_later_make_the_panel_of_all_days(daily_demand, planned_drivers, products, panel, days):
    first, before, last = days
    early = cut(daily_demand, planned_drivers, products, first, before)
    later = cut(daily_demand, planned_drivers, products, before - pd.Timedelta(3, "D"), last)
    both = continued(early, later)
    rows = both.keys.get_indexer(panel.keys)
    np.testing.assert_array_equal(both.units[rows], panel.units)
    assert both.times.equals(panel.times)
    assert set(both.drivers) == set(panel.drivers)
    for name in set(panel.drivers) - {EVENT_CODE}:
        np.testing.assert_array_equal(both.drivers[name][rows], panel.drivers[name])
    np.testing.assert_array_equal(of_names(both)[rows], of_names(panel))
    assert both.statics["category"].to_numpy()[rows].tolist() == panel.statics["category"].tolist()


def test_a_series_that_only_the_later_panel_has_comes_last_and_has_not_begun(daily_demand, planned_drivers, days):
    first, before, last = days
    early = cut(daily_demand, planned_drivers, None, first, before)
    both = continued(early, cut(daily_demand, planned_drivers, None, before, last))
    assert both.keys[: len(early.keys)].equals(early.keys)
    assert both.keys[-1] == ("newborn", "shop")
    assert np.isnan(both.units[-1, :-1]).all()
    assert both.units[-1, -1] == 3.0


def test_events_are_told_apart_by_name_though_the_panels_number_them_otherwise(daily_demand, planned_drivers, days):
    first, before, last = days
    named = daily_demand.assign(
        event_name=np.where(daily_demand["date"] == last, "opening", daily_demand["event_name"]), has_event=True
    )
    early = cut(named, planned_drivers, None, first, before)
    both = continued(early, cut(named, planned_drivers, None, before, last))
    assert both.event_names == ("opening", "payday")
    assert set(of_names(both)[:, len(both.times) - 1]) == {"opening"}
    np.testing.assert_array_equal(of_names(both)[: len(early.keys), : early.days], of_names(early)[:, : early.days])


def test_the_latest_days_keep_the_plans_after_them(panel):
    recent = latest(panel, 30)
    assert recent.days == 30
    assert recent.times.equals(panel.times[-30:])
    assert recent.future_days == panel.future_days
    np.testing.assert_array_equal(recent.units, panel.units[:, -30:])
    np.testing.assert_array_equal(recent.drivers["unit_price"], panel.drivers["unit_price"][:, -120:])
    assert latest(panel, 10_000).units is not None
    assert latest(panel, 10_000).days == panel.days


def test_a_day_left_out_between_is_an_error(daily_demand, planned_drivers, days):
    first, before, last = days
    early = cut(daily_demand, planned_drivers, None, first, before)
    later = cut(daily_demand, planned_drivers, None, before + pd.Timedelta(2, "D"), last)
    with pytest.raises(ValueError, match="the day after the last one known is 2025-06-21: pass all days since then"):
        continued(early, later)


def test_a_series_or_driver_that_is_gone_is_an_error(panel):
    with pytest.raises(ValueError, match="lacks series"):
        continued(panel, panel.take(np.arange(3)))
    with pytest.raises(ValueError, match="later lacks the drivers"):
        continued(panel, panel.without_drivers())
