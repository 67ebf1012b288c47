"""A panel in files gives the very numbers of the same panel in memory, however it is cut into chunks."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.boosted_ensemble import BoostedEnsemble
from storecast.forecasting.calendar_regression import forecast_group_totals
from storecast.forecasting.global_xgboost import GlobalXGBoost
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.level_corrections import Groups
from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.panel import Panel, panel_from_chunks
from storecast.forecasting.recursive_boosting import RecursiveLightGBM
from storecast.forecasting.registry import models_named
from storecast.forecasting.unconstraining import unconstrained

HORIZON = 14
FEW_CELLS, MANY_CELLS = 250, 2_000
"""One or two series of the shop's 200 days at once, or all of them."""
FORECASTERS = {
    "direct": GlobalLightGBM(n_trees=5, min_rows_a_leaf=20, longest_step=HORIZON, max_rows=3_000),
    "direct_xgboost": GlobalXGBoost(n_trees=3, min_rows_a_leaf=20, longest_step=HORIZON, max_rows=3_000),
    "recursive": RecursiveLightGBM("levels", 5, n_leaves=7, min_rows_a_leaf=20, longest_step=HORIZON, max_rows=900),
    "ensemble": BoostedEnsemble(n_trees=3, n_leaves=7, longest_step=HORIZON, max_rows=900, direct_rows=2_000),
}


@pytest.fixture(scope="module")
def shop(panel: Panel) -> Panel:
    """Twenty times the sales, in fractions, so that sums depend on their order; some days ended sold out."""
    rng = np.random.default_rng(5)
    units = np.round(panel.units * rng.uniform(10, 30, (len(panel.keys), 1)), 2)
    prices = panel.drivers["unit_price"] * rng.uniform(0.9, 1.1, panel.drivers["unit_price"].shape)
    is_in_stock = (rng.random(units.shape) > 0.05) | (panel.keys.get_level_values(0) != "slow")[:, None]
    return replace(panel, units=units, drivers={**panel.drivers, "unit_price": prices}, is_in_stock=is_in_stock)


def in_files(panel: Panel, folder: Path, cells: int = FEW_CELLS) -> Panel:
    chunks = (part for _, part in replace(panel, chunk_cells=cells).chunks())
    spilled = panel_from_chunks(chunks, folder)
    assert spilled.is_spilled
    return spilled


def assert_equal(one: Panel, other: Panel) -> None:
    assert one.keys.equals(other.keys)
    assert one.times.equals(other.times)
    assert (one.event_names, one.is_unconstrained) == (other.event_names, other.is_unconstrained)
    pd.testing.assert_frame_equal(one.statics.reset_index(drop=True), other.statics.reset_index(drop=True))
    np.testing.assert_array_equal(one.units, other.units)
    assert one.drivers.keys() == other.drivers.keys()
    for name, driver in one.drivers.items():
        np.testing.assert_array_equal(driver, other.drivers[name])
    assert (one.is_in_stock is None) == (other.is_in_stock is None)
    if one.is_in_stock is not None:
        np.testing.assert_array_equal(one.is_in_stock, other.is_in_stock)


def test_a_spilled_panel_holds_the_same(shop, tmp_path):
    assert_equal(in_files(shop, tmp_path), shop)


def test_a_series_is_in_one_chunk_and_a_products_series_are_together(shop):
    for cells in (1, FEW_CELLS, 700, MANY_CELLS):
        parts = list(replace(shop, chunk_cells=cells).chunks())
        assert [row for rows, _ in parts for row in range(rows.start, rows.stop)] == list(range(len(shop.keys)))
        products = [set(part.keys.get_level_values(0)) for _, part in parts]
        assert sum(len(own) for own in products) == len(set().union(*products))
        several = [part for own, (_, part) in zip(products, parts, strict=True) if len(own) > 1]
        assert all(len(part.keys) <= part.chunk_series for part in several)


@pytest.mark.parametrize("origin", [30, 150, 200])
def test_what_is_known_at_an_origin_is_the_same_and_spilled_again(shop, tmp_path, origin):
    spilled = in_files(shop, tmp_path).until(origin, HORIZON)
    assert spilled.is_spilled
    assert_equal(spilled, shop.until(origin, HORIZON))


