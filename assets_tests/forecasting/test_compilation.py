import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import IndexDataCacheFile

from storecast.forecasting.compilation import _KeptCode, compiled
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


def kept_side_by_side(files: type[IndexDataCacheFile], folder: Path) -> list[str | None]:
    """Return what is found under two keys, the second kept by a process while a first one is at it."""
    first, second = (files(str(folder), "kernel", "stamp") for _ in range(2))
    second._load_index = dict  # read before the first one wrote
    write = first._open_for_write

    @contextmanager
    def interrupted(path):
        with write(path) as file:
            yield file
        first._open_for_write = write
        second.save("of integers", "code for integers")

    first._open_for_write = interrupted
    first.save("of floats", "code for floats")
    found = files(str(folder), "kernel", "stamp")
    return [found.load(key) for key in ("of floats", "of integers")]


def test_processes_that_compile_side_by_side_never_load_each_other_s_code(tmp_path):
    (tmp_path / "numba").mkdir()
    assert kept_side_by_side(IndexDataCacheFile, tmp_path / "numba") == [None, "code for floats"], "numba mended it"
    assert kept_side_by_side(_KeptCode, tmp_path) == ["code for floats", "code for integers"]


def test_a_kill_between_the_files_leaves_no_index_that_leads_to_older_code(tmp_path):
    former, now = (_KeptCode(str(tmp_path), "kernel", stamp) for stamp in ("former", "now"))
    former.save("of floats", "former code")

    def killed(*_):
        raise KeyboardInterrupt

    now._save_index = killed
    with pytest.raises(KeyboardInterrupt):
        now.save("of floats", "code")
    assert _KeptCode(str(tmp_path), "kernel", "now").load("of floats") is None
    now = _KeptCode(str(tmp_path), "kernel", "now")
    now.save("of floats", "code")
    assert now.load("of floats") == "code"
