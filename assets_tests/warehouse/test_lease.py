import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storecast.warehouse.lease import Lease, LeaseError, LeaseTimeoutError

HOLDER = """
import sys, time
from pathlib import Path
from storecast.warehouse.lease import Lease
with getattr(Lease(Path(sys.argv[1])), sys.argv[2])():
    print("held", flush=True)
    time.sleep(600)
"""

CONTENDER = """
import sys, time
from pathlib import Path
from storecast.warehouse.lease import Lease
path, kind, tally, go, target = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])
lease = Lease(path)
print("ready", flush=True)
while not go.exists():
    time.sleep(0.01)
with tally.open("ab", buffering=0) as own:
    while sum(other.stat().st_size for other in tally.parent.glob("*.tally")) < target:
        with getattr(lease, kind)():
            own.write(b".")
            time.sleep(0.005)
"""


def test_readers_hold_the_lease_together(warehouse_path):
    both_inside = threading.Barrier(2, timeout=30)

    def read():
        with Lease(warehouse_path).shared():
            both_inside.wait()

    with ThreadPoolExecutor(2) as pool:
        for reader in [pool.submit(read), pool.submit(read)]:
            reader.result()


@pytest.mark.parametrize(("holding", "asking"), [("shared", "exclusive"), ("exclusive", "shared"), ("exclusive",) * 2])
def test_a_writer_is_alone(warehouse_path, holding, asking):
    def ask():
        with getattr(Lease(warehouse_path, timeout_seconds=0.1), asking)():
            pytest.fail("got in beside the holder")

    with getattr(Lease(warehouse_path), holding)(), ThreadPoolExecutor(1) as pool:
        refused = pool.submit(ask)
        with pytest.raises(LeaseError, match=r"waited 0\.1 s for .*warehouse\.duckdb\.\w+\.lock.*`storecast status`"):
            refused.result()


def test_who_holds_the_lease_alone_is_named_to_all_who_wait(warehouse_path, start_python, monkeypatch, caplog):
    holder = start_python(HOLDER, warehouse_path, "exclusive")
    assert holder.stdout.readline() == "held\n"
    monkeypatch.setattr("storecast.warehouse.lease.SAYS_EVERY_SECONDS", 0.1)
    with (
        pytest.raises(LeaseTimeoutError, match=rf"\(process {holder.pid}, since \d{{4}}-.* UTC\) holds it"),
        Lease(warehouse_path, timeout_seconds=0.5).shared(),
    ):
        pytest.fail("got in beside the holder")
    assert f"process {holder.pid}" in caplog.records[0].getMessage()


def test_the_holder_is_told_without_waiting_and_is_nobody_once_it_is_killed(warehouse_path, start_python):
    lease = Lease(warehouse_path)
    assert lease.holder() is None
    assert not warehouse_path.parent.exists(), "asking writes nothing"
    holder = start_python(HOLDER, warehouse_path, "exclusive")
    assert holder.stdout.readline() == "held\n"
    assert lease.holder().pid == holder.pid
    holder.kill()
    holder.wait()
    assert lease.holder() is None
    with lease.shared():
        assert lease.holder() is None, "what a killed holder wrote is not said of a reader"
    with lease.exclusive(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(lease.holder).result().pid == os.getpid()


def test_threads_that_write_never_overlap(warehouse_path):
    lease = Lease(warehouse_path)
    inside = 0
    most_inside = 0

    def write():
        nonlocal inside, most_inside
        for _ in range(20):
            with lease.exclusive():
                inside += 1
                most_inside = max(most_inside, inside)
                time.sleep(0.0005)
                inside -= 1

    with ThreadPoolExecutor(4) as pool:
        for writer in [pool.submit(write) for _ in range(4)]:
            writer.result()
    assert most_inside == 1


def test_a_lease_is_given_back_when_its_block_fails(warehouse_path):
    lease = Lease(warehouse_path, timeout_seconds=0.1)
    with pytest.raises(ZeroDivisionError), lease.exclusive():
        raise ZeroDivisionError
    with lease.exclusive():
        pass


def test_a_thread_that_holds_a_lease_is_refused_a_second_one_at_once(warehouse_path):
    with (
        Lease(warehouse_path).shared(),
        pytest.raises(LeaseError, match=r"holds a lease on .* already: pass its connection on"),
        Lease(warehouse_path).shared(),
    ):
        pytest.fail("re-entered")


def test_a_thread_may_hold_leases_on_two_files(tmp_path):
    with Lease(tmp_path / "a").exclusive(), Lease(tmp_path / "b").exclusive():
        pass


def test_a_refused_second_request_leaves_the_first_lease_in_place(warehouse_path):
    lease = Lease(warehouse_path, timeout_seconds=0.1)

    def ask():
        with lease.shared():
            pytest.fail("the first lease was lost")

    with lease.exclusive():
        with pytest.raises(LeaseError), lease.exclusive():
            pass
        with ThreadPoolExecutor(1) as pool, pytest.raises(LeaseError, match="waited"):
            pool.submit(ask).result()


@pytest.mark.parametrize("kind", ["shared", "exclusive"])
def test_the_lease_of_a_process_that_is_killed_is_free_again(warehouse_path, start_python, kind):
    holder = start_python(HOLDER, warehouse_path, kind)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LeaseError), Lease(warehouse_path, timeout_seconds=0.1).exclusive():
        pass
    holder.kill()
    holder.wait()
    with Lease(warehouse_path, timeout_seconds=5).exclusive():
        pass


@pytest.mark.slow
def test_neither_readers_nor_writers_starve(warehouse_path, start_python, tmp_path: Path):
    """Counted, not timed: 4 writers and 4 readers share 800 leases. Behind a single lock writers get one in 50."""
    tallies = tmp_path / "tallies"
    tallies.mkdir()
    go = tmp_path / "go"
    contenders = [
        start_python(CONTENDER, warehouse_path, kind, tallies / f"{kind}-{number}.tally", go, 800)
        for kind in ("shared", "exclusive")
        for number in range(4)
    ]
    for contender in contenders:
        assert contender.stdout is not None
        assert contender.stdout.readline() == "ready\n"
    go.touch()
    assert [contender.wait(timeout=300) for contender in contenders] == [0] * 8
    counts = {kind: sum(file.stat().st_size for file in tallies.glob(f"{kind}-*")) for kind in ("shared", "exclusive")}
    assert sum(counts.values()) >= 800
    assert min(counts.values()) / sum(counts.values()) > 0.25, counts
