"""Kills at random moments, in short; and that their benchmark would tell if something went wrong."""

from pathlib import Path

import duckdb
import pytest

from benchmarks.kills import Found, kill_and_compare, kill_rows, unreadable
from benchmarks.same_rows import differences
from storecast.settings import Settings


def published(path: Path, *, units: float, scored_at: str = "2026-01-01", made_with: str = "1") -> Path:
    """Write a published file with one forecast and one champion."""
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema gold; create schema ops")
        connection.execute(
            "create table gold.demand_forecasts as select date '2026-01-01' as origin_date, ?::double as mean_units, "
            "?::varchar as model_version, ?::timestamp as scored_at",
            [units, made_with, scored_at],
        )
        connection.execute("create table ops.registered_models as select 1 as model_version, 'champion' as alias")
        connection.execute(
            "create table ops.promotions as select 'promotion' as kind, '3' as champion_version, now() as decided_at"
        )
    return path


def test_rows_differ_by_their_values_and_not_by_when_they_were_made(tmp_path):
    one = published(tmp_path / "a" / "p.duckdb", units=1.0)
    later = published(tmp_path / "b" / "p.duckdb", units=1.0, scored_at="2026-02-02")
    other = published(tmp_path / "c" / "p.duckdb", units=1.0 + 1e-12)
    assert differences(one, later) == []
    assert differences(one, other) == ["gold.demand_forecasts"]
    with duckdb.connect(str(other)) as connection:
        connection.execute("drop table ops.promotions")
    assert differences(one, other) == ["gold.demand_forecasts", "ops.promotions"]


@pytest.mark.parametrize(("made_with", "is_readable"), [("1", True), ("3", True), ("2", False)])
def test_forecasts_are_the_champion_s_or_those_of_the_one_just_replaced(tmp_path, made_with, is_readable):
    published(Settings(data_dir=tmp_path).published_path, units=1.0, made_with=made_with)
    assert (unreadable(tmp_path) == []) is is_readable


def test_kills_that_are_too_few_or_find_something_miss_a_target():
    assert [row.met for row in kill_rows(Found(kills={"training": 3}), 3)] == [True, None, True, True, True]
    found = Found({"training": 2}, ["training: gold.daily_demand"], ["training: ops.drift"], ["disagreed"])
    assert [row.met for row in kill_rows(found, 3)] == [False, None, False, False, False]


@pytest.mark.slow
@pytest.mark.timeout(2400)  # a shop's first training, three commands undisturbed, killed, and started again
def test_what_is_killed_at_a_random_moment_and_started_again_comes_to_the_same(tmp_path):
    found = kill_and_compare(tmp_path, kills=3, kills_a_trial=1, seed=7)
    assert found == Found(kills={"training": 1, "promotion": 1, "rollback": 1})
