"""A lease on the warehouse: shared to read, exclusive to write, fair to both.

DuckDB lets one process write or several read, and an open reader blocks the writer. The lease says so beforehand with
the operating system's file locks, which vanish with their process. This module knows nothing of DuckDB.
"""

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

POLL_SECONDS = 0.01

_of_this_thread = threading.local()


class LeaseError(RuntimeError):
    """The lease could not be had."""


class LeaseTimeoutError(LeaseError):
    """Another process held the lease for too long: later it may be free."""


class Lease:
    """Leases on one file, for threads and processes alike, from however many `Lease` objects.

    A second lock, the turnstile, stands before the lease proper: whoever waits to write holds it, so that no new reader
    slips past. With a single lock readers starve writers.
    """

    def __init__(self, path: Path, timeout_seconds: float = 900.0) -> None:
        self._turnstile = path.with_name(f"{path.name}.turnstile.lock")
        self._lease = path.with_name(f"{path.name}.lease.lock")
        self.timeout_seconds = timeout_seconds

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Hold the lease together with other readers."""
        with self._take(fcntl.LOCK_SH):
            yield

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold the lease alone."""
        with self._take(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _take(self, kind: int) -> Iterator[None]:
        held_here: set[str] = _of_this_thread.__dict__.setdefault("leases", set())
        name = os.path.realpath(self._lease)
        if name in held_here:
            message = (
                f"this thread holds a lease on {self._lease} already: pass its connection on instead of asking again"
            )
            raise LeaseError(message)
        deadline = time.monotonic() + self.timeout_seconds
        with ExitStack() as held:
            with ExitStack() as passing:
                passing.enter_context(self._locked(self._turnstile, fcntl.LOCK_EX, deadline))
                held.enter_context(self._locked(self._lease, kind, deadline))
            held_here.add(name)
            try:
                yield
            finally:
                held_here.remove(name)

    @contextmanager
    def _locked(self, path: Path, kind: int, deadline: float) -> Iterator[None]:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while not _try_lock(descriptor, kind):
                if time.monotonic() > deadline:
                    message = (
                        f"waited {self.timeout_seconds:g} s for {path}: another Storecast process holds it. "
                        "`storecast status` lists the runs; end the one that hangs, then start this one again"
                    )
                    raise LeaseTimeoutError(message)
                time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            yield
        finally:
            os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
