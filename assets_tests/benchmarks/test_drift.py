"""What the benchmark of drift chooses on is never what it scores, and its counting and its oracle are what they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks.drift import (
    KEY,
    SPLIT_DAY,
    chosen_degrees,
    critical,
    episodes,
    false_episodes,
    is_borne_out,
    is_choosing,
    is_detectable,
    is_for_choice,
    is_scored,
    missed_units,
)
from storecast.monitoring import contracts as c

NAMES = st.text(min_size=1, max_size=8)


@given(rows=st.lists(st.tuples(NAMES, NAMES, st.dates()), min_size=1, max_size=30))
def test_no_series_and_no_day_is_both_chosen_on_and_scored(rows):
    frame = pd.DataFrame(rows, columns=[*KEY, "report_date"])
    frame["report_date"] = pd.to_datetime(frame["report_date"], errors="coerce")
    chosen, scored = frame[is_for_choice(frame)], frame[is_scored(frame)]
    assert set(zip(chosen["product_id"], chosen["channel"], strict=True)).isdisjoint(
        zip(scored["product_id"], scored["channel"], strict=True)
    )
    assert (chosen["report_date"] < SPLIT_DAY).all()
    assert (scored["report_date"] >= SPLIT_DAY).all()


def test_both_halves_are_about_as_large():
    keys = pd.DataFrame({"product_id": [f"P{n}" for n in range(2_000)], "channel": "shop"})
    assert stats.binomtest(int(is_choosing(keys).sum()), 2_000).pvalue > 1e-3


def test_the_choice_is_blind_to_rows_that_are_scored():
    days = pd.date_range("2013-01-01", "2015-12-31", freq="7D")
    frame = pd.DataFrame(
        [(f"P{n}", "shop", day) for n in range(40) for day in days], columns=["product_id", "channel", "report_date"]
    ).assign(kind="level", feature="units", statistic=1.0)
    wild = frame.assign(statistic=np.where(is_for_choice(frame), 1.0, 500.0))
    assert chosen_degrees(wild[is_for_choice(wild)], 1) == chosen_degrees(frame[is_for_choice(frame)], 1)
    mild = frame.assign(statistic=np.where(is_for_choice(frame), 20.0, 1.0))
    assert (
        chosen_degrees(mild[is_for_choice(mild)], 1)["level"] < chosen_degrees(frame[is_for_choice(frame)], 1)["level"]
    )


def test_alarms_of_a_series_within_four_weeks_are_one():
    days = pd.to_datetime(["2015-01-01", "2015-01-02", "2015-01-29", "2015-03-15"])
    alarms = pd.DataFrame({"product_id": "A", "channel": "shop", "report_date": days})
    other = alarms.iloc[[0]].assign(product_id="B")
    assert episodes(pd.concat([alarms, other, other]), KEY) == 3
    assert episodes(alarms.iloc[:0], KEY) == 0


def test_an_alarm_is_borne_out_by_a_price_that_moved_or_by_a_pause_and_by_nothing_else():
    days = pd.date_range("2015-01-01", periods=120)
    is_late = days > days[-1] - pd.Timedelta(days=14)
    steady = pd.DataFrame({"channel": "shop", "date": days, "units": 3.0, "unit_price": 10.0})
    sales = pd.concat([
        steady.assign(product_id="dearer", unit_price=np.where(is_late, 11.0, 10.0)),
        steady.assign(product_id="a little dearer", unit_price=np.where(is_late, 10.4, 10.0)),
        steady.assign(product_id="ceased", units=np.where(is_late, 0.0, 3.0)),
        steady.assign(product_id="rare", units=np.where(is_late, 0.0, np.arange(120) % 5 == 0)),
        steady.assign(product_id="sold that day", units=np.where(is_late & (days < days[-1]), 0.0, 3.0)),
    ])  # fmt: skip
    told = [
        ("dearer", c.PRICE, True), ("a little dearer", c.PRICE, False), ("ceased", c.PRICE, False),
        ("ceased", c.STOCK_OUT, True), ("rare", c.STOCK_OUT, False), ("sold that day", c.STOCK_OUT, False),
        ("ceased", c.LEVEL, False), ("dearer", c.SEASON, False),
    ]  # fmt: skip
    alarms = pd.DataFrame([(product, kind) for product, kind, _ in told], columns=["product_id", "kind"])
    alarms = alarms.assign(channel="shop", report_date=days[-1], window_days=14)
    assert is_borne_out(alarms, sales).tolist() == [expected for *_, expected in told]


def test_a_pause_is_as_long_as_hindsight_knows_and_one_true_day_makes_an_alarm_true():
    units = np.r_[np.full(91, 0.5), np.zeros(20), np.full(5, 0.5)]
    assert missed_units(units, known=100) == missed_units(units, known=105) == pytest.approx(10.0)
    assert missed_units(np.zeros(30), known=20) == 0.0
    assert missed_units(units, known=91) == 0.0  # it sold that day; the pause comes after
    days = pd.date_range("2015-01-01", periods=len(units))
    sales = pd.DataFrame({"product_id": "A", "channel": "shop", "date": days, "units": 3 * units, "unit_price": 1.0})
    alarms = sales.iloc[[80, 100]].assign(kind=c.STOCK_OUT, window_days=14, report_date=days[[80, 100]])
    assert is_borne_out(alarms, sales).tolist() == [False, True]
    assert false_episodes(alarms, sales) == 0
    assert false_episodes(alarms.iloc[:1], sales) == 1
    assert false_episodes(pd.concat([alarms, alarms.iloc[1:].assign(kind=c.LEVEL)], ignore_index=True), sales) == 1


def test_one_test_at_the_critical_value_alarms_once_in_a_thousand_series_years():
    assert 2 * stats.t.sf(critical(10, 1), 10) * 365.25 * 1_000 == pytest.approx(1.0)
    assert critical(10, 12) > critical(10, 1) > critical(30, 1)


@pytest.mark.parametrize(("pace", "kind", "expected"), [(20_000, "level +20 %", True), (3, "level +20 %", False)])
def test_the_oracle_sees_a_fifth_more_where_sales_are_many_and_not_where_they_are_few(pace, kind, expected):
    rng = np.random.default_rng(2)
    units, peers = rng.poisson(pace, (1, 80)).astype(float), rng.poisson(50 * pace, (1, 80)).astype(float)
    index = pd.MultiIndex.from_tuples([("A", "shop")], names=KEY)
    weekly = {"units": units, "peers": peers, "log_price": np.zeros((1, 80))}
    frames = {name: pd.DataFrame(values, index=index) for name, values in weekly.items()}
    assert is_detectable(frames, ("A", "shop"), kind) == expected
