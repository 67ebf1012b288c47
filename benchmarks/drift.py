"""Drift per product on 500 series of M5: shifts that were put in and are found, and alarms where nothing was put in.

Our detector is the statement and the judgement of `ops.product_drift` as the asset calls them. The peer is Evidently's
default test of a numerical column of that size, Kolmogorov and Smirnov's at 5 %, on 28 days against the year before.

*Alarms* are counted on untouched sales by daily reports over years; alarms of a series less than 29 days apart are one.
M5 itself moves: prices change, sales cease. The records bear an alarm of a price out where its mean moved by 5 % or
more, and one of ceased sales where, in hindsight, the days until the next sale would have sold so much at the pace of
the quarter before that no sale is less likely than once in 1,000 series-years of days (Poisson). What these two kinds
say is in the records anyway, so nearly all that can be false is of the other kinds, which count as false without
exception: also where sales fell by nine tenths. Degrees of freedom were chosen on one half of the series before
mid-2014. False alarms are told for the other half since then, which shares neither series nor days with the choice, and
held against the target for all that had no part in it. The 220 series of which only 447 days are known begin in 2015 as
if they had been launched then.

*Detections*: a report 7 and one 14 days after the first day of a shift, one series in five shifted at once, on last
days within the newest 16 weeks. A shift is detectable where an oracle that knows series, kind and day has a power of
95 %: a likelihood-ratio test of the 14 days on the root (of prices: log) scale, of variance the series' own in the year
before (floors as the detector's), at one false alarm in 1,000 series-years of daily looks under Student's t with the
degrees of the kind. The oracle pays for no window, feature or series but one. A feed that stopped is always detectable.

The short form has the reports of one weekday and a fifth of the shifts.
"""

import zlib
from datetime import timedelta
from typing import Any, Final

import duckdb
import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.drift_shop import KINDS, LAST_DAY, SERIES, SHIFTED_DAYS, shift, shop
from benchmarks.measuring import measure
from benchmarks.rows import Row
from storecast.forecasting.panel import FloatArray
from storecast.monitoring import contracts as c
from storecast.monitoring.drift_statement import STATEMENT
from storecast.monitoring.product_drift import BY_LOGARITHM, DEGREES, judged, product_drift
from storecast.monitoring.shift_statistics import DAYS_A_YEAR, FALSE_ALARMS_PER_SERIES_YEAR
from storecast.monitoring.weekly_measures import PRICE_FLOOR, REFERENCE_WEEKS, SCALE_WEEKS, STOCK_FLOOR

SPLIT_DAY: Final = pd.Timestamp("2014-07-01")
REPLAYED_WEEKS: Final = 172
TESTS_A_SERIES: Final = 12
"""Two windows of six features."""
EPISODE_DAYS: Final = 28
AT_ONCE: Final = 5
LAST_WEEKS: Final = 16
POWER: Final = 0.95
LEAST_FOUND_PERCENT: Final = 95.0
PEER_LEVEL: Final = 0.05
PEER_DAYS: Final = 28
PEER_REFERENCE_DAYS: Final = 365
LEAST_PRICE_CHANGE: Final = 0.05
LEAST_UNITS_MISSED: Final = float(-np.log(FALSE_ALARMS_PER_SERIES_YEAR / DAYS_A_YEAR))
QUARTER_DAYS: Final = 91
CONFIDENCE: Final = 0.95
DEGREES_TRIED: Final = (4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0)
KEY: Final = ["product_id", "channel"]
OURS: Final = {
    "level +20 %": c.LEVEL, "level -20 %": c.LEVEL, "season a week late": c.SEASON, "price +15 %": c.PRICE,
    "mix": c.MIX, "stock-out": c.STOCK_OUT, "feed stopped": c.DATA_FAULT,
}  # fmt: skip
FACTORS: Final = {"level +20 %": 1.2, "level -20 %": 0.8, "mix": 0.5}


