"""Each rule on tables in a real DuckDB, on both sides of its limit."""

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import LEAST_LANDINGS, Limits, judge_tables
from storecast.settings import Settings
from storecast.warehouse import Warehouse

LAST_DAY = pd.Timestamp("2026-11-19")
NOW = datetime(2026, 11, 20, 12)
LIMITS = Limits.of(Settings())


class Tables:
    """A healthy shop's tables, to be made ill: two products that sell every day in two channels."""

    def __init__(self, path) -> None:
        self.warehouse = Warehouse(path)
        days = pd.date_range(LAST_DAY - pd.Timedelta(days=89), LAST_DAY)
        self.demand = pd.DataFrame(
            [(product, channel, day, 1.0) for product in ("P1", "P2") for channel in ("web", "shop") for day in days],
            columns=["product_id", "channel", "date", "units"],
        )
        self.partitions = pd.DataFrame({"product_id": ["P1", "P2"], "partition_key": ["P1", "P2"]})
        self.forecasts = self.forecasts_of({"P1": LAST_DAY, "P2": LAST_DAY})
        self.landed = self.landings(range(10))
        self.stock = pd.DataFrame({"product_id": "P1", "date": days})
        self.sessions = pd.DataFrame({"session_id": "S", "occurred_at": days + pd.Timedelta(hours=9)})
        self.counts = pd.DataFrame(
            {"entity": ["orders"], "file_sha256": ["x"], "rows_in": [1000], "rows_quarantined": [50]}
        )
        self.accuracy = self.accuracy_of(0.15, 0.01)
        self.gaps = self.gap("day_not_over", LAST_DAY, is_last=True)

    @staticmethod
    def forecasts_of(origins: dict[str, pd.Timestamp]) -> pd.DataFrame:
        rows = [
            (product, origin, origin + pd.Timedelta(days=day)) for product, origin in origins.items() for day in (1, 28)
        ]
        return pd.DataFrame(rows, columns=["product_id", "origin_date", "date"])

    @staticmethod
    def gap(kind: str, last_date: pd.Timestamp, *, is_last: bool = False) -> pd.DataFrame:
        told = {"subject": f"the {kind}", "message": f"{kind} of shop", "next_step": "deliver it"}
        first_date = last_date - pd.Timedelta(days=6)
        days = {"channel": "shop", "first_date": first_date, "last_date": last_date, "is_last": is_last}
        return pd.DataFrame([{"kind": kind, **told, **days}])

    @staticmethod
    def landings(days_ago) -> pd.DataFrame:
        rows = [("orders", "x", pd.Timestamp(NOW) - pd.Timedelta(days=day, hours=1)) for day in days_ago]
        landed = pd.DataFrame(rows, columns=["feed", "file_sha256", "landed_at"])
        return landed.assign(path="orders.csv", state="loaded", note=None)

    @staticmethod
    def accuracy_of(bias: float, *skills: float, error: float = 0.01) -> pd.DataFrame:
        """Scores of back-tests from one origin a skill, each of so large a standard error."""
        rows = [
            ("total", model, group, "evaluation", bias, skill, error, LAST_DAY - pd.Timedelta(days=27), LAST_DAY)
            for model, group in (("champion", "all"), ("champion", "lumpy"), ("seasonal_naive", "all"))
            for skill in skills
        ]
        rows.append(("total", "champion", "all", "live", 0.9, -0.9, 0.01, LAST_DAY, LAST_DAY))
        columns = "level model demand_class split bias skill_over_seasonal_naive skill_error window_start_date"
        columns += " window_end_date"
        return pd.DataFrame(rows, columns=columns.split())

    def found(self, kind: str, now: datetime = NOW) -> list[dict[str, Any]]:
        for name, frame in {
            "gold.daily_demand": self.demand,
            "ops.product_partitions": self.partitions,
            "gold.demand_forecasts": self.forecasts,
            "ops.landed_files": self.landed,
            "silver.inventory_levels": self.stock,
            "silver.sessions": self.sessions,
            "ops.reconciliation": self.counts,
            "gold.forecast_accuracy": self.accuracy,
            "ops.data_gaps": self.gaps,
        }.items():
            self.warehouse.replace_table(
                name, frame.assign(**{column: frame[column].dt.date for column in dates(frame)})
            )
        judged = judge_tables(self.warehouse.read, self.warehouse.exists, LIMITS, now)
        assert judged.kinds == set(c.INCIDENT_KINDS) - {c.RUN_FAILURE, c.CHECK_FAILURE}
        return judged.findings[judged.findings[c.KIND].eq(kind)].to_dict("records")


