"""Calls shared out over processes: joblib's on this machine, or the workers of a Ray cluster where its address is set.

What is called, on what, and in which order the answers come does not depend on where: so the numbers do not either.
"""

import socket
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from joblib import Parallel, delayed

MOST_RETRIES: Final = 3
"""So many times Ray begins a call anew whose worker died."""
CONNECT_SECONDS: Final = 10.0


def fan_out[Result](
    function: Callable[..., Result],
    calls: Sequence[tuple[Any, ...]],
    *,
    shared: tuple[Any, ...] = (),
    n_jobs: int = 1,
    ray_address: str | None = None,
    in_threads: bool = False,
) -> Iterator[Result]:
    """Yield `function(*shared, *arguments)` for the arguments of each call, in the order of `calls`.

    Without `ray_address` they run in `n_jobs` processes of this machine, or in threads of this one: these start at once
    and send nothing, but only one of them at a time runs Python. With the `host:port` of a Ray cluster of which
    this machine is a node, they run on its workers: what is `shared` is sent to each node once, and a call whose worker
    died is begun anew, up to 3 times. Function, arguments and results are pickled; arrays may arrive read-only. A
    process that is connected to a Ray cluster already uses that one.

    Raises what `function` raises, which is never tried again; `ModuleNotFoundError` where `ray_address` is set but Ray
    is not installed, and `ConnectionError` where nothing answers there.

    >>> list(fan_out(pow, [(2,), (3,)], shared=(10,)))
    [100, 1000]
    """
    if ray_address is None or not calls:
        places = "threads" if in_threads else "processes"
        parallel = Parallel(n_jobs=min(n_jobs, max(len(calls), 1)), return_as="generator", prefer=places)
        return iter(parallel(delayed(function)(*shared, *call) for call in calls))
    return _on_ray(function, calls, shared, _ray(ray_address), ray_address)


def _on_ray[Result](
    function: Callable[..., Result], calls: Sequence[tuple[Any, ...]], shared: tuple[Any, ...], ray: Any, address: str
) -> Iterator[Result]:
    with _connection(ray, address):
        remote = ray.remote(max_retries=MOST_RETRIES, retry_exceptions=False)(_called)
        stored = [ray.put(value) for value in shared]
        waiting = deque(remote.remote(function, *stored, *call) for call in calls)
        while waiting:
            try:
                result = ray.get(waiting.popleft())  # forgotten at once, so that the cluster need not keep it
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            yield result


def _called[Result](function: Callable[..., Result], *arguments: Any) -> Result:
    return function(*arguments)  # Ray takes no methods and no built-in functions itself


@contextmanager
def _connection(ray: Any, address: str) -> Iterator[None]:
    """A connection of our own, or the one that is there."""
    if ray.is_initialized():
        yield
        return
    _require_answer(address)
    ray.init(address=address, log_to_driver=False, logging_level="WARNING")
    try:
        yield
    finally:
        ray.shutdown()


def _ray(address: str) -> ModuleType:
    try:
        import ray  # noqa: PLC0415  (an extra, and two seconds to import)
    except ModuleNotFoundError as error:
        message = f"ray_address is {address!r}, but Ray is not installed: install storecast[ray], or set no address"
        raise ModuleNotFoundError(message, name="ray") from error
    return ray


def _require_answer(address: str) -> None:
    """Ask before Ray does, which waits for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError, ValueError) as error:
        message = (
            f"ray_address is {address!r}, where no cluster answers ({error}): start one with `ray start --head`, "
            "set its host:port, or set no address"
        )
        raise ConnectionError(message) from error