def run(*, is_short: bool) -> list[Row]:
    """Alarms of a replay of years, and what is found of seven kinds of shift."""
    looks_a_week, rounds = (1, 1) if is_short else (7, AT_ONCE)
    alarms = measure(untouched, looks_a_week)
    found = measure(shifted, rounds).result
    rows = [*alarms.result, Row("untouched replay: CPU", "s", alarms.cpu_seconds), *detection_rows(found)]
    return [Row(row.what, row.unit, row.ours, row.peer) for row in rows] if is_short else rows


def is_choosing(keys: pd.DataFrame) -> pd.Series:
    """Whether each series belongs to the half on which settings are chosen; a checksum of its name decides."""
    return (keys["product_id"] + "/" + keys["channel"]).map(lambda name: zlib.crc32(name.encode()) % 2 == 0)


def is_for_choice(rows: pd.DataFrame) -> pd.Series:
    """Rows that a setting may be chosen on: half of the series, before mid-2014."""
    return is_choosing(rows) & (rows["report_date"] < SPLIT_DAY)


def is_scored(rows: pd.DataFrame) -> pd.Series:
    """Rows that are scored: the other half of the series, since mid-2014."""
    return ~is_choosing(rows) & (rows["report_date"] >= SPLIT_DAY)


def query_of(connection: duckdb.DuckDBPyConnection) -> Any:
    """The function by which the detector asks the shop."""
    return lambda sql, parameters: connection.execute(sql, parameters).df()


def untouched(looks_a_week: int) -> list[Row]:
    """Alarms of so many reports a week over years without a shift, and the degrees that the choice gives."""
    with shop() as connection:
        query, days = query_of(connection), [LAST_DAY - timedelta(days=phase) for phase in range(looks_a_week)]
        measures = pd.concat(
            [query(STATEMENT, {"report_date": day, "reports": REPLAYED_WEEKS}) for day in days], ignore_index=True
        )
        peer_alarms = peer_on_untouched(connection)
        sales = connection.sql("from clean order by product_id, channel, date").df()
    of_series = measures[measures["scope"] == c.SERIES]
    chosen = chosen_degrees(of_series[is_for_choice(of_series)], looks_a_week)
    judgements = judged(measures)
    judgements = judgements[judgements["scope"] == c.SERIES]
    rows = judgements[is_scored(judgements)]
    drifted = rows[rows["is_drifted"]]
    per = 1_000 / series_years(rows, looks_a_week)
    return [
        *false_alarm_rows(judgements[~is_for_choice(judgements)], sales, looks_a_week, "no part in the choice", 1.0),
        *false_alarm_rows(rows, sales, looks_a_week, "other series and later days than the choice"),
        Row(
            "alarms of any kind, true ones among them, in 1,000 series-years", "-", per * episodes(drifted, KEY),
            peer_alarms,
        ),
        *(
            Row(f"alarms of kind {kind}, in 1,000 series-years", "-", per * episodes(of_kind, [*KEY, "kind"]))
            for kind, of_kind in drifted.groupby("kind")
        ),
        Row("days on which anything was an alarm, December", "%", 100 * share_of_days(rows, [12])),
        Row("days on which anything was an alarm, other months", "%", 100 * share_of_days(rows, list(range(1, 12)))),
        *(
            Row(f"degrees of freedom the choice gives {kind}; in use", "-", degrees, DEGREES[kind])
            for kind, degrees in chosen.items()
        ),
    ]  # fmt: skip


def series_years(rows: pd.DataFrame, looks_a_week: int) -> float:
    """For how long series were looked at, in years."""
    return len(rows[["report_date", *KEY]].drop_duplicates()) * 7 / looks_a_week / DAYS_A_YEAR


def false_alarm_rows(
    rows: pd.DataFrame, sales: pd.DataFrame, looks_a_week: int, whose: str, bound: float | None = None
) -> list[Row]:
    """How many alarms were false, and how many there may be."""
    years, number = series_years(rows, looks_a_week), false_episodes(rows[rows["is_drifted"]], sales)
    most = stats.chi2.ppf(CONFIDENCE, 2 * number + 2) / 2
    return [
        Row(f"{whose}: series-years", "years", years),
        Row(f"{whose}: false alarms, in 1,000 series-years", "-", 1_000 * number / years, bound=bound),
        Row(f"{whose}: the same, at most, with 95 % confidence", "-", 1_000 * most / years),
    ]


