"""A season through the real daemon: whether the right thing happened at each event, and after how many days of data.

60 days of a shop of 12 products in two channels, in 5 landings: a run of Dagster's costs seconds of start alone, and 15
minutes hold some 30 runs. Time passes in the data, nothing waits for a clock. `season_play.py` tells what goes wrong in
it. Days until something is noticed count from its first day of data to the last day of the landing by which it was.
The short form has 4 landings, of 47 days.
"""

from collections import Counter
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pandas as pd

from benchmarks.loop_shop import DRIFT_FACTOR
from benchmarks.rows import Row
from benchmarks.running_shop import Run
from benchmarks.season_play import DRIFTING, SHORT, STOPPING, WHOLE, Season, play
from storecast.automation import REPLACE
from storecast.registry import contracts as c

MOST_MINUTES: Final = 15.0
MOST_SECONDS: Final = 60.0
RETRAIN_SENSOR: Final = "retrain_drifted"
FEED_ALERT: Final = ("feed_stopped", f"sales in {STOPPING}")
OF_PARTITION: Final = ["report_date", "partition_key"]


def run(*, is_short: bool) -> list[Row]:
    """Play a season, and say what it shows."""
    with TemporaryDirectory(prefix="season") as folder:
        return season_rows(play(SHORT if is_short else WHOLE, Path(folder)))


def season_rows(season: Season) -> list[Row]:
    """What a season shows, as rows."""
    return [*_drift(season), *_challenger(season), *_feed(season), *_rollback(season), *_order(season)]


def _right(what: str, is_right: bool) -> Row:
    return Row(f"season: {what}", "1 or 0", float(is_right), bound=1.0, is_floor=True)


def _drift(season: Season) -> list[Row]:
    """The product that drifted is trained anew, in a run of its own, and each report has one run at most."""
    requests, first = season.tables["requests"], pd.Timestamp(season.day(season.plan.drifts_from))
    asked = requests[(requests["partition_key"] == DRIFTING) & (requests["report_date"] >= first)]
    others = requests[requests["partition_key"] != DRIFTING][OF_PARTITION].drop_duplicates()
    keys = season.tables["retrained"].groupby("report_date")["partition_key"].agg(set)
    done = sum(DRIFTING in own for own in keys)
    runs = sum(run.sensor == RETRAIN_SENSOR for run in season.runs)
    is_alone = {DRIFTING} in keys.tolist() and runs == len(keys)
    what = f"a product sells {DRIFT_FACTOR:g} times as much"
    return [
        _right(f"{what}, and its partition alone is trained anew, in one run", is_alone),
        Row(f"season: {what}; days of data until it is asked for", "days", days_until(first, asked["report_date"])),
        Row("season: times that product was trained anew, a cool-down apart", "-", float(done)),
        Row("season: other products trained anew", "-", float(len(others))),
    ]


def _challenger(season: Season) -> list[Row]:
    """The bad challenger shadows, the gate looks at it and never lets it forecast."""
    decisions, shadows = season.tables["promotions"], season.tables["shadows"]
    before = shadows[
        (shadows["model_version"] == season.bad_version) & (shadows["origin_date"] <= _at(season.promoted_on))
    ]
    by_gate = decisions[(decisions[c.DECIDED_BY] == c.GATE) & (decisions[c.CHALLENGER_VERSION] == season.bad_version)]
    let_in = by_gate[c.KIND].isin([c.CANARY, *c.NEW_CHAMPION]).sum()
    looks = (by_gate[c.KIND] == c.LOOK).sum()
    return [
        _right(
            "a bad challenger shadows, the gate looks at it and does not promote it",
            len(before) > 0 and looks > 0 and let_in == 0,
        ),
        Row("season: origins at which it shadowed before it was forced through", "-", float(len(before))),
        Row("season: looks of the gate at it", "-", float(looks)),
    ]


