"""The season's shop, and that its benchmark would tell if the closed loop went wrong."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from benchmarks.loop_shop import CHANNELS, HISTORY_DAYS, LoopShop, day_of
from benchmarks.running_shop import Run
from benchmarks.season import season_rows
from benchmarks.season_play import WHOLE, Plan, Season, Seen

PLAYED = Plan((8, 16, 7), drifts_from=0, stops_from=24, registered_after=0, promoted_after=1)


def test_whole_seasons_are_of_60_days_and_end_when_they_are_over():
    assert sum(WHOLE.landings) == 60
    assert day_of(HISTORY_DAYS + 59) < date(2026, 11, 1)


def test_the_shop_sells_what_its_truth_expects(tmp_path):
    shop = LoopShop(tmp_path, products=2, drifts={"P02": 300})
    days = range(280, 320)
    sold = pd.concat([shop.orders(day).assign(day=day) for day in days])
    expected = pd.concat([shop.expected_units(day).assign(day=day) for day in days])
    for (product, channel), own in expected.groupby(["product_id", "channel"]):
        for part in (own[own["day"] < 300], own[own["day"] >= 300]):
            lines = sold[(sold["sku"] == product) & (sold["channel"] == channel) & sold["day"].isin(part["day"])]
            mean = part["mean_units"].sum()
            assert abs(lines["units"].sum() - mean) < 4 * np.sqrt(mean)


def test_files_of_a_channel_cease_and_the_other_channel_s_are_as_they_would_be(tmp_path):
    stopped, other = (
        LoopShop(tmp_path / name, products=2, stops=stops) for name, stops in (("a", {"market": 3}), ("b", {}))
    )
    for shop in (stopped, other):
        shop.write_days(0, 3)
        shop.write_days(3, 2)
    names = [sorted(path.name for path in shop.folder.glob("exports/*.csv")) for shop in (stopped, other)]
    assert sorted({*names[1]} - {*names[0]}) == [f"market-{day_of(3)}.csv"]
    for name in names[0]:
        assert (stopped.folder / "exports" / name).read_text() == (other.folder / "exports" / name).read_text()
    assert {name.split("-")[0] for name in names[1]} == set(CHANNELS)


@pytest.fixture
def good() -> Season:
    """A season as it should be, by hand: version 1 is champion, 2 the bad one."""
    days = [day_of(HISTORY_DAYS + day - 1) for day in (0, 8, 24, 31)]
    alert = frozenset({("feed_stopped", "sales in market")})
    one = {"champion": "1"}
    seen = tuple(Seen(day, one, frozenset({"1"}), alert if day == days[-1] else frozenset()) for day in days)
    decided = {"kind": ["look", "promotion", "rollback"], "decided_by": ["gate", "tester", "gate"]}
    decided |= {"champion_version": ["1", "1", "2"], "challenger_version": ["2", "2", "1"]}
    decided |= {"decided_at": pd.to_datetime([90, 100, 1000], unit="s"), "last_date": pd.to_datetime(days[:3])}
    request = {"report_date": [pd.Timestamp(days[2])], "partition_key": "P03", "channel": "web"}
    runs = (
        Run("a", "retrain", "SUCCESS", {"dagster/sensor_name": "retrain_drifted"}, 900, 901, 910),
        Run("b", "replace_forecasts", "SUCCESS", {"dagster/sensor_name": "moved_alias"}, 1005, 1006, 1030),
    )
    tables = {
        "promotions": pd.DataFrame(decided),
        "requests": pd.DataFrame(request),
        "retrained": pd.DataFrame(request),
        "shadows": pd.DataFrame({"model_version": ["2"], "origin_date": pd.to_datetime([days[0]]), "rows": 1}),
    }
    return Season(PLAYED, "2", seen, runs, tables, 14.0)


def missed(season: Season) -> int:
    """How many targets a season misses."""
    return sum(row.met is False for row in season_rows(season))


def test_a_season_as_it_should_be_misses_no_target(good):
    assert missed(good) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda season: season.tables.update(retrained=season.tables["retrained"].iloc[:0]),
        lambda season: season.tables.update(shadows=season.tables["shadows"].iloc[:0]),
        lambda season: season.tables.update(promotions=season.tables["promotions"].assign(decided_by="gate")),
        lambda season: season.tables.update(promotions=season.tables["promotions"].iloc[:2]),
        lambda season: season.tables.update(promotions=season.tables["promotions"].iloc[1:]),
        lambda season: season.tables.update(
            requests=season.tables["requests"].assign(channel="market", report_date=pd.Timestamp(season.day(25)))
        ),
    ],
    ids=["not retrained", "no shadow", "promoted by the gate", "no rollback", "no look", "learned from a stopped feed"],
)
def test_each_thing_that_goes_wrong_misses_a_target(good, spoil):
    spoil(good)
    assert missed(good) > 0


def test_runs_that_fail_or_come_twice_and_a_slow_season_miss_a_target(good):
    assert missed(replace(good, minutes=15.1)) == 1
    assert missed(replace(good, runs=(*good.runs, replace(good.runs[0], status="FAILURE", tags={})))) == 1
    again = replace(good.runs[1], tags={**good.runs[1].tags, "dagster/run_key": "1"})
    assert missed(replace(good, runs=(*good.runs, again, again))) == 1
    last = replace(good.seen[-1], made_with=frozenset({"2"}))
    assert missed(replace(good, seen=(*good.seen[:-1], last))) == 1