def false_episodes(alarms: pd.DataFrame, sales: pd.DataFrame) -> int:
    """How many alarms of a kind there are, as `episodes` counts them, none of whose days the records bear out."""
    is_true = is_borne_out(alarms, sales).groupby(episode_numbers(alarms, [*KEY, "kind"])).any()
    return int((~is_true).sum())


def is_borne_out(alarms: pd.DataFrame, sales: pd.DataFrame) -> pd.Series:
    """Whether the records show what each alarm says: a price that moved, or sales that ceased."""
    of_series = {key: own.set_index("date") for key, own in sales.groupby(KEY)}
    found = []
    for alarm in alarms.itertuples():
        own = of_series[alarm.product_id, alarm.channel]
        known = len(own[: alarm.report_date])
        if alarm.kind == c.PRICE:
            price = own["unit_price"].iloc[:known]
            before = price[: -alarm.window_days].tail(QUARTER_DAYS)
            found.append(abs(price.tail(alarm.window_days).mean() / before.mean() - 1) >= LEAST_PRICE_CHANGE)
        else:
            missed = missed_units(own["units"].to_numpy(), known) if alarm.kind == c.STOCK_OUT else 0.0
            found.append(missed >= LEAST_UNITS_MISSED)
    return pd.Series(found, index=alarms.index, dtype=bool)


def missed_units(units: FloatArray, known: int) -> float:
    """What the days without a sale around the last one known would have sold, at the pace of the quarter before."""
    sold = np.flatnonzero(units > 0)
    before, after = sold[sold < known], sold[sold >= known]
    if not len(before) or before[-1] == known - 1:
        return 0.0
    first, end = int(before[-1]) + 1, int(after[0]) if len(after) else len(units)
    return float((end - first) * units[max(first - QUARTER_DAYS, 0) : first].mean())


def episodes(alarms: pd.DataFrame, by: list[str]) -> int:
    """How many alarms there are, those of a series less than 29 days after another being the same."""
    return int(episode_numbers(alarms, by).nunique())


def episode_numbers(alarms: pd.DataFrame, by: list[str]) -> pd.Series:
    """Which alarm each row belongs to."""
    ordered = alarms.sort_values([*by, "report_date"])
    gaps = ordered.groupby(by)["report_date"].diff().dt.days
    return (gaps.isna() | (gaps > EPISODE_DAYS)).cumsum()


def share_of_days(rows: pd.DataFrame, months: list[int]) -> float:
    """The share of report days in some months on which any series drifted."""
    some = rows[rows["report_date"].dt.month.isin(months)]
    return float(some.groupby("report_date")["is_drifted"].any().mean()) if len(some) else float("nan")


def chosen_degrees(measures: pd.DataFrame, looks_a_week: int) -> dict[str, float]:
    """For each kind the most degrees of freedom that keep to one alarm in 1,000 series-years on the rows given."""
    found = {}
    tested = measures[~pd.MultiIndex.from_frame(measures[["kind", "feature"]]).isin(BY_LOGARITHM)]
    for kind, rows in tested.groupby("kind"):
        allowed = int(series_years(rows, looks_a_week) * FALSE_ALARMS_PER_SERIES_YEAR)
        fitting = [
            df
            for df in DEGREES_TRIED
            if episodes(rows[rows["statistic"].abs() > critical(df, TESTS_A_SERIES)], KEY) <= allowed
        ]
        found[str(kind)] = max(fitting, default=min(DEGREES_TRIED))
    return found


def critical(degrees: float, tests: int) -> float:
    """Where one of so many tests of a series alarms once in 1,000 series-years of daily looks."""
    return float(stats.t.isf(FALSE_ALARMS_PER_SERIES_YEAR / DAYS_A_YEAR / tests / 2, degrees))


