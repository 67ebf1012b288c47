"""Forecasts of local models, chunk by chunk of series: what is shared out over processes or a cluster.

Where a chunk ends depends on the model alone, never on how many workers there are: so the numbers do not either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from storecast.forecasting.fan_out import fan_out
from storecast.forecasting.panel import FloatArray, IntArray, Panel
from storecast.forecasting.registry import REGISTRY, ModelSpec
from storecast.warehouse.memory import give_back_memory

COSTLY_MILLISECONDS: Final = 1.0
"""A model that takes less a series is cheaper to run here than its series are to send."""
WORTH_SENDING_MILLISECONDS: Final = 200.0
"""What takes less is cheaper to run here than a process is to start: a product forecast alone stays in its process."""
WORTH_PROCESSES_MILLISECONDS: Final = 10_000.0
"""What Python itself computes for so long is shared out over processes, which take seconds to start; boosted trees are
grown without Python's lock, and as well by threads."""
CHUNK_MILLISECONDS: Final = 20_000.0
"""About what a chunk costs: long beside the sending, short beside what is lost when a worker dies."""
FEWEST_SERIES: Final = 16


@dataclass(frozen=True, eq=False)
class Part:
    """What is forecast: some rows of a panel, by one model that knows the first `days` days."""

    spec: ModelSpec
    days: int
    rows: IntArray

    @property
    def is_costly(self) -> bool:
        """Whether it is worth sending to another process."""
        return self.spec.milliseconds >= COSTLY_MILLISECONDS and self.milliseconds >= WORTH_SENDING_MILLISECONDS

    @property
    def milliseconds(self) -> float:
        """What it costs on one core."""
        return self.spec.milliseconds * len(self.rows)

    def chunks(self) -> list[IntArray]:
        """The rows cut into chunks that cost about the same; a global model learns from all at once.

        >>> part = Part(REGISTRY["auto_arima"], 400, np.arange(120))
        >>> [len(chunk) for chunk in part.chunks()]
        [50, 50, 20]
        """
        size = max(int(CHUNK_MILLISECONDS / self.spec.milliseconds), FEWEST_SERIES)
        if self.spec.is_global or not self.is_costly or len(self.rows) <= size:
            return [self.rows]
        return [self.rows[start : start + size] for start in range(0, len(self.rows), size)]


def forecasts_of(
    parts: Sequence[Part],
    panel: Panel,
    *,
    horizon: int,
    seed: int = 0,
    n_jobs: int = 1,
    ray_address: str | None = None,
) -> Iterator[tuple[Part, FloatArray]]:
    """Each part with the mean of its series, shape (rows, horizon): first the costly ones, shared out, then the cheap.

    Every row must have begun by its part's last day. Raises what `fan_out` raises.
    """
    costly = sorted((part for part in parts if part.is_costly), key=lambda part: -part.spec.milliseconds)
    owners = [part for part in costly for _ in part.chunks()]
    calls = [
        (part.days, chunk, part.spec.name, horizon, seed, part.spec.parameters)
        for part in costly
        for chunk in part.chunks()
    ]
    answers = fan_out(
        forecast_chunk,
        calls,
        shared=(panel,),
        n_jobs=n_jobs,
        ray_address=ray_address,
        in_threads=threads_do(costly),
    )
    done: list[FloatArray] = []
    for part, answer in zip(owners, answers, strict=True):
        done.append(answer)
        if len(done) == len(part.chunks()):
            yield part, np.concatenate(done)
            done = []
    for part in parts:
        if not part.is_costly:
            spec = part.spec
            yield part, forecast_chunk(panel, part.days, part.rows, spec.name, horizon, seed, spec.parameters)


def threads_do(costly: Sequence[Part]) -> bool:
    """Whether threads are as good as processes: all models may share one, and what holds Python's lock is soon done."""
    locked = sum(part.milliseconds for part in costly if not part.spec.is_global)
    return all(part.spec.is_thread_safe for part in costly) and locked < WORTH_PROCESSES_MILLISECONDS


def forecast_chunk(
    panel: Panel,
    days: int,
    rows: IntArray,
    model: str,
    horizon: int,
    seed: int,
    parameters: Mapping[str, Any] | None = None,
) -> FloatArray:
    """What a model says of some series when it knows the first `days` days, in one process of one thread.

    `parameters` are those that take the place of the model's defaults. A local model sees no more of a spilled panel
    at once than a chunk.
    """
    size = panel.chunk_series
    if panel.is_spilled and not REGISTRY[model].is_global and len(rows) > size:
        pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
        return np.concatenate([forecast_chunk(panel, days, own, model, horizon, seed, parameters) for own in pieces])
    forecaster = REGISTRY[model].make(seed, 1, horizon).set_params(**(parameters or {}))
    used = panel if forecaster.get_tag("capability:exogenous") else panel.without_drivers()
    forecast = forecaster.fit_panel(used.take(rows).until(days, horizon)).predict_panel(horizon)
    if REGISTRY[model].is_global:
        give_back_memory()  # features of all series at many origins
    return forecast