def dates(frame: pd.DataFrame) -> list[str]:
    """Return the columns that are days by the house's naming rule."""
    return [name for name in frame if name == "date" or name.endswith("_date")]


@pytest.fixture
def tables(tmp_path) -> Tables:
    return Tables(tmp_path / "warehouse.duckdb")


def subjects(found: list[dict[str, Any]]) -> list[str]:
    return [finding[c.SUBJECT] for finding in found]


def test_a_healthy_shop_at_its_limits_has_no_finding(tables):
    assert [found for kind in c.INCIDENT_KINDS for found in tables.found(kind)] == []


def test_before_there_is_a_table_nothing_is_judged(tmp_path):
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    judged = judge_tables(warehouse.read, warehouse.exists, LIMITS, NOW)
    assert judged.findings.empty
    assert judged.kinds == frozenset()


def test_forecasts_that_did_not_follow_the_data_for_hours_are_stale(tables):
    tables.forecasts = tables.forecasts_of({"P1": LAST_DAY, "P2": LAST_DAY - pd.Timedelta(days=1)})
    assert tables.found(c.STALE_FORECASTS) == [], "the files landed an hour ago: a run may be on its way"
    [found] = tables.found(c.STALE_FORECASTS, NOW + timedelta(hours=LIMITS.stale_hours))
    assert (found[c.SUBJECT], found[c.SEVERITY]) == ("P2", c.ERROR)
    assert found[c.MESSAGE] == "its forecasts are of 2026-11-18, the data go 1 days further"


def test_forecasts_days_behind_are_stale_at_once_even_where_files_land_every_hour(tables):
    tables.forecasts = tables.forecasts_of({"P1": LAST_DAY, "P2": LAST_DAY - pd.Timedelta(days=3)})
    assert subjects(tables.found(c.STALE_FORECASTS)) == ["P2"]


def test_a_product_that_sells_and_was_never_forecast_is_found(tables):
    tables.forecasts = tables.forecasts_of({"P1": LAST_DAY})
    [found] = tables.found(c.STALE_FORECASTS)
    assert (found[c.SUBJECT], found[c.MESSAGE]) == ("P2", "it sells and has no forecast")


def test_a_shop_whose_forecasts_are_all_over_has_one_finding_if_data_came_day_by_day(tables):
    much_later = NOW + timedelta(days=60)
    assert "all products" in subjects(tables.found(c.STALE_FORECASTS, much_later))
    tables.landed = tables.landings(range(LEAST_LANDINGS - 1))
    assert subjects(tables.found(c.STALE_FORECASTS, much_later)) == [], "data of the past, loaded once"


@pytest.mark.parametrize(
    ("usual_gap", "silent", "is_found"), [(1, 3, False), (1, 4, True), (7, 21, False), (7, 22, True)]
)
def test_a_feed_is_missed_after_three_of_its_usual_gaps(tables, usual_gap, silent, is_found):
    tables.landed = tables.landings([silent + usual_gap * number for number in range(6)])
    assert subjects(tables.found(c.FEED_STOPPED)) == (["files of orders"] if is_found else [])


def test_a_channel_is_missed_whose_last_days_were_not_recorded(tables):
    tables.gaps = tables.gap("not_recorded", LAST_DAY, is_last=True)
    [found] = tables.found(c.FEED_STOPPED)
    assert (found[c.SUBJECT], found[c.SEVERITY]) == ("sales in shop", c.ERROR)
    assert found[c.MESSAGE] == "nothing since 2026-11-12"
    assert tables.found(c.DATA_GAP) == []