def is_peer_alarm(values: FloatArray) -> bool:
    """Kolmogorov and Smirnov's test of the last 28 days against the year before them."""
    current, reference = values[-PEER_DAYS:], values[-PEER_DAYS - PEER_REFERENCE_DAYS : -PEER_DAYS]
    return len(reference) >= PEER_DAYS and bool(stats.ks_2samp(reference, current).pvalue < PEER_LEVEL)


def peer_on_untouched(connection: duckdb.DuckDBPyConnection) -> float:
    """The peer's alarms in 1,000 series-years, of reports 28 days apart: each is one of its own."""
    alarms, looks = 0, 0
    for (product_id, channel), own in connection.sql("from clean order by product_id, channel, date").df().groupby(KEY):
        if is_choosing(pd.DataFrame({"product_id": [product_id], "channel": [channel]})).iloc[0]:
            continue
        scored = int((own["date"] >= SPLIT_DAY).sum())
        for back in range(0, scored, PEER_DAYS):
            values = own["units"].to_numpy()[: len(own) - back]
            alarms, looks = alarms + is_peer_alarm(values), looks + 1
    return 1_000 * alarms / (looks * PEER_DAYS / DAYS_A_YEAR)


def shifted(rounds: int) -> pd.DataFrame:
    """A row a series and kind: whether it is detectable, found by us and as what, and found by the peer."""
    found = []
    with shop() as connection:
        keys = connection.sql("select product_id, channel from clean group by all order by all").df()
        order = np.random.default_rng(0).permutation(SERIES)
        for place in range(rounds * (len(KINDS) - 1)):
            part, turn = place % AT_ONCE, place // AT_ONCE
            last_day = LAST_DAY - timedelta(days=7 * (place % LAST_WEEKS))
            chosen = keys.iloc[order[part::AT_ONCE]]
            kinds = [KINDS[(number + turn) % (len(KINDS) - 1)] for number in range(len(chosen))]
            found.append(one_round(connection, chosen.assign(kind=kinds), last_day))
        for place, channel in enumerate(sorted(set(keys["channel"]))[: 10 if rounds == AT_ONCE else 1]):
            chosen = keys[keys["channel"] == channel].assign(kind="feed stopped")
            found.append(one_round(connection, chosen, LAST_DAY - timedelta(days=7 * place)))
    return pd.concat(found, ignore_index=True)


def one_round(connection: duckdb.DuckDBPyConnection, chosen: pd.DataFrame, last_day: Any) -> pd.DataFrame:
    """Shift some series for the 14 days up to the last, and ask oracle, detector and peer."""
    shift(connection, chosen.iloc[:0].assign(first_day=last_day))
    detectable = detectable_of(connection, chosen, last_day)
    shift(connection, chosen.assign(first_day=last_day - timedelta(days=SHIFTED_DAYS - 1)))
    rows = product_drift(query_of(connection), last_day, reports=2)
    drifted = rows[rows["is_drifted"]]
    of_channel = drifted[drifted["kind"] == c.DATA_FAULT].groupby("channel")["kind"].agg(set)
    of_series = drifted[drifted["scope"] == c.SERIES].groupby(KEY)["kind"].agg(set)
    told = [
        set(of_series.get((row.product_id, row.channel), ())) | set(of_channel.get(row.channel, ()))
        for row in chosen.itertuples()
    ]
    sales = connection.sql("from gold.daily_demand semi join shifts using (product_id, channel) order by date").df()
    sales = sales[sales["date"] <= pd.Timestamp(last_day)]
    peer = {
        key: is_peer_alarm(own["units"].to_numpy()) or is_peer_alarm(own["unit_price"].to_numpy())
        for key, own in sales.groupby(KEY)
    }
    return chosen.assign(
        is_detectable=detectable,
        is_found=[bool(kinds) for kinds in told],
        is_named=[OURS[row.kind] in kinds for row, kinds in zip(chosen.itertuples(), told, strict=True)],
        by_peer=[peer[row.product_id, row.channel] for row in chosen.itertuples()],
    )


