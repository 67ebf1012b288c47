"""A lease on the warehouse: shared to read, exclusive to write, fair to both.

DuckDB lets one process write or several read, and an open reader blocks the writer. The lease says so beforehand with
the operating system's file locks, which vanish with their process. This module knows nothing of DuckDB.

Who holds a lease alone writes a line into the lock's file: process, program and since when. Others read it to say whom
they wait for.
"""

import fcntl
import json
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

POLL_SECONDS = 0.01
SAYS_EVERY_SECONDS = 10.0
"""How often one who waits says so, in a warning of this logger."""
LOG = logging.getLogger("storecast.waiting")

_of_this_thread = threading.local()


class LeaseError(RuntimeError):
    """The lease could not be had."""


class LeaseTimeoutError(LeaseError):
    """Another process held the lease for too long: later it may be free."""


@dataclass(frozen=True)
class Holder:
    """A process that holds a lease alone, and since when (ISO 8601, UTC)."""

    pid: int
    program: str
    since: str

    def __str__(self) -> str:
        moment = datetime.fromisoformat(self.since)
        return f"{self.program} (process {self.pid}, since {moment:%Y-%m-%d %H:%M:%S} UTC)"


class Patience:
    """How long one waits, and when to say so again."""

    def __init__(self, timeout_seconds: float) -> None:
        self._began = time.monotonic()
        self._said = self._began
        self._timeout_seconds = timeout_seconds

    @property
    def is_over(self) -> bool:
        """Whether the wait has lasted too long."""
        return time.monotonic() - self._began > self._timeout_seconds

    def say(self, what: str) -> None:
        """Log what is waited for, where ten seconds have passed since it was last said."""
        now = time.monotonic()
        if now - self._said >= SAYS_EVERY_SECONDS:
            self._said = now
            LOG.warning("waiting for %s … %.0f s of at most %g s", what, now - self._began, self._timeout_seconds)


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

    def holder(self) -> Holder | None:
        """Return who holds the lease alone, None where nobody does; nothing is waited for, and nothing written."""
        try:
            descriptor = os.open(self._lease, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read_holder(descriptor)
        finally:
            os.close(descriptor)

    @contextmanager
    def _take(self, kind: int) -> Iterator[None]:
        held_here: set[str] = _of_this_thread.__dict__.setdefault("leases", set())
        name = os.path.realpath(self._lease)
        if name in held_here:
            message = (
                f"this thread holds a lease on {self._lease} already: pass its connection on instead of asking again"
            )
            raise LeaseError(message)
        patience = Patience(self.timeout_seconds)
        with ExitStack() as held:
            with ExitStack() as passing:
                passing.enter_context(self._locked(self._turnstile, fcntl.LOCK_EX, patience))
                descriptor = held.enter_context(self._locked(self._lease, kind, patience))
            held.enter_context(_named(descriptor, kind))
            held_here.add(name)
            try:
                yield
            finally:
                held_here.remove(name)

    @contextmanager
    def _locked(self, path: Path, kind: int, patience: Patience) -> Iterator[int]:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            while not _try_lock(descriptor, kind):
                if patience.is_over:
                    message = (
                        f"waited {self.timeout_seconds:g} s for {path}: {self._waited_for()} holds it. `storecast "
                        "status` says what runs, without waiting; end what hangs, then start this again"
                    )
                    raise LeaseTimeoutError(message)
                patience.say(f"{path}, which {self._waited_for()} holds")
                time.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, no secret
            yield descriptor
        finally:
            os.close(descriptor)

    def _waited_for(self) -> str:
        return str(self.holder() or "another Storecast process")


@contextmanager
def _named(descriptor: int, kind: int) -> Iterator[None]:
    """Write the holder into the file while the lease is held alone; what a killed holder has left is taken out."""
    os.ftruncate(descriptor, 0)
    if kind != fcntl.LOCK_EX:
        yield
        return
    program = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    os.pwrite(descriptor, json.dumps(asdict(Holder(os.getpid(), program, now))).encode(), 0)
    try:
        yield
    finally:
        os.ftruncate(descriptor, 0)


def _read_holder(descriptor: int) -> Holder | None:
    """Return the holder that the file names; None in the moment before it is written whole."""
    try:
        return Holder(**json.loads(os.pread(descriptor, 4096, 0)))
    except json.JSONDecodeError:
        return None


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
