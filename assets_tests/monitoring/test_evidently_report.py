"""Evidently runs for real here; its import alone takes seconds, so one run serves several tests."""

import json
import socket
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

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


def sample(rows: int, seed: int, *, price_factor: float = 1.0, in_stock: float = 0.95) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    promoted = rng.random(rows) < 0.1
    return pd.DataFrame(
        {
            "unit_price": rng.gamma(9.0, 2.0, rows) * price_factor,
            "discount_share": np.where(promoted, 0.2, 0.0),
            "units": rng.poisson(3.0, rows).astype(float),
            "is_on_promotion": promoted.astype(str),
            "is_in_stock": (rng.random(rows) < in_stock).astype(str),
            "has_event": (rng.random(rows) < 0.03).astype(str),
            "weekday": rng.integers(1, 8, rows).astype(str),
        }
    )


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
    assert set(rows["column_name"]) == set(COMPARED)


def test_the_distance_of_a_shift_is_what_scipy_says(rows):
    from scipy.stats import wasserstein_distance

    reference, current = sample(8_000, 1), sample(3_000, 2, price_factor=1.33, in_stock=0.6)
    expected = wasserstein_distance(reference["unit_price"], current["unit_price"]) / reference["unit_price"].std(
        ddof=0
    )
    found = rows.set_index("column_name").loc["unit_price"]
    assert found["method"] == "Wasserstein distance (normed)"
    assert found["score"] == pytest.approx(expected, rel=1e-3)


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


def test_a_low_p_value_counts_as_drift_though_its_score_lies_below_the_threshold():
    from storecast.monitoring.evidently_report import compare, drift_rows

    found = drift_rows(compare(sample(400, 1), sample(300, 2, price_factor=1.5)).dict(), WINDOWS)
    price = found.set_index("column_name").loc["unit_price"]
    assert "p_value" in price["method"]
    assert price["score"] < price["threshold"]
    assert price["is_drifted"]


def test_a_column_without_values_is_left_out_and_the_others_are_compared():
    from storecast.monitoring.evidently_report import compare, drift_rows

    priceless = sample(400, 1).assign(unit_price=np.nan)
    found = drift_rows(compare(priceless, priceless).dict(), WINDOWS)
    assert set(found["column_name"]) == set(COMPARED) - {"unit_price"}
    assert not found["is_drifted"].any()


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
