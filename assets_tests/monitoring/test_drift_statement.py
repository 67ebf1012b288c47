"""The SQL against a reference in NumPy that walks over windows one by one."""

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from storecast.monitoring import contracts as c
from storecast.monitoring.drift_statement import STATEMENT
from storecast.monitoring.weekly_measures import (
    FEED_PRIOR_DAYS,
    FEWEST_PEERS,
    FEWEST_SCALE_WEEKS,
    HISTORY_WEEKS,
    LAST_YEAR_WEEKS,
    PEER_WEEKS,
    PRICE_FLOOR,
    REFERENCE_WEEKS,
    SCALE_WEEKS,
    STOCK_FLOOR,
    WINDOWS_WEEKS,
)

WEEKS, PRODUCTS, CHANNELS = 150, 8, ("shop", "market")
KIOSK, AT_THE_KIOSK = "kiosk", (0, 2)
BEGAN = {6: 7 * 80 + 4, 7: 7 * 100, KIOSK: 7 * 60}
"""Days before the first sale of a product that is launched, and of a channel that is opened."""
LAST_DAY = pd.Timestamp("2026-05-03")


def shop(seed: int = 4) -> pd.DataFrame:
    """Dense demand of 150 weeks and three days: products of two categories, in one or two channels, launches later."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(LAST_DAY - timedelta(days=7 * WEEKS + 2), LAST_DAY)
    season = 1 + 0.5 * np.sin(np.arange(len(days)) * 2 * np.pi / 364)
    frames = []
    for product in range(PRODUCTS):
        for channel in (*CHANNELS[: 1 + product % 2], *((KIOSK,) if product in AT_THE_KIOSK else ())):
            start = BEGAN.get(KIOSK if channel == KIOSK else product, 0)
            units = rng.negative_binomial(4, 4 / (4 + (1 + product) * season))[start:].astype(float)
            if product == 1:
                units[-10:] = 0
            price = 10.0 + product + np.repeat(rng.normal(0, 0.3, WEEKS + 1), 7)[: len(days)]
            if product == 2:
                price[-9:] *= 1.2
            frame = {"product_id": f"P{product}", "channel": channel, "date": days[start:], "units": units}
            stock = rng.random(len(units)) > (0.5 if product == 3 else 0.02)
            frames.append(
                pd.DataFrame({**frame, "unit_price": price[start:], "is_in_stock": stock, "is_recorded": True})
            )
    return pd.concat(frames, ignore_index=True)


def catalogue() -> pd.DataFrame:
    return pd.DataFrame({"product_id": [f"P{n}" for n in range(PRODUCTS)], "category": [*"aaaaaaba"]})


def no_forecasts() -> pd.DataFrame:
    days = {"origin_date": "datetime64[ns]", "date": "datetime64[ns]"}
    numbers = dict.fromkeys(["mean_units", "p05_units", "p95_units"], "float64")
    return pd.DataFrame(columns=[*days, "product_id", "channel", *numbers]).astype(days | numbers)


def measure(demand: pd.DataFrame, forecasts: pd.DataFrame | None = None, *, reports: int = 1) -> pd.DataFrame:
    with duckdb.connect() as connection:
        connection.execute("create schema gold; create schema silver")
        given = no_forecasts() if forecasts is None else forecasts
        for name, frame in (
            ("gold.daily_demand", demand),
            ("silver.products", catalogue()),
            ("gold.demand_forecasts", given),
        ):
            connection.register("incoming", frame)
            connection.execute(f"create table {name} as select * from incoming")
        for name, columns in (("gold.daily_demand", ["date"]), ("gold.demand_forecasts", ["date", "origin_date"])):
            for column in columns:
                connection.execute(f"alter table {name} alter {column} type date")
        parameters = {"report_date": demand["date"].max().date(), "reports": reports}
        return connection.execute(STATEMENT, parameters).df()


class Reference:
    """Weekly matrices (series, weeks), the newest week last, and the statistics of their last week by plain loops."""

    def __init__(self, demand: pd.DataFrame, day: pd.Timestamp) -> None:
        self.keys = sorted(set(zip(demand["product_id"], demand["channel"], strict=True)))
        category = dict(zip(catalogue()["product_id"], catalogue()["category"], strict=True))
        demand = demand[demand["date"] <= day]
        age = ((day - demand["date"]).dt.days // 7).to_numpy()
        demand = demand.assign(age=age, out=~demand["is_in_stock"], log_price=np.log(demand["unit_price"]))
        grouped = demand.groupby(["product_id", "channel", "age"])
        whole = grouped.agg(
            units=("units", "sum"), out=("out", "sum"), price=("log_price", "mean"), n=("units", "size")
        )
        whole = whole[whole["n"] == 7]
        weeks = int(age.max()) + 1
        self.matrix = {
            name: np.array([self._row(whole, key, name, weeks) for key in self.keys])
            for name in ("units", "out", "price")
        }
        self.categories = [category[product] for product, _ in self.keys]

    @staticmethod
    def _row(whole: pd.DataFrame, key: tuple[str, str], name: str, weeks: int) -> np.ndarray:
        ages = whole.loc[key][name]
        return np.array([ages.get(age, np.nan) for age in range(weeks)], float)[::-1]

    def peers(self, series: int) -> np.ndarray:
        """The rest of the category in the channel where it has more than 5 products, of the channel, or of all.

        Those count that have sold for more than a year and a quarter, or since the first quarter of all.
        """
        channel, own = self.keys[series][1], self.categories[series]
        in_channel = [k for k, key in enumerate(self.keys) if key[1] == channel]
        group = [k for k in in_channel if self.categories[k] == own]
        weeks = self.matrix["units"].shape[1]
        for chosen in (group, in_channel):
            long = [k for k in chosen if self.founders[k] or weeks - self.began[k] > SCALE_WEEKS + PEER_WEEKS]
            if len(long) > FEWEST_PEERS:
                return self.sold_by([k for k in chosen if k != series])[2]
        return self.sold_by([k for k in range(len(self.keys)) if k != series])[2]

    def elsewhere(self, series: int) -> np.ndarray:
        """The product in other channels, times the category here over the category there, without the product."""
        product, channel = self.keys[series]
        own, here, there = [], [], []
        for k, key in enumerate(self.keys):
            if key[0] == product and key[1] != channel:
                own.append(k)
            elif key[0] != product and self.categories[k] == self.categories[series]:
                (here if key[1] == channel else there).append(k)
        sold, raised, _ = zip(*(self.sold_by(members) for members in (own, here, there)), strict=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.where(sold[2] != 0, sold[1] / sold[2], 0.0)
        return sold[0] * share * raised[0] * raised[1] / raised[2]

    @property
    def began(self) -> np.ndarray:
        return np.isnan(self.matrix["units"]).sum(axis=1)

    @property
    def founders(self) -> np.ndarray:
        """Which series sold in the shop's first quarter."""
        return self.began < self.began.min() + PEER_WEEKS

    def sold_by(self, members: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What those of some series sold that were peers in a week, by how much later ones raised it, and both."""
        units = np.nan_to_num(self.matrix["units"])
        joins = np.where(self.founders, 0, self.began + PEER_WEEKS)
        weeks = units.shape[1]
        sold, raised = np.zeros(weeks), np.ones(weeks)
        for week in range(weeks):
            sold[week] = sum(units[k, week] for k in members if joins[k] <= week)
            quarter = slice(max(week - REFERENCE_WEEKS + 1, 0), week + 1)
            before, now = (
                sum(units[k, quarter].sum() for k in members if joins[k] <= last) for last in (week - 1, week)
            )
            if week and now != before:
                raised[:week] *= now / before if before > 0 else np.nan
        return sold, raised, sold * raised

    def shift(self, own: np.ndarray, peers: np.ndarray, floor: float) -> tuple[float, int]:
        """The statistic of the last week's best window, and its weeks."""
        best = (np.nan, 0)
        for window in WINDOWS_WEEKS:
            both = [self.contrasts(own, peers, end, window) for end in range(len(own) + 1)]
            statistic = standardised([pair[0] for pair in both], window, floor, [pair[1] for pair in both])
            if np.isnan(best[0]) or abs(statistic) > abs(best[0]):
                best = (statistic, window)
        return best

    @staticmethod
    def contrasts(own: np.ndarray, peers: np.ndarray, end: int, window: int) -> tuple[float, float]:
        """Of the window that ends before place `end`, by its mildest week and as a whole; missing without 13 weeks."""
        first = int((np.isnan(own) | np.isnan(peers)).sum())
        start = end - window
        if start - REFERENCE_WEEKS < first:
            return np.nan, np.nan
        quarter, year = slice(start - REFERENCE_WEEKS, start), slice(max(start - SCALE_WEEKS, first), start)
        if not peers[quarter].sum() > 0 or not (own[quarter].sum() > 0 or (peers == 7).all()):
            return np.nan, np.nan
        shares = [own[part].sum() / peers[part].sum() for part in (quarter, year)]
        weeks = []
        for week in range(start, end):
            nearer = min(max(own[week], peers[week] * min(shares)), peers[week] * max(shares))
            weeks.append(2 * np.sqrt(own[week] + 0.375) - 2 * np.sqrt(nearer + 0.375))
        seen, among = own[start:end].sum(), peers[start:end].sum()
        whole = 2 * np.sqrt(seen + 0.375) - 2 * np.sqrt(
            min(max(seen, among * min(shares)), among * max(shares)) + 0.375
        )
        agree = all(value > 0 for value in weeks) or all(value < 0 for value in weeks)
        return np.sqrt(window) * min(weeks, key=abs) if agree else 0.0, whole


def standardised(contrasts: list[float], window: int, floor: float, wholes: list[float] | None = None) -> float:
    """The last contrast, less last year's in its direction, over the root mean square of those before its window."""
    last = contrasts[-1]
    past = [value for value in (wholes or contrasts)[-1 - SCALE_WEEKS - window + 1 : -window] if not np.isnan(value)]
    lags = [contrasts[-1 - lag] for lag in LAST_YEAR_WEEKS if lag < len(contrasts)]
    lags = [value for value in lags if not np.isnan(value)]
    high, low = max([0.0, *lags]), min([0.0, *lags])
    left = max(last - high, 0.0) if last > 0 else min(last - low, 0.0)
    return left / max(np.sqrt(np.mean(np.square(past))), floor)


@pytest.fixture(scope="module")
def demand() -> pd.DataFrame:
    return shop()


@pytest.fixture(scope="module")
def found(demand) -> pd.DataFrame:
    return measure(demand, reports=3)


def of(found: pd.DataFrame, kind: str, feature: str) -> pd.DataFrame:
    return found[(found["scope"] == c.SERIES) & (found["kind"] == kind) & (found["feature"] == feature)]


@pytest.mark.parametrize(
    ("kind", "feature", "floor"),
    [(c.LEVEL, c.UNITS, 1.0), (c.MIX, c.CHANNEL_SHARE, 1.0), (c.STOCK_OUT, c.IS_IN_STOCK, STOCK_FLOOR)],
)
@pytest.mark.parametrize("weeks_ago", [0, 2])
def test_the_shifts_of_counts_are_those_of_the_reference(demand, found, kind, feature, floor, weeks_ago):
    day = LAST_DAY - timedelta(days=7 * weeks_ago)
    reference = Reference(demand, day)
    rows = of(found, kind, feature)
    rows = rows[rows["report_date"] == day].set_index(["product_id", "channel"])
    compared = 0
    for series, key in enumerate(reference.keys):
        own = reference.matrix["out" if kind == c.STOCK_OUT else "units"][series]
        peers = np.full(len(own), 7.0)
        if kind != c.STOCK_OUT:
            peers = (reference.peers if kind == c.LEVEL else reference.elsewhere)(series)
        known = np.isfinite(own) & np.isfinite(peers)
        if not peers[known].sum() > 0 or known.sum() < max(WINDOWS_WEEKS) + REFERENCE_WEEKS + FEWEST_SCALE_WEEKS:
            assert key not in rows.index
            continue
        statistic, window = reference.shift(own, peers, floor)
        assert rows.loc[key, "statistic"] == pytest.approx(statistic, abs=1e-9), key
        assert rows.loc[key, "window_days"] == 7 * window or statistic == 0
        compared += 1
    assert compared >= (4 if kind == c.MIX else 10)


def test_the_price_shift_is_the_reference_s_own_and_not_its_peers(demand, found):
    reference = Reference(demand, LAST_DAY)
    price, groups = (
        reference.matrix["price"],
        [(k[1], cat) for k, cat in zip(reference.keys, reference.categories, strict=True)],
    )
    rows = of(found, c.PRICE, c.UNIT_PRICE)
    rows = rows[rows["report_date"] == LAST_DAY].set_index(["product_id", "channel"])
    contrasts = {window: price_contrasts(price, groups, window) for window in WINDOWS_WEEKS}
    for series, key in enumerate(reference.keys):
        best = [standardised(list(contrasts[window][series]), window, PRICE_FLOOR) for window in WINDOWS_WEEKS]
        assert rows.loc[key, "statistic"] == pytest.approx(max(best, key=abs), abs=1e-9), key
    assert rows.loc[("P2", "shop"), "effect"] > 0.05


def price_contrasts(price: np.ndarray, groups: list[tuple[str, str]], window: int) -> np.ndarray:
    """Mean log price of each window less that of up to 13 weeks before, less the median of the series' group."""
    moved = np.full((len(price), price.shape[1] + 1), np.nan)
    for end in range(window + 1, price.shape[1] + 1):
        for series, own in enumerate(price):
            before = own[max(end - window - REFERENCE_WEEKS, 0) : end - window]
            if not np.isnan(before).all():
                moved[series, end] = np.nanmean(own[max(end - window, 0) : end]) - np.nanmean(before)
    medians = moved.copy()
    for group in set(groups):
        members = [series for series, other in enumerate(groups) if other == group]
        known = ~np.isnan(moved[members]).all(axis=0)
        medians[np.ix_(members, np.flatnonzero(known))] = np.nanmedian(moved[members][:, known], axis=0)
    return moved - medians


def test_a_stop_s_chance_is_that_of_no_unit_under_a_negative_binomial(demand, found):
    rows = of(found, c.STOCK_OUT, c.UNITS)
    assert set(rows["product_id"]) <= {"P1"}
    long_stop = demand.assign(
        units=demand["units"].where(
            (demand["product_id"] != "P1") | (demand["date"] <= LAST_DAY - timedelta(days=14)), 0.0
        )
    )
    [stop] = of(measure(long_stop), c.STOCK_OUT, c.UNITS).query("channel == 'shop'").itertuples()
    reference = Reference(long_stop, LAST_DAY)
    series = reference.keys.index(("P1", "shop"))
    own, peers = reference.matrix["units"][series], reference.peers(series)
    assert stop.window_days == 14
    wholes = [reference.contrasts(own, peers, end, 2)[1] for end in range(len(own) + 1)]
    past = [value for value in wholes[-1 - SCALE_WEEKS - 1 : -2] if not np.isnan(value)]
    expected = peers[-2:].sum() * own[-15:-2].sum() / peers[-15:-2].sum()
    size = expected / max(np.mean(np.square(past)) - 1, 1e-6)
    assert stop.statistic == pytest.approx(-stats.nbinom.logpmf(0, size, size / (size + expected)), rel=1e-6)


def test_a_stopped_feed_s_chance_is_a_beta_binomial_s(demand):
    days = 6
    stopped = demand.assign(
        units=demand["units"].where(
            (demand["channel"] != "market") | (demand["date"] <= LAST_DAY - timedelta(days=days)), 0.0
        )
    )
    fault = measure(stopped).query("kind == 'data_fault'")
    assert fault[["scope", "channel", "window_days"]].to_numpy().tolist() == [[c.CHANNEL, "market", days]]
    totals = demand[demand["channel"] == "market"].groupby("date")["units"].sum()
    is_zero = (totals == 0).to_numpy()[-7 * (HISTORY_WEEKS + 1) : -days]
    rate = (0.5 + is_zero.sum()) / (1 + len(is_zero))
    went_on, followed = (is_zero[1:] & is_zero[:-1]).sum(), is_zero[:-1].sum()
    goes_on = FEED_PRIOR_DAYS + went_on
    ends = FEED_PRIOR_DAYS / rate + followed - goes_on
    later = stats.betabinom.logpmf(days - 1, days - 1, goes_on, ends)
    assert fault["statistic"].iloc[0] == pytest.approx(-np.log(rate) - later)
