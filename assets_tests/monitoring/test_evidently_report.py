"""Evidently runs for real here; its import alone takes seconds, so one run serves several tests."""

import json
import re
import socket
from datetime import date
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from storecast.monitoring.contracts import COMPARED, Drift
from storecast.monitoring.windows import DriftWindows, Window

pytestmark = pytest.mark.slow

WINDOWS = DriftWindows(
    reference=Window(date(2025, 4, 1), date(2026, 3, 31)), current=Window(date(2026, 4, 1), date(2026, 4, 28))
)
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Resources(HTMLParser):
    """Collects what a browser would fetch for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        address = dict(attrs).get(FETCHED.get(tag, ""))
        if address and not address.startswith(("data:", "#")):
            self.found.append(address)


def sample(rows: int, seed: int, *, price_factor: float = 1.0, in_stock: float = 0.95, turnover: float = 0.05):
    """Columns of a calm shop with skewed demand; days and products are fewer than rows."""
    rng = np.random.default_rng(seed)
    promoted = rng.random(rows) < 0.1
    fates = rng.choice(["stayed", "new", "lost"], rows // 2, p=[1 - turnover, turnover / 2, turnover / 2])
    columns = {
        "unit_price": np.where(rng.random(rows) < 0.1, np.nan, rng.gamma(9.0, 2.0, rows) * price_factor),
        "discount_share": np.where(promoted, 0.2, 0.0),
        "units": np.floor(rng.lognormal(1.0, 1.5, rows)),
        "is_on_promotion": promoted,
        "is_in_stock": rng.random(rows) < in_stock,
        "has_event": rng.random(60) < 0.1,
        "weekday": np.arange(60) % 7 + 1,
        "product_id": fates.astype(object),
    }
    return {name: pd.Series(values) for name, values in columns.items()}


def verdicts(reference, current) -> dict[str, bool]:
    """Which columns drifted, by the tests and thresholds of the report but without its page."""
    from storecast.monitoring.evidently_report import p_values
    from storecast.monitoring.shift_statistics import common_threshold
    from storecast.monitoring.windows import prepared

    found = p_values(*prepared(reference, current))
    return {column: p <= common_threshold(list(found.values())) for column, p in found.items()}


def drifted(reference, current) -> set[str]:
    return {column for column, is_drifted in verdicts(reference, current).items() if is_drifted}


@pytest.fixture(scope="module")
def run():
    from storecast.monitoring.evidently_report import compare

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return compare(sample(8_000, 1), sample(3_000, 2, price_factor=1.33, in_stock=0.6))


def refuse(*_):
    raise AssertionError("a report of Evidently tried to reach the network")


@pytest.fixture(scope="module")
def rows(run) -> pd.DataFrame:
    from storecast.monitoring.evidently_report import drift_rows

    return drift_rows(run.dict(), WINDOWS)


def test_the_shifted_columns_are_found_and_no_other(rows):
    assert set(rows.loc[rows["is_drifted"], "column_name"]) == {"unit_price", "is_in_stock"}
    assert set(rows["column_name"]) == {*COMPARED, "unit_price is missing"}


@pytest.mark.parametrize("sizes", [(300, 300), (1_000, 1_000), (5_000, 5_000), (1_000, 200)])
def test_two_samples_of_one_shop_are_called_drift_as_seldom_as_is_said(sizes):
    draws = 200
    alarms = [drifted(sample(sizes[0], 2 * draw), sample(sizes[1], 2 * draw + 1)) for draw in range(draws)]
    assert sum(bool(found) for found in alarms) <= binom.ppf(0.999, draws, 0.05)


@pytest.mark.parametrize("categories", [7, 30])
def test_categories_of_few_rows_are_not_called_drift_without_one(categories):
    from storecast.monitoring.shift_statistics import categories_p_value

    rng = np.random.default_rng(5)
    draws = [[pd.Series(rng.integers(categories, size=rows)) for rows in (500, 200)] for _ in range(200)]
    alarms = sum(categories_p_value(*both) <= 0.05 for both in draws)
    assert alarms <= binom.ppf(0.999, len(draws), 0.05)


def test_skewed_demand_that_rises_by_a_fifth_is_seen():
    for draw in range(10):
        before, now = sample(5_000, 2 * draw), sample(5_000, 2 * draw + 1)
        now["units"] = pd.Series(np.random.default_rng(draw).lognormal(1.0, 1.5, 5_000) * 1.2)
        before["units"] = pd.Series(np.random.default_rng(100 + draw).lognormal(1.0, 1.5, 5_000))
        assert "units" in drifted(before, now)


def test_one_outlier_of_the_reference_hides_no_shift():
    rng = np.random.default_rng(3)
    before, now = sample(2_000, 1), sample(2_000, 2)
    before["units"], now["units"] = (pd.Series(rng.normal(level, 1.0, 2_000)) for level in (10.0, 12.0))
    before["units"].iloc[0] = 5_000.0
    assert drifted(before, now) == {"units"}


def test_a_change_of_shape_around_the_same_middle_is_seen():
    rng = np.random.default_rng(3)
    before, now = sample(2_000, 1), sample(2_000, 2)
    before["units"], now["units"] = (pd.Series(rng.normal(10.0, spread, 2_000)) for spread in (1.0, 2.0))
    assert drifted(before, now) == {"units"}


def test_values_that_go_missing_are_drift_and_so_are_products_that_come_and_go():
    before, now = sample(1_000, 1), sample(1_000, 2)
    now["units"] = now["units"].where(now["units"].index % 2 == 0)
    assert drifted(before, now) == {"units is missing"}
    assert drifted(before, sample(1_000, 2, turnover=1.0)) == {"product_id"}


@pytest.mark.parametrize("type_name", ["Int32", "Int64", "Float64", "decimal", "object"])
def test_no_type_of_column_disappears_from_the_report(type_name):
    from storecast.monitoring.evidently_report import compare, drift_rows

    def typed(values: pd.Series) -> pd.Series:
        if type_name == "decimal":
            return values.astype(int).map(Decimal)
        return values.round().astype(type_name).where(values.index > 0)

    before, now = sample(300, 1), sample(300, 2, in_stock=0.5)
    for one in (before, now):
        one["units"], one["unit_price"] = typed(one["units"]), typed(one["unit_price"].fillna(18.0))
        one["weekday"] = one["weekday"].astype("Int32").where(one["weekday"].index > 0)
        one["is_in_stock"] = one["is_in_stock"].astype("boolean").where(one["is_in_stock"].index > 0)
    now["weekday"] = now["weekday"].astype("Float64")  # so DuckDB's integers arrive where one is null
    found = drift_rows(compare(before, now).dict(), WINDOWS).set_index("column_name")["is_drifted"]
    assert set(found.index) >= set(COMPARED)
    assert found[found].index.tolist() == ["is_in_stock"]


def test_a_column_that_a_sample_lacks_is_an_error():
    from storecast.monitoring.evidently_report import compare

    before, now = sample(300, 1), sample(300, 2)
    del now["units"]
    with pytest.raises(ValueError, match="current sample lacks units"):
        compare(before, now)


def test_a_column_of_which_evidently_says_nothing_is_an_error(monkeypatch):
    from storecast.monitoring import evidently_report

    class Blind(evidently_report.DataDriftPreset):
        def __init__(self, columns, **options):
            super().__init__(columns=columns[1:], **options)

    monkeypatch.setattr(evidently_report, "DataDriftPreset", Blind)
    with pytest.raises(ValueError, match="nothing of unit_price is missing"):
        evidently_report.compare(sample(300, 1), sample(300, 2))


def test_the_p_value_of_a_shift_is_what_scipy_says(rows):
    from scipy.stats import ks_2samp, mannwhitneyu

    reference, current = sample(8_000, 1), sample(3_000, 2, price_factor=1.33, in_stock=0.6)
    prices = [one["units"] for one in (reference, current)]
    expected = 2 * min(mannwhitneyu(*prices).pvalue, ks_2samp(*prices, method="asymp").pvalue)
    found = rows.set_index("column_name").loc["units"]
    assert found["method"] == "Mann-Whitney and Kolmogorov-Smirnov p-value"
    assert found["score"] == pytest.approx(min(expected, 1.0), rel=1e-6)


def test_the_table_says_what_evidently_itself_says(run, rows):
    figures = json.loads(run.json())
    told = {metric["config"]["column"]: metric for metric in figures["metrics"] if "column" in metric["config"]}
    assert set(told) == set(rows["column_name"])
    for row in rows.itertuples():
        assert row.score == pytest.approx(told[row.column_name]["value"])
        assert row.threshold == told[row.column_name]["config"]["threshold"]
        assert row.method == told[row.column_name]["config"]["method"]
    drifted = next(m for m in figures["metrics"] if "DriftedColumnsCount" in m["metric_name"])
    assert rows["is_drifted"].sum() == drifted["value"]["count"]


def test_the_rows_keep_the_contract_and_name_both_windows(rows):
    checked = Drift.validate(rows)
    assert set(checked["current_end_date"].dt.date) == {date(2026, 4, 28)}
    assert set(checked["reference_start_date"].dt.date) == {date(2025, 4, 1)}


def test_a_column_drifted_exactly_where_its_p_value_is_at_most_the_threshold(rows):
    assert len(set(rows["threshold"])) == 1
    assert (rows["is_drifted"] == (rows["score"] <= rows["threshold"])).all()


def test_the_page_names_the_tests_and_their_verdicts_as_the_table_does(run, rows):
    shown = re.findall(
        r'"column_name": "([^"]+)", "column_type": "\w+", "stattest_name": "([^"]+)"'
        r'.*?"data_drift": "([^"]+)", "drift_score": ([^,}]+)',
        run.get_html_str(as_iframe=False),
    )
    told = {column: (method, verdict == "Detected", float(score)) for column, method, verdict, score in shown}
    assert set(told) == set(rows["column_name"])
    for row in rows.itertuples():
        assert told[row.column_name] == (row.method, row.is_drifted, pytest.approx(row.score, abs=1e-6))


def test_a_column_without_values_is_left_out_and_the_others_are_compared():
    from storecast.monitoring.evidently_report import compare, drift_rows

    priceless = sample(400, 1) | {"unit_price": pd.Series([np.nan] * 400)}
    found = drift_rows(compare(priceless, priceless).dict(), WINDOWS)
    assert set(found["column_name"]) == {*COMPARED, "unit_price is missing"} - {"unit_price"}
    assert not found["is_drifted"].any()
    found = drift_rows(compare(sample(400, 2), priceless).dict(), WINDOWS).set_index("column_name")
    assert found.loc["unit_price is missing", "is_drifted"], "prices that are gone are drift"


def test_the_page_is_saved_whole_and_needs_no_network(run, tmp_path):
    from storecast.monitoring.evidently_report import report_html, save_report

    page = report_html(run, WINDOWS, "Sample: 8,000 & 3,000 rows.")
    path = save_report(page, tmp_path / "reports", WINDOWS)
    assert save_report(page, tmp_path / "reports", WINDOWS) == path
    assert [file.name for file in path.parent.iterdir()] == ["data_drift_2026-04-28.html"]
    stored = path.read_text(encoding="utf-8")
    assert "2026-04-01 to 2026-04-28" in stored
    assert "Sample: 8,000 &amp; 3,000 rows." in stored
    resources = Resources()
    resources.feed(stored)
    assert resources.found == []
