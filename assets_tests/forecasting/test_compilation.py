import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from storecast.forecasting.compilation import compiled
from storecast.forecasting.smoothing import exponentially_smoothed

SAME_SUM = "from storecast.forecasting.smoothing import *; print(exponentially_smoothed(np.ones((1, 3)), 0.5)[0])"


def test_a_kernel_computes_what_the_loop_in_python_does():
    def total(values):
        result = 0.0
        for value in values:
            result += value
        return result

    values = np.random.default_rng(0).random(1000)
    assert compiled(total)(values) == total(values)


@pytest.mark.slow
def test_kernels_stay_compiled_where_the_cache_is_told_to_be(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", SAME_SUM]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "1.0\n"
    kept = {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")}
    assert any("_last_levels" in name for name in kept)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nbc")} == kept


def test_a_kernel_that_cannot_be_kept_is_compiled_all_the_same_and_says_so():
    places: dict = {}
    exec(compile("def doubled(value):\n    return 2 * value\n", str(Path("nowhere", "kernel.py")), "exec"), places)
    with pytest.warns(UserWarning, match="NUMBA_CACHE_DIR"):
        doubled = compiled(places["doubled"])
    assert doubled(21) == 42


def test_a_part_of_a_matrix_gives_the_numbers_of_its_copy():
    values = np.random.default_rng(1).random((5, 40))
    part = values[::2, 3:20]
    np.testing.assert_array_equal(exponentially_smoothed(part, 0.3), exponentially_smoothed(part.copy(), 0.3))
