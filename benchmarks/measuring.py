"""What a call costs: each contender runs in a new process of the same tree, one after the other, on the same data."""

import multiprocessing
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

import psutil

from benchmarks.rows import GIGABYTE

SAMPLE_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Measured:
    """What a call returned and what it cost: seconds of the clock and of all cores, and the peak memory.

    Time counts the call alone, not the interpreter's start nor its imports; memory is the largest sum over the process
    and its children, pages they share counted once each.
    """

    result: Any
    wall_seconds: float
    cpu_seconds: float
    peak_gb: float


def measure(function: Callable[..., Any], *arguments: Any) -> Measured:
    """Run `function(*arguments)` in a new process; function, arguments and result must be picklable.

    Raises `RuntimeError` where the process ends without a result.
    """
    spawning = multiprocessing.get_context("spawn")
    receiver, sender = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_run, args=(sender, function, arguments))
    process.start()
    sender.close()
    watch = _MemoryWatch(process.pid)
    watch.start()
    try:
        result, wall, cpu = receiver.recv()
    except EOFError as error:
        process.join()
        raise RuntimeError(f"{function.__qualname__} ended with exit code {process.exitcode}: see above") from error
    finally:
        watch.is_over.set()
        watch.join()
    process.join()
    return Measured(result, wall, cpu, watch.peak_bytes / GIGABYTE)


def timed[Result](function: Callable[..., Result], *arguments: Any) -> tuple[Result, float, float]:
    """What a step of a measured call returned and cost: seconds of the clock and of all cores, ended children's too."""
    cpu, wall = _cpu_seconds(), time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - wall, _cpu_seconds() - cpu


def _run(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sender.send(timed(function, *arguments))
    for worker in multiprocessing.active_children():  # a pool kept for the next call: joblib's would wait 5 minutes
        worker.terminate()


def _cpu_seconds() -> float:
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in used)


class _MemoryWatch(threading.Thread):
    def __init__(self, pid: int | None) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self.is_over = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        while not self.is_over.wait(SAMPLE_SECONDS):
            self.peak_bytes = max(self.peak_bytes, self._bytes())

    def _bytes(self) -> int:
        try:
            tree = [self._root, *self._root.children(recursive=True)]
            if len(tree) == 1:
                return int(self._root.memory_info().rss)
            return sum(int(process.memory_full_info().pss) for process in tree)
        except psutil.NoSuchProcess:
            return 0
