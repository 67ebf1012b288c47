"""Tracking signals against Trigg's recursion, their false alarms and power, and the check that names the worst."""

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from storecast.feedback import contracts as f
from storecast.feedback.checks import forecasts_are_not_biased
from storecast.feedback.tracking_signals import DEVIATIONS, SMOOTHING, TRACKING_SIGNALS, worst_signals
from storecast.settings import Settings
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import WarehouseResource

FIRST = pd.Timestamp("2026-01-01")
HORIZON = 7


def signals_of(errors: np.ndarray, *, days_between: int = 1, sold_out: np.ndarray | None = None) -> pd.DataFrame:
    """`ops.tracking_signals` of products, (products, origins), whose next day's forecast was wrong by so much.

    Forecasts of later days are wrong by a thousand: were they counted where a newer origin has a say, all would change.
    """
    products, origins = errors.shape
    number, place, ahead = (
        grid.ravel()
        for grid in np.meshgrid(np.arange(products), np.arange(origins), np.arange(1, HORIZON + 1), indexing="ij")
    )
    origin = FIRST + pd.to_timedelta(place * days_between, unit="D")
    error = np.where(ahead <= days_between, errors[number, place] / days_between, 1000.0)
    plan = pd.DataFrame(
        {
            "origin_date": origin, "edition": 1, "product_id": [f"p{row:04d}" for row in number], "channel": "shop",
            "category": "c", "seller_id": "s", "date": origin + pd.to_timedelta(ahead, unit="D"),
            "horizon_day": ahead, "mean_units": 2000.0 + error,
        }
    )  # fmt: skip
    last = FIRST + pd.Timedelta(days=origins * days_between)
    days = plan[["product_id", "channel", "date"]].drop_duplicates()
    demand = days[days["date"] <= last].assign(units=2000.0, is_in_stock=True, is_recorded=True)
    if sold_out is not None:
        demand["is_in_stock"] = ~demand["date"].isin(FIRST + pd.to_timedelta(sold_out, unit="D"))
    with duckdb.connect() as connection:
        for name, table in {"ops.published_forecasts": plan, "gold.daily_demand": demand}.items():
            connection.execute(f"create schema {name.split('.')[0]}")
            connection.register("incoming", table)
            days_of = ", ".join(f"{day}::date as {day}" for day in ("origin_date", "date") if day in table)
            connection.execute(f"create table {name} as select * replace ({days_of}) from incoming")
            connection.unregister("incoming")
        return connection.execute(TRACKING_SIGNALS).df()


def trigg(errors: np.ndarray) -> float:
    """Smoothed error over smoothed absolute error, both from 0, as Trigg writes them down."""
    smoothed, absolute = 0.0, 0.0
    for error in errors:
        smoothed = SMOOTHING * error + (1 - SMOOTHING) * smoothed
        absolute = SMOOTHING * abs(error) + (1 - SMOOTHING) * absolute
    return smoothed / absolute


@pytest.mark.parametrize("days_between", [1, 3])
def test_the_signal_is_trigg_s_recursion_over_one_error_an_origin(days_between):
    errors = np.random.default_rng(5).normal(0.4, 2.0, (3, 30))
    found = signals_of(errors, days_between=days_between)
    series = found[found["level"] == "product_channel"].set_index("node")
    assert series["channel"].tolist() == ["shop"] * 3
    for number, row in enumerate(errors):
        assert series.loc[f"p{number:04d}", "tracking_signal"] == pytest.approx(trigg(row))
    total = found[found["level"] == "total"].iloc[0]
    assert total["tracking_signal"] == pytest.approx(trigg(errors.sum(axis=0)))
    assert (found["errors"] == 30).all()


def test_the_limit_is_three_deviations_of_what_chance_gives():
    """Many origins, normal errors: the limit nears Trigg's 3 × 1.25 sqrt(a / (2 - a)), and the signal spreads so."""
    errors = np.random.default_rng(6).normal(0.0, 3.0, (400, 150))
    found = signals_of(errors)
    series = found[found["level"] == "product_channel"]
    expected = DEVIATIONS * np.sqrt(np.pi / 2) * np.sqrt(SMOOTHING / (2 - SMOOTHING))
    assert series["control_limit"].min() == pytest.approx(expected, rel=1e-3)
    assert series["control_limit"].median() == pytest.approx(expected, rel=0.05)
    assert series["tracking_signal"].std() == pytest.approx(expected / DEVIATIONS, rel=0.1)
    assert series["is_biased"].mean() <= 2 * norm.sf(DEVIATIONS) + 0.005


def test_a_bias_of_one_deviation_is_found_and_its_sign_told():
    errors = np.random.default_rng(7).normal(0.0, 1.0, (100, 60)) + np.where(np.arange(100) < 50, 1.0, -1.0)[:, None]
    series = signals_of(errors).query("level == 'product_channel'")
    assert series["is_biased"].mean() > 0.9
    assert (np.sign(series["tracking_signal"]) == np.where(np.arange(100) < 50, 1, -1)).all()


def test_a_few_origins_say_nothing_and_sold_out_days_nothing_at_all():
    assert not signals_of(np.full((1, 5), 9.0))["is_biased"].any()
    errors = np.full((1, 30), 9.0)
    errors[0, 20] = -9_000.0
    found = signals_of(errors, sold_out=np.array([21]))
    assert set(found["errors"]) == {29}
    assert found["tracking_signal"].to_numpy() == pytest.approx(1.0)


@pytest.fixture
def warehouse(tmp_path) -> WarehouseResource:
    return WarehouseResource.of(Settings(data_dir=tmp_path))


def rows(level: str, signals: list[float]) -> list[dict[str, object]]:
    return [
        {"as_of_date": FIRST, "level": level, "node": f"{level}-{number}", "channel": None, "errors": 40,
         "smoothed_error_units": signal, "smoothed_absolute_error_units": 1.0, "tracking_signal": signal,
         "control_limit": 0.6, "is_biased": abs(signal) > 0.6}
        for number, signal in enumerate(signals)
    ]  # fmt: skip


def test_the_check_names_the_worst_nodes_and_forgives_what_chance_gives(warehouse):
    calm = pd.DataFrame(rows("product", [0.7, *[0.1] * 99]) + rows("category", [0.5, -0.5]))
    warehouse.open().replace_table("ops.tracking_signals", calm, sql_types(f.TrackingSignals))
    assert forecasts_are_not_biased(warehouse).passed
    biased = pd.DataFrame(rows("product", [0.7, -0.95, *[0.1] * 98]) + rows("category", [0.5, -0.8]))
    warehouse.open().replace_table("ops.tracking_signals", biased, sql_types(f.TrackingSignals))
    found = forecasts_are_not_biased(warehouse)
    assert not found.passed
    assert found.severity.value == "WARN"
    assert found.metadata["levels"].value == ["category", "product"]
    assert (
        found.description
        == "3 of 102 nodes are biased, the worst product product-1, category category-1, product product-0"
    )
    assert worst_signals(calm)["node"].tolist()[:3] == ["product-0", "category-0", "category-1"]


def test_a_shop_that_has_published_nothing_has_no_signal_and_no_bias(warehouse):
    empty = pd.DataFrame(columns=list(f.TrackingSignals.to_schema().columns))
    warehouse.open().replace_table("ops.tracking_signals", empty, sql_types(f.TrackingSignals))
    assert forecasts_are_not_biased(warehouse).passed
