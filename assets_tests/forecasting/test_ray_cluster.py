"""Past one machine: a real Ray cluster of two worker processes on the loopback, its drivers processes of their own."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DRIVERS = Path(__file__).with_name("ray_drivers.py")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(start_ray_cluster):
    with start_ray_cluster() as started:
        yield started


def start(role: str, cluster, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(DRIVERS), role, cluster.address, str(folder)]
    environment = {**os.environ, **cluster.environment}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(driver: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        told, errors = driver.communicate(timeout=600)
    finally:
        driver.kill()
    assert driver.returncode == 0, errors
    return json.loads(told.splitlines()[-1])


def starts(folder: Path, call: object) -> list[int]:
    """The processes that began a call."""
    return [int(line) for line in (folder / str(call)).read_text(encoding="utf-8").split()]


def test_back_tests_on_a_cluster_are_those_of_this_machine_bit_for_bit(cluster, tmp_path):
    same = answer(start("same_back_tests", cluster, tmp_path))
    assert same == dict.fromkeys(["seasonal_naive", "auto_ets", "lightgbm"], True)


def test_a_chunk_whose_worker_is_killed_in_the_middle_is_begun_anew_with_the_same_numbers(cluster, tmp_path, wait_for):
    driver = start("one_is_killed", cluster, tmp_path)
    wait_for(lambda: driver.poll() is not None or ((tmp_path / "1").exists() and starts(tmp_path, 1)))
    os.kill(starts(tmp_path, 1)[0], signal.SIGKILL)
    assert answer(driver) == {"same": [True] * 6}
    assert [len(starts(tmp_path, number)) for number in range(6)] == [1, 2, 1, 1, 1, 1]
    assert len(set(starts(tmp_path, 1))) == 2


def test_an_error_is_raised_as_it_is_and_not_tried_again_but_a_dead_worker_is_three_times(cluster, tmp_path):
    assert answer(start("what_is_raised", cluster, tmp_path)) == {"fail": "KeyError", "die": "WorkerCrashedError"}
    assert len(starts(tmp_path, "fails")) == 1
    assert len(starts(tmp_path, "dies")) == 4