@pytest.mark.parametrize(
    ("kind", "days_ago", "is_found"),
    [
        ("not_recorded", 10, True),
        ("not_recorded", 399, True),
        ("not_recorded", 400, False),
        ("feed_without_files", 0, True),
        ("name_in_other_case", 0, True),
        ("closed", 10, False),
        ("channel_ended", 0, False),
        ("lonely_date", 0, False),
        ("files_not_taken", 0, False),
    ],
)
def test_a_gap_that_matters_to_forecasts_is_an_incident_with_its_own_words(tables, kind, days_ago, is_found):
    tables.gaps = tables.gap(kind, LAST_DAY - pd.Timedelta(days=days_ago))
    found = tables.found(c.DATA_GAP)
    told = [(row[c.SUBJECT], row[c.SEVERITY], row[c.MESSAGE], row[c.NEXT_STEP]) for row in found]
    assert told == ([(f"the {kind}", c.WARNING, f"{kind} of shop", "deliver it")] if is_found else [])
    assert tables.found(c.FEED_STOPPED) == []


def test_stock_levels_and_visits_are_missed_too(tables):
    tables.stock = tables.stock[tables.stock["date"] < "2026-11-10"]
    tables.sessions = tables.sessions[tables.sessions["occurred_at"] < "2026-11-10"]
    found = tables.found(c.FEED_STOPPED)
    assert subjects(found) == ["stock levels", "visits"]
    assert found[0][c.MESSAGE] == "nothing since 2026-11-09"


@pytest.mark.parametrize(
    ("rows_in", "bad", "severity"), [(10, 1, None), (1000, 60, None), (1000, 70, c.WARNING), (1000, 900, c.ERROR)]
)
def test_a_share_of_rows_set_aside_counts_once_it_is_sure(tables, rows_in, bad, severity):
    tables.counts = tables.counts.assign(rows_in=rows_in, rows_quarantined=bad)
    assert [found[c.SEVERITY] for found in tables.found(c.QUARANTINE_RATE)] == ([severity] if severity else [])


def test_only_the_newest_landing_of_an_entity_counts_or_an_old_file_would_be_an_incident_for_ever(tables):
    bad = pd.DataFrame({"entity": ["orders"], "file_sha256": ["old"], "rows_in": [1000], "rows_quarantined": [900]})
    tables.counts = pd.concat([tables.counts, bad])
    tables.landed = pd.concat([tables.landed, tables.landings([30]).assign(file_sha256="old")])
    assert tables.found(c.QUARANTINE_RATE) == []


@pytest.mark.parametrize(
    ("bias", "severity"), [(0.1, None), (-0.1, None), (0.2, c.WARNING), (-0.2, c.WARNING), (0.4, c.ERROR)]
)
def test_the_champions_bias_counts_in_both_directions(tables, bias, severity):
    tables.accuracy = tables.accuracy_of(bias, 0.1)
    found = tables.found(c.BIAS)
    assert [row[c.SEVERITY] for row in found] == ([severity] if severity else [])
    if found:
        assert found[0][c.MESSAGE] == f"champions forecast {bias:+.0%} of what was sold, 2026-10-23 to 2026-11-19"


@pytest.mark.parametrize(
    ("skills", "error", "is_found"),
    [
        ([0.01], 0.01, False),
        ([0.0, 0.0], 0.0, False),  # seasonal naive itself is champion
        ([-0.2], 0.01, True),
        ([-0.02], 0.01, False),  # two standard errors
        ([-0.02, -0.02, -0.02], 0.01, True),  # three origins say the same
        ([-0.4, 0.2], 0.01, False),  # two that do not agree
        ([-0.2, -0.2], float("nan"), False),  # too few weeks to tell
    ],
)
def test_champions_that_seasonal_naive_beats_beyond_chance_are_found(tables, skills, error, is_found):
    tables.accuracy = tables.accuracy_of(0.0, *skills, error=error)
    assert subjects(tables.found(c.WORSE_THAN_NAIVE)) == (["level total"] if is_found else [])


def test_scores_of_an_older_storecast_tell_no_error_and_find_nothing(tables):
    tables.accuracy = tables.accuracy_of(0.0, -0.2).drop(columns="skill_error")
    assert tables.found(c.WORSE_THAN_NAIVE) == []