def detectable_of(connection: duckdb.DuckDBPyConnection, chosen: pd.DataFrame, last_day: Any) -> list[bool]:
    """Whether the oracle has its power for each series' kind, from untouched sales up to the day before the shift."""
    weekly = connection.execute(WEEKLY_SQL, {"last_day": last_day}).df()
    pivots = {
        name: weekly.pivot_table(index=KEY, columns="age", values=name) for name in ("units", "peers", "log_price")
    }
    pivots = {name: table.sort_index(axis=1, ascending=False) for name, table in pivots.items()}
    return [is_detectable(pivots, (row.product_id, row.channel), row.kind) for row in chosen.itertuples()]


WEEKLY_SQL: Final = """
    select
        product_id, channel, age, sum(units) as units, sum(group_units) - sum(units) as peers,
        avg(ln(unit_price)) as log_price
    from (
        select
            clean.*, (cast($last_day as date) - date) // 7 as age,
            sum(units) over (partition by channel, category, date) as group_units
        from clean inner join silver.products using (product_id) where date <= $last_day
    )
    group by all having count(*) = 7
"""


def is_detectable(weekly: dict[str, pd.DataFrame], key: tuple[str, str], kind: str) -> bool:
    """Whether a test that knows day and kind has its power; weeks are in order, the last two are to be shifted."""
    if kind == "feed stopped":
        return True
    own, peers, price = (weekly[name].loc[key].to_numpy() for name in ("units", "peers", "log_price"))
    is_known = ~np.isnan(own)
    own, peers, price = own[is_known], peers[is_known], price[is_known]
    weeks = len(own)
    if weeks < SCALE_WEEKS // 2 + REFERENCE_WEEKS + 4:
        return False
    before = [slice(end - REFERENCE_WEEKS, end) for end in range(REFERENCE_WEEKS, weeks)]
    expected = np.array([peers[part.stop] * own[part].sum() / max(peers[part].sum(), 1) for part in before])
    rooted = root(own[REFERENCE_WEEKS:]) - root(expected)
    priced = np.array([price[part.stop] - price[part].mean() for part in before])
    degrees = DEGREES[OURS[kind]]
    effect, noise, floor = rooted, rooted, 1.0
    if kind in FACTORS:
        effect = root(FACTORS[kind] * expected) - root(expected)
    elif kind == "season a week late":
        effect = root(np.roll(expected, 1)) - root(expected)
    elif kind == "price +15 %":
        effect, noise, floor = np.full(len(priced), np.log(1.15) / np.sqrt(2)), priced / np.sqrt(2), PRICE_FLOOR
    else:
        effect, noise, floor = np.full(len(rooted), root(7.0) - root(0.0)), np.zeros(len(rooted)), STOCK_FLOOR
    pairs = (noise[1:-2] + noise[:-3]) / np.sqrt(2)
    spread = max(float(np.sqrt(np.mean(pairs[-SCALE_WEEKS:] ** 2))), floor)
    size = float(np.sqrt((effect[-2:] ** 2).sum())) / spread
    return bool(stats.norm.cdf(size - critical(degrees, 1)) >= POWER)


def root(units: Any) -> Any:
    """Anscombe's root, on which Poisson counts have a variance of 1."""
    return 2 * np.sqrt(units + 0.375)


def detection_rows(found: pd.DataFrame) -> list[Row]:
    """Shares found of what is detectable, in all and by kind, the peer's beside ours."""
    rows = []
    detectable = found[found["is_detectable"]]
    for what, part in [("all kinds", detectable), *detectable.groupby("kind", sort=False)]:
        bound = LEAST_FOUND_PERCENT
        rows.append(
            Row(
                f"{what}: found within 14 days of {len(part)} detectable", "%", 100 * part["is_found"].mean(),
                100 * part["by_peer"].mean(), bound=bound, is_floor=True,
            )
        )  # fmt: skip
    for kind, part in found.groupby("kind", sort=False):
        rows += [
            Row(f"{kind}: detectable of {len(part)}", "%", 100 * part["is_detectable"].mean()),
            Row(f"{kind}: found of all", "%", 100 * part["is_found"].mean(), 100 * part["by_peer"].mean()),
            Row(
                f"{kind}: named as that kind, of those found", "%", 100 * part.loc[part["is_found"], "is_named"].mean()
            ),
        ]
    return rows
