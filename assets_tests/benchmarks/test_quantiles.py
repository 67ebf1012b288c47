"""The benchmark of quantiles is honest: nothing after an origin is in what is said from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import m5_data, quantiles

pytestmark = pytest.mark.slow


def test_no_day_after_the_origin_is_read_before_scoring(shared_data: Path, monkeypatch):
    monkeypatch.setattr(m5_data, "FOLDER", shared_data / "m5")
    if not (shared_data / "m5").exists():
        pytest.skip("no M5 data here")
    panel, hierarchy, [origin] = quantiles.sample(quantiles.SHORT)
    units = panel.units.copy()
    units[:, origin:] = 9999
    found = []
    for seen in (panel, replace(panel, units=units)):
        base = {each: quantiles.point_forecast(seen, each) for each in (origin - 2 * m5_data.HORIZON, origin)}
        base[origin - m5_data.HORIZON] = base[origin - 2 * m5_data.HORIZON]
        found.append(quantiles.coherent_at(seen, hierarchy, base, origin, 2).quantiles(quantiles.ALPHAS))
    np.testing.assert_array_equal(found[0], found[1])