def _feed(season: Season) -> list[Row]:
    """A channel whose files cease is an incident, and nothing is learned from its silence."""
    first = season.day(season.plan.stops_from)
    told = [seen.day for seen in season.seen if seen.day >= first and FEED_ALERT in seen.open_alerts]
    requests = season.tables["requests"]
    learned = requests[(requests["channel"] == STOPPING) & (requests["report_date"] >= _at(first))]
    early = [seen.day for seen in season.seen if seen.day < first and FEED_ALERT in seen.open_alerts]
    return [
        _right(
            "a channel's files cease: an incident, and no training of it", bool(told) and not early and learned.empty
        ),
        Row("season: files cease; days of data until it is told", "days", days_until(_at(first), pd.Series(told))),
    ]


def _rollback(season: Season) -> list[Row]:
    """A bad version that a person forced through is taken back, and its predecessor forecasts again."""
    decisions = season.tables["promotions"]
    taken = decisions[
        (decisions[c.KIND] == c.ROLLBACK)
        & (decisions[c.DECIDED_BY] == c.GATE)
        & (decisions[c.CHAMPION_VERSION] == season.bad_version)
    ]
    last = season.seen[-1]
    forecasting = {last.aliases[alias] for alias in c.FORECASTING if alias in last.aliases}
    is_right = len(taken) == 1 and season.bad_version not in last.aliases.values() and last.made_with == forecasting
    by_hand = decisions[(decisions[c.KIND] == c.PROMOTION) & (decisions[c.CHALLENGER_VERSION] == season.bad_version)]
    begun = _at(season.promoted_on) + pd.Timedelta(days=1)
    return [
        _right("a bad version forced through is rolled back", is_right),
        Row("season: days of data until it is", "days", days_until(begun, taken[c.LAST_DATE])),
        Row(
            "season: from the decision on rollback to published forecasts", "s",
            seconds_to_publication(season.runs, taken[c.DECIDED_AT]), bound=MOST_SECONDS,
        ),
        Row(
            "season: from `storecast promote` to published forecasts", "s",
            seconds_to_publication(season.runs, by_hand[c.DECIDED_AT]),
        ),
    ]  # fmt: skip


def _order(season: Season) -> list[Row]:
    """Nothing failed, nothing was asked for twice, and it took so long."""
    failed = [run for run in season.runs if run.status != "SUCCESS"]
    return [
        Row("season: requests made twice", "runs", float(asked_twice(season.runs)), bound=0.0),
        Row("season: runs that failed", "runs", float(len(failed)), bound=0.0),
        Row("season: runs", "-", float(len(season.runs))),
        Row(f"season of {sum(season.plan.landings)} days: wall time", "min", season.minutes, bound=MOST_MINUTES),
    ]


def asked_twice(runs: tuple[Run, ...]) -> int:
    """How many runs were asked for again by the same sensor for the same reason, its run key.

    >>> run = Run("a", "publish", "SUCCESS", {"dagster/sensor_name": "follows", "dagster/run_key": "1"}, 0, 0, 0)
    >>> asked_twice((run, run))
    1
    """
    reasons = Counter((run.sensor, run.job, run.tags.get("dagster/run_key", run.run_id)) for run in runs)
    return sum(reasons.values()) - len(reasons)


def days_until(first: pd.Timestamp, days: pd.Series) -> float:
    """Days of data from a first one on, that included, until the first of some days; NaN where there is none.

    >>> days_until(pd.Timestamp("2026-03-01"), pd.Series([pd.Timestamp("2026-03-14")]))
    14.0
    """
    return float("nan") if days.empty else float((pd.Timestamp(days.min()) - first).days + 1)


def seconds_to_publication(runs: tuple[Run, ...], decided_at: pd.Series) -> float:
    """Seconds from the first decision to the end of the run that made forecasts anew for it; NaN without one."""
    if decided_at.empty:
        return float("nan")
    moment = pd.Timestamp(decided_at.iloc[0]).timestamp()
    ends = [run.ended for run in runs if run.job == REPLACE.name and run.created >= moment and run.status == "SUCCESS"]
    return min(ends) - moment if ends else float("nan")


def _at(day: date) -> pd.Timestamp:
    return pd.Timestamp(day)
