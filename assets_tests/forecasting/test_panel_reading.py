from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import panel_reading
from storecast.forecasting.panel import Panel, panel_from_tables
from storecast.forecasting.panel_reading import extent_of, key_chunks, open_panel
from storecast.settings import Settings
from storecast.warehouse import Warehouse

NOTHING_GB = 1e-9


@pytest.fixture(scope="module")
def tables(daily_demand, planned_drivers, products) -> dict[str, pd.DataFrame]:
    """The small shop: `slow` ended sold out now and then, the market lacks a week; plans for what never sold."""
    is_out = (daily_demand["product_id"] == "slow") & (daily_demand["date"].dt.day % 9 == 0)
    is_recorded = (daily_demand["channel"] != "market") | ~daily_demand["date"].between("2025-05-05", "2025-05-11")
    demand = daily_demand.assign(units=daily_demand["units"].where(is_recorded, 0.0))
    stranger = planned_drivers[planned_drivers["product_id"] == "fast"].assign(
        product_id="never sold", event_name="never seen"
    )
    ids = sorted(daily_demand["product_id"].unique())
    return {
        "gold.daily_demand": demand.assign(is_in_stock=~is_out, is_recorded=is_recorded).sample(frac=1, random_state=3),
        "gold.planned_drivers": pd.concat([planned_drivers, stranger]),
        "silver.products": products.assign(seller_id="s"),
        "ops.product_partitions": pd.DataFrame({"product_id": ids, "partition_key": [f"key {name}" for name in ids]}),
    }


@pytest.fixture
def warehouse(tmp_path, tables) -> Warehouse:
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    for name, table in tables.items():
        warehouse.replace_table(name, table)
    return warehouse


@pytest.fixture
def expected(tables) -> Panel:
    """The panel as it is made of whole tables."""
    return panel_from_tables(
        *(tables[name] for name in ("gold.daily_demand", "gold.planned_drivers", "silver.products"))
    )


def shop(folder: Path, panel_memory_gb: float) -> Settings:
    return Settings(data_dir=folder, panel_memory_gb=panel_memory_gb)


def assert_equal(one: Panel, other: Panel) -> None:
    assert one.keys.equals(other.keys)
    assert one.times.equals(other.times)
    assert one.event_names == other.event_names
    pd.testing.assert_frame_equal(one.statics, other.statics)
    np.testing.assert_array_equal(one.units, other.units)
    np.testing.assert_array_equal(one.is_in_stock, other.is_in_stock)
    assert one.drivers.keys() == other.drivers.keys()
    for name, driver in one.drivers.items():
        np.testing.assert_array_equal(driver, other.drivers[name], err_msg=name)


def test_a_small_panel_is_in_memory(warehouse, tmp_path, expected):
    with open_panel(warehouse, shop(tmp_path, 1.0)) as panel:
        assert not panel.is_spilled
        assert_equal(panel, expected)


@pytest.mark.parametrize("cells", [1, 500, 10_000])
def test_a_larger_one_is_in_files_and_the_same_however_it_is_cut(warehouse, tmp_path, expected, monkeypatch, cells):
    monkeypatch.setattr(panel_reading, "CHUNK_CELLS", cells)
    with open_panel(warehouse, shop(tmp_path, NOTHING_GB)) as panel:
        assert panel.is_spilled
        assert panel.folder.is_relative_to(tmp_path / "panels")
        assert_equal(panel, expected)
    assert not list((tmp_path / "panels").iterdir())


def test_some_partitions_are_the_same_in_both_ways(warehouse, tmp_path, monkeypatch):
    monkeypatch.setattr(panel_reading, "CHUNK_CELLS", 1)
    keys = ["key fast", "key newborn", "key young"]
    with (
        open_panel(warehouse, shop(tmp_path, 1.0), keys) as small,
        open_panel(warehouse, shop(tmp_path, NOTHING_GB), keys) as large,
    ):
        assert large.is_spilled
        assert set(small.keys.get_level_values(0)) == {"fast", "newborn", "young"}
        assert large.keys.equals(small.keys)
        for name, driver in small.drivers.items():
            np.testing.assert_array_equal(large.drivers[name], driver)
        np.testing.assert_array_equal(large.units, small.units)


def test_no_file_is_left_after_an_error(warehouse, tmp_path):
    def fail() -> None:
        with open_panel(warehouse, shop(tmp_path, NOTHING_GB)) as panel:
            panel.until(100, 28)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert not list((tmp_path / "panels").iterdir())


def test_a_series_that_ends_early_is_an_error_in_both_ways_and_leaves_no_file(warehouse, tmp_path, tables, monkeypatch):
    monkeypatch.setattr(panel_reading, "CHUNK_CELLS", 1)
    demand = tables["gold.daily_demand"]
    ends_early = (demand["product_id"] == "slow") & (demand["date"] == demand["date"].max())
    warehouse.replace_table("gold.daily_demand", demand[~ends_early])
    for memory_gb in (1.0, NOTHING_GB):
        with pytest.raises(ValueError, match="'slow', 'shop'"), open_panel(warehouse, shop(tmp_path, memory_gb)):
            pass
    assert not list((tmp_path / "panels").iterdir())


def test_no_demand_is_the_same_error_as_ever(warehouse, tmp_path, tables):
    warehouse.replace_table("gold.daily_demand", tables["gold.daily_demand"].iloc[:0])
    assert extent_of(warehouse) is None
    with pytest.raises(ValueError, match="daily_demand has no rows"), open_panel(warehouse, shop(tmp_path, 1.0)):
        pass


def test_the_size_is_that_of_the_matrices(warehouse, expected):
    extent = extent_of(warehouse)
    widths = [expected.days, *(driver.shape[1] for driver in expected.drivers.values())]
    assert extent.series == len(expected.keys)
    assert extent.gigabytes == pytest.approx(8 * len(expected.keys) * max(widths) * len(widths) / 1024**3)


def test_keys_are_cut_so_that_each_chunk_is_within_the_memory(warehouse, tmp_path, tables):
    keys = tables["ops.product_partitions"]["partition_key"].tolist()
    whole = extent_of(warehouse).gigabytes
    assert key_chunks(warehouse, shop(tmp_path, 2 * whole), keys) == [keys]
    chunks = key_chunks(warehouse, shop(tmp_path, whole / 3), keys)
    assert [key for chunk in chunks for key in chunk] == keys
    assert len(chunks) > 2
    assert all(extent_of(warehouse, chunk).gigabytes <= whole / 3 for chunk in chunks)
    assert key_chunks(warehouse, shop(tmp_path, NOTHING_GB), keys) == [[key] for key in keys]
