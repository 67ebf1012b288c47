"""What is wrong with the shop, read from its tables: each kind is one statement, each row of it one finding."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from scipy.stats import binomtest

from storecast.monitoring import contracts as c
from storecast.settings import Settings

Query = Callable[[str, dict[str, Any]], pd.DataFrame]

FEEDS = ("gold.daily_demand", "silver.inventory_levels", "silver.sessions", "ops.data_gaps")
LEAST_LANDINGS = 4
"""Days with a landing from which on a feed has a rhythm that it can lose."""
LEAST_DAYS = 28
"""Days with activity in half a year from which on a channel or an entity has one."""
GAP_FACTOR = 3
"""A feed has stopped once it is silent for longer than so many of its usual gaps."""
STALE_DAYS = 3
"""Days by which forecasts may lie behind the data while a run that will mend it may be on its way."""
REMEMBERED_DAYS = 400
"""A gap that lies further back than a year and a season decides no forecast any more."""

STALE_SQL = """
    with demand as (select product_id, min(date) as first_date from gold.daily_demand group by all),
    made as (select product_id, max(origin_date) as origin_date from gold.demand_forecasts group by all),
    behind as (
        select product_id, origin_date,
            (select max(date) from gold.daily_demand) - coalesce(origin_date, first_date - 1) as days
        from ops.product_partitions left join demand using (product_id) left join made using (product_id)
    )
    select product_id as subject, origin_date, days from behind
    where days >= $stale_days
        or days > 0 and (select max(landed_at) from ops.landed_files) < $settled_at
    order by all
"""
"""Products whose forecasts are older than the data; for a while after a landing that is as it should be."""

OUT_OF_DAYS_SQL = """
    select max(date) as last_date from gold.demand_forecasts
    having max(date) < $now::date and $landings <= (
        select max(landings)
        from (select count(distinct landed_at::date) as landings from ops.landed_files group by feed)
    )
"""
"""The last day that has a forecast, where it is over, for a shop to which data come day by day."""

LANDINGS_SQL = """
    with landings as (select distinct feed, landed_at::date as date from ops.landed_files),
    gaps as (select *, date - lag(date) over (partition by feed order by date) as gap_days from landings)
    select 'files of ' || feed as subject, max(date) as last_date, $now::date - max(date) as silent_days
    from gaps group by feed
    having count(*) >= $landings and silent_days > greatest(2, $gap_factor * median(gap_days))
    order by all
"""
"""Feeds of which no file has come for longer than their usual gap allows."""

SILENCE_SQL = """
    with activity as (
        select 'sales' as subject, date from gold.daily_demand where units > 0
        union select 'stock levels', date from silver.inventory_levels
        union select 'visits', occurred_at::date from silver.sessions
    ),
    ends as (select least(max(date), $now::date) as last_date from activity),
    recent as (select subject, date from activity, ends where date between last_date - 180 and last_date),
    gaps as (select *, date - lag(date) over (partition by subject order by date) as gap_days from recent)
    select subject, max(date) as last_date, (select last_date from ends) - max(date) as silent_days
    from gaps where subject <> 'sales' group by subject
    having count(*) >= $days and silent_days > $gap_factor * max(gap_days)
    order by all
"""
"""What other data go on without, for longer than it ever paused within half a year."""

SILENT_CHANNELS_SQL = """
    select 'sales in ' || channel as subject, first_date - interval 1 day as last_date from ops.data_gaps
    where kind = 'not_recorded' and is_last order by all
"""
"""Channels that delivered nothing up to the last day, while others sold."""

DATA_GAPS_SQL = """
    select subject, message, next_step from ops.data_gaps
    where kind in ('feed_without_files', 'name_in_other_case') or kind = 'not_recorded' and not is_last
        and last_date > (select max(date) from gold.daily_demand) - $days::int
    order by all
