"""Which series were drawn for training on which days, so that rows can be filled in chunk by chunk of series."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from storecast.forecasting.panel import IntArray


@dataclass(frozen=True, eq=False)
class SampledRows:
    """The series drawn at each place – a day, or an origin and a day ahead –, rising; training rows lie place by place.

    `ends` has 0 before the first place, then the number of rows up to the end of each.
    """

    series: Sequence[IntArray]
    ends: IntArray

    @classmethod
    def drawn(cls, first_day: IntArray, known: Sequence[int], most: int, random: np.random.Generator) -> Self:
        """At random about `most` of the series that have begun within the days `known` at each place, all if fewer.

        The draws do not depend on how the series are cut into chunks.
        """
        candidates = sum(int((first_day < days).sum()) for days in known)
        share = min(1.0, most / max(candidates, 1))
        return cls.of([np.flatnonzero((first_day < days) & (random.random(len(first_day)) < share)) for days in known])

    @classmethod
    def of(cls, series: Sequence[IntArray]) -> Self:
        """The rows of the series drawn at each place."""
        return cls(series, np.cumsum([0, *(len(drawn) for drawn in series)]))

    def __len__(self) -> int:
        return int(self.ends[-1])

    def among(self, chunk: slice) -> Iterator[tuple[int, IntArray, slice]]:
        """Each place with some of a chunk's series: its number, the series counted from the chunk's first, their rows.

        >>> sampled = SampledRows.of([np.array([0, 2, 3]), np.array([1, 2])])
        >>> [(place, drawn.tolist(), rows) for place, drawn, rows in sampled.among(slice(2, 4))]
        [(0, [0, 1], slice(1, 3, None)), (1, [0], slice(4, 5, None))]
        """
        for place, ((start, _), drawn) in enumerate(zip(pairwise(self.ends.tolist()), self.series, strict=True)):
            low, high = np.searchsorted(drawn, [chunk.start, chunk.stop]).tolist()
            if low < high:
                yield place, drawn[low:high] - chunk.start, slice(start + low, start + high)
