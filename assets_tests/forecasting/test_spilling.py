import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from storecast.forecasting.spilling import MatrixFiles, is_file, rows_of, spill_folder

HELD_UNTIL_KILLED = """
import sys, time
from pathlib import Path
from storecast.forecasting.spilling import spill_folder
with spill_folder(Path(sys.argv[1])) as folder:
    (folder / "units.matrix").write_text("1")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def matrix(tmp_path) -> np.ndarray:
    files = MatrixFiles(tmp_path)
    files.append({"units": np.arange(6.0).reshape(3, 2)})
    files.append({"units": np.arange(6.0, 10.0).reshape(2, 2)})
    return files.mapped()["units"]


def test_what_was_written_some_rows_at_a_time_is_one_matrix(matrix):
    np.testing.assert_array_equal(matrix, np.arange(10.0).reshape(5, 2))


def test_consecutive_rows_are_read_and_not_mapped(matrix):
    rows = rows_of(matrix, slice(1, 4))
    np.testing.assert_array_equal(rows, [[2, 3], [4, 5], [6, 7]])
    assert not np.may_share_memory(rows, matrix)
    assert rows_of(matrix, slice(5, 9)).shape == (0, 2)


def test_a_part_of_a_file_is_not_taken_for_the_whole(matrix):
    part, later = matrix[1:], matrix[:, 1:]
    assert is_file(matrix)
    assert not is_file(part)
    assert not is_file(later)
    np.testing.assert_array_equal(rows_of(part, slice(0, 2)), [[2, 3], [4, 5]])
    np.testing.assert_array_equal(rows_of(later, slice(0, 2)), [[1], [3]])


def test_rows_of_a_matrix_in_memory_are_not_copied():
    values = np.zeros((4, 2))
    assert np.may_share_memory(rows_of(values, slice(1, 3)), values)


def test_a_matrix_without_rows_has_its_columns(tmp_path):
    files = MatrixFiles(tmp_path)
    files.append({"units": np.zeros((0, 3))})
    assert files.mapped()["units"].shape == (0, 3)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [{"units": np.zeros((1, 3))}, {"price": np.zeros((1, 2))}])
def test_rows_that_do_not_fit_are_an_error(tmp_path, other):
    files = MatrixFiles(tmp_path)
    files.append({"units": np.zeros((1, 2))})
    with pytest.raises(ValueError, match="the rows after 1 have other matrices"):
        files.append(other)


def test_the_file_of_a_matrix_is_gone_when_the_matrix_is(tmp_path, matrix):
    assert len(list(tmp_path.iterdir())) == 1
    files = MatrixFiles(tmp_path)
    files.append({"units": np.zeros((1, 2))})
    mapped = files.mapped()
    assert len(list(tmp_path.iterdir())) == 2
    del mapped
    assert len(list(tmp_path.iterdir())) == 1


def test_the_folder_is_gone_after_an_error_too(tmp_path):
    def fail() -> None:
        with spill_folder(tmp_path / "panels") as folder:
            (folder / "units.matrix").write_text("1")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fail()
    assert not list((tmp_path / "panels").iterdir())


def test_what_a_killed_process_left_is_removed_by_the_next_one_and_what_is_in_use_stays(tmp_path):
    command = [sys.executable, "-c", HELD_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as holder:
        left = holder.stdout.readline().strip()
        with spill_folder(tmp_path) as mine:
            assert {str(path) for path in tmp_path.iterdir()} == {left, str(mine)}
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert [str(path) for path in tmp_path.iterdir()] == [left]
    with spill_folder(tmp_path) as mine:
        assert list(tmp_path.iterdir()) == [mine]