"""
"""What is missing within the history, and files that are not read."""

QUARANTINE_SQL = """
    with files as (select distinct file_sha256, landed_at::date as date from ops.landed_files),
    counts as (
        select entity, date, sum(rows_in) as rows_in, sum(rows_quarantined) as rows_quarantined
        from ops.reconciliation inner join files using (file_sha256) group by all
    )
    select entity as subject, rows_in::bigint as rows_in, rows_quarantined::bigint as rows_quarantined
    from counts qualify date = max(date) over (partition by entity) order by all
"""
"""Rows of the newest day on which an entity landed."""

BIAS_SQL = """
    select avg(bias) as bias, min(window_start_date) as first_date, max(window_end_date) as last_date
    from gold.forecast_accuracy
    where model = 'champion' and demand_class = 'all' and level = 'total' and split = 'evaluation'
    having abs(avg(bias)) > $bias
"""


SET_ASIDE_SQL = """
    select path as subject, min(note) as note
    from ops.landed_files where state = 'set aside' group by path order by path
"""
"""Files of the source that could not be read as their feed says."""


@dataclass(frozen=True)
class Limits:
    """From where on something is an incident."""

    stale_hours: float
    quarantine_share: float
    bias: float

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Take the limits from the settings."""
        return cls(settings.alert_stale_hours, settings.alert_quarantine_share, settings.alert_bias)


@dataclass(frozen=True)
class Judgement:
    """What a look found wrong (columns `FINDING`), and of which kinds and subjects it could tell.

    An open incident of a kind that was judged, and that is neither found nor undecided, is over.
    """

    findings: pd.DataFrame
    kinds: frozenset[str]
    undecided: frozenset[tuple[str, str]] = frozenset()

    def __or__(self, other: "Judgement") -> "Judgement":
        """Return both together."""
        parts = [part for part in (self.findings, other.findings) if len(part)]
        together = pd.concat(parts, ignore_index=True) if parts else findings_of([])
        return Judgement(together, self.kinds | other.kinds, self.undecided | other.undecided)