def test_demand_behind_sold_out_days_is_the_same_and_spilled_again(shop, tmp_path):
    spilled = unconstrained(in_files(shop, tmp_path))
    assert spilled.is_spilled
    assert_equal(spilled, unconstrained(shop))


@pytest.mark.parametrize("rows", [slice(2, 5), np.array([3, 0, 7]), np.arange(9) % 2 == 0])
def test_some_of_the_series_are_the_same(shop, tmp_path, rows):
    assert_equal(in_files(shop, tmp_path).take(rows), shop.take(rows))


def test_what_is_no_longer_used_is_no_longer_on_disk(shop, tmp_path):
    spilled = in_files(shop, tmp_path)
    before = set(tmp_path.iterdir())
    known = spilled.until(150, HORIZON)
    assert set(tmp_path.iterdir()) > before
    del known
    assert set(tmp_path.iterdir()) == before


def test_chunks_of_different_panels_are_an_error(shop, tmp_path):
    with pytest.raises(ValueError, match="have other matrices, columns or days"):
        panel_from_chunks([shop, shop.until(150, HORIZON)], tmp_path)
    with pytest.raises(ValueError, match="chunks is empty"):
        panel_from_chunks([], tmp_path)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_model_and_its_forecasts_are_the_same_to_the_last_bit(shop, tmp_path, name):
    def said_of(panel: Panel) -> tuple[str, np.ndarray]:
        fitted: GlobalForecaster = FORECASTERS[name].clone().fit_panel(panel.until(panel.days, HORIZON))
        return fitted.to_payload(), fitted.predict_panel(HORIZON)

    payload, forecast = said_of(shop)
    assert "Tree=0" in payload or "tree_param" in payload
    panels = (replace(shop, chunk_cells=FEW_CELLS), in_files(shop, tmp_path), in_files(shop, tmp_path, MANY_CELLS))
    for panel in panels:
        its_payload, its_forecast = said_of(panel)
        assert its_payload == payload
        np.testing.assert_array_equal(its_forecast, forecast)


def test_the_calendar_regression_is_the_same_to_the_last_bit(shop, tmp_path):
    spilled = in_files(shop, tmp_path)
    groups, its_groups = Groups.of(shop), Groups.of(spilled)
    assert groups.names
    assert groups.names == its_groups.names
    np.testing.assert_array_equal(
        forecast_group_totals(shop, groups, HORIZON), forecast_group_totals(spilled, its_groups, HORIZON)
    )


def test_the_model_of_new_products_takes_a_spilled_panel_too(shop, tmp_path):
    payloads = {NewProductForecaster().fit_panel(panel).to_payload() for panel in (shop, in_files(shop, tmp_path))}
    assert len(payloads) == 1


def test_a_back_test_is_the_same_to_the_last_bit_in_several_processes_too(shop, tmp_path):
    specs, plan = models_named(["window_average", "tsb", "lightgbm"]), BacktestPlan(HORIZON, 1, 1)
    ours, theirs = (
        backtest(panel, specs, plan, n_jobs=n_jobs) for panel, n_jobs in ((shop, 1), (in_files(shop, tmp_path), 2))
    )
    np.testing.assert_array_equal(ours.classes, theirs.classes)
    np.testing.assert_array_equal(ours.actual, theirs.actual)
    for spec in specs:
        np.testing.assert_array_equal(ours.forecasts[spec.name], theirs.forecasts[spec.name])


@pytest.mark.slow
def test_training_from_files_takes_a_fraction_of_the_memory_of_the_panel(tmp_path):
    script = str(Path(__file__).with_name("training_memory.py"))
    measured = {}
    for way in ("memory", "files"):
        command = [sys.executable, script, way, str(tmp_path)]
        measured[way] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    memory, files = measured["memory"], measured["files"]
    assert files["said"] == memory["said"]
    assert memory["bytes"] > memory["panel"]
    assert files["bytes"] < 0.6 * memory["panel"]