def findings_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return findings as a frame with the columns `FINDING`; moments left out are null."""
    frame = pd.DataFrame(rows, columns=list(c.FINDING))
    return frame.astype({c.OPENED_AT: "datetime64[ns]", c.ENDED_AT: "datetime64[ns]"})


def judge_tables(query: Query, exists: Callable[[str], bool], limits: Limits, now: datetime) -> Judgement:
    """Return what the tables say is wrong at `now` (UTC, naive); a kind whose tables are not there is not judged."""
    rules: dict[str, tuple[tuple[str, ...], Callable[[Query, Limits, datetime], list[dict[str, Any]]]]] = {
        c.STALE_FORECASTS: (("gold.demand_forecasts", "ops.product_partitions", "ops.landed_files"), _stale),
        c.FEED_STOPPED: ((*FEEDS, "ops.landed_files"), _stopped),
        c.DATA_GAP: (("ops.data_gaps", "gold.daily_demand"), _missing),
        c.QUARANTINE_RATE: (("ops.reconciliation", "ops.landed_files"), _quarantined),
        c.FILE_SET_ASIDE: (("ops.landed_files",), _set_aside),
        c.BIAS: (("gold.forecast_accuracy",), _biased),
        c.WORSE_THAN_NAIVE: (("gold.forecast_accuracy",), _worse),
    }
    judged = {kind: rule for kind, (tables, rule) in rules.items() if all(exists(table) for table in tables)}
    rows = [
        {c.KIND: kind, c.OPENED_AT: now, **found} for kind, rule in judged.items() for found in rule(query, limits, now)
    ]
    return Judgement(findings_of(rows), frozenset(judged))


def _stale(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:
    settled_at = now - timedelta(hours=limits.stale_hours)
    products = query(STALE_SQL, {"stale_days": STALE_DAYS, "settled_at": settled_at}).to_dict("records")
    step = "materialise gold/demand_forecasts for it in Dagster's UI, or look there for why its last run failed"
    found = [_found(row["subject"], c.ERROR, _age_of(row), step) for row in products]
    for row in query(OUT_OF_DAYS_SQL, {"now": now, "landings": LEAST_LANDINGS}).to_dict("records"):
        message = f"no product has a forecast for a day after {row['last_date']:%Y-%m-%d}"
        found.append(_found("all products", c.ERROR, message, "run `storecast run`, and see whether new files come"))
    return found


def _age_of(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["origin_date"]):
        return "it sells and has no forecast"
    return f"its forecasts are of {row['origin_date']:%Y-%m-%d}, the data go {row['days']} days further"


def _stopped(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    files = query(LANDINGS_SQL, {"now": now, "landings": LEAST_LANDINGS, "gap_factor": GAP_FACTOR})
    channels = query(SILENT_CHANNELS_SQL, {})
    silent = query(SILENCE_SQL, {"now": now, "days": LEAST_DAYS, "gap_factor": GAP_FACTOR})
    return [
        _found(
            row["subject"],
            c.ERROR,
            f"nothing since {row['last_date']:%Y-%m-%d}",
            "ask whoever exports this; what comes late is loaded by itself",
        )
        for row in [*files.to_dict("records"), *channels.to_dict("records"), *silent.to_dict("records")]
    ]


def _missing(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    gaps = query(DATA_GAPS_SQL, {"days": REMEMBERED_DAYS}).to_dict("records")
    return [_found(row["subject"], c.WARNING, row["message"], row["next_step"]) for row in gaps]


def _quarantined(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    found = []
    for row in query(QUARANTINE_SQL, {}).to_dict("records"):
        share = least_share(row["rows_quarantined"], row["rows_in"])
        if share > limits.quarantine_share:
            message = f"{row['rows_quarantined']:,} of the newest {row['rows_in']:,} rows were set aside"
            severity = c.ERROR if share > 0.5 else c.WARNING
            step = f"`storecast quarantine --entity {row['subject']}` says why, row by row"
            found.append(_found(row["subject"], severity, message, step))
    return found


def _set_aside(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    step = (
        "put the mended file into its place, or take it away; `storecast landed forget FILE` lets it go, "
        "`storecast landed list` names them all"
    )
    return [
        _found(row["subject"], c.ERROR, str(row["note"]).removeprefix(row["subject"]).strip(), step)
        for row in query(SET_ASIDE_SQL, {}).to_dict("records")
    ]


def least_share(hits: int, of: int) -> float:
    """Return the lower end of Wilson's 95 % interval for a share (Wilson 1927, JASA 22): few rows say little.

    >>> round(least_share(1, 10), 3), round(least_share(100, 1000), 3)
    (0.018, 0.083)
    """
    return float(binomtest(int(hits), int(of)).proportion_ci(method="wilson").low) if of else 0.0


def _biased(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    return [
        _found(
            "all products",
            c.ERROR if abs(row["bias"]) > 2 * limits.bias else c.WARNING,
            f"champions forecast {row['bias']:+.0%} of what was sold, {row['first_date']:%Y-%m-%d} to "
            f"{row['last_date']:%Y-%m-%d}",
            "look in gold.forecast_accuracy for the demand class it comes from, then run the job `train`",
        )
        for row in query(BIAS_SQL, {"bias": limits.bias}).to_dict("records")
    ]


def _worse(query: Query, limits: Limits, now: datetime) -> list[dict[str, Any]]:  # noqa: ARG001 - one signature
    return [
        _found(
            f"level {row['level']}",
            c.WARNING,
            f"the champions' skill over seasonal naive is {row['skill']:.1%} ± {row['error']:.1%}, worse beyond chance",
            "compare the models in ops.model_scores, then run the job `train`",
        )
        for row in query(c.WORSE_SQL.format(table="gold.forecast_accuracy"), {}).to_dict("records")
    ]


def _found(subject: str, severity: str, message: str, next_step: str) -> dict[str, Any]:
    return {c.SUBJECT: subject, c.SEVERITY: severity, c.MESSAGE: message, c.NEXT_STEP: next_step}
