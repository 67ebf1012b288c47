"""A hierarchy over the series of a panel: levels of nodes, and the sums of all of them at once.

Forecasts of a hierarchy are arrays whose rows are its nodes, the aggregates of each level first and the series
themselves last. Which series adds up to which node is kept as codes and as a sparse matrix of ones: for M5 3 MB, where
the summing matrix of the textbooks has 42,840 × 30,490 numbers, 10 GB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
import pandas as pd
from scipy import sparse

from storecast.forecasting import contracts as c
from storecast.forecasting.levels import Level, level_by
from storecast.forecasting.panel import FloatArray, Panel

NODE_KEYS = (c.LEVEL, c.NODE)


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Levels over the same series, the series themselves not among them; `series` is how many there are."""

    levels: tuple[Level, ...]
    series: int

    def __post_init__(self) -> None:
        for level in self.levels:
            if len(level.node) != self.series:
                raise ValueError(
                    f"level {level.name!r} has {len(level.node)} series, not {self.series}: pass levels of one panel"
                )

    @property
    def aggregates(self) -> int:
        """The number of nodes above the series."""
        return sum(level.nodes for level in self.levels)

    @property
    def nodes(self) -> int:
        """The number of nodes, the series included."""
        return self.aggregates + self.series

    @cached_property
    def rows(self) -> Mapping[str, slice]:
        """The rows of each level's nodes, by its name."""
        edges = accumulate((level.nodes for level in self.levels), initial=0)
        return {level.name: slice(*pair) for level, pair in zip(self.levels, pairwise(edges), strict=True)}

    @cached_property
    def summing(self) -> sparse.csr_array:
        """Ones where a series adds up to an aggregate: (aggregates, series), one entry a series and level."""
        if not self.levels:
            return sparse.csr_array((0, self.series))
        blocks = [
            sparse.csr_array(
                (np.ones(self.series), (level.node, np.arange(self.series))), shape=(level.nodes, self.series)
            )
            for level in self.levels
        ]
        return sparse.csr_array(sparse.vstack(blocks, format="csr"))

    @cached_property
    def spreading(self) -> sparse.csr_array:
        """The transpose of `summing`: (series, aggregates)."""
        return sparse.csr_array(self.summing.T.tocsr())

    def sums(self, values: FloatArray) -> FloatArray:
        """The aggregates of values of the series: the last but one axis goes from series to aggregates.

        NaN count nothing.
        """
        known = np.nan_to_num(values)
        empty = np.empty((*known.shape[:-2], 0, known.shape[-1]))
        return np.concatenate([empty, *(level.total(known) for level in self.levels)], axis=-2)

    def totals(self, values: FloatArray) -> FloatArray:
        """All nodes of values of the series: the last but one axis goes from series to nodes; NaN count nothing.

        >>> hierarchy = Hierarchy((Level("total", np.array([0, 0]), 1),), 2)
        >>> hierarchy.totals(np.array([[1.0, 2.0], [3.0, np.nan]]))
        array([[4., 2.],
               [1., 2.],
               [3., 0.]])
        """
        return np.concatenate([self.sums(values), np.nan_to_num(values)], axis=-2)


def hierarchy_of(statics: pd.DataFrame, columns: Sequence[Sequence[str]]) -> Hierarchy:
    """The hierarchy with a level for each group of columns of a panel's `statics`; an empty group is the total.

    A level whose nodes are the series one by one is left out: the series are always there. Raises what
    `levels.level_by` raises.

    >>> statics = pd.DataFrame({"product_id": ["a", "a", "b"], "channel": ["shop", "web", "web"]})
    >>> hierarchy = hierarchy_of(statics, [(), ("channel",), ("product_id", "channel")])
    >>> [level.name for level in hierarchy.levels], hierarchy.nodes
    (['total', 'channel'], 6)
    """
    levels = [level_by(statics, group) for group in columns]
    return Hierarchy(tuple(level for level in levels if level.nodes < len(statics)), len(statics))


def aggregate_panel(panel: Panel, hierarchy: Hierarchy) -> Panel:
    """The sums of a panel's series at the aggregates, as a panel for a forecaster of their own.

    A node begins with the first of its series. Keys are level and node; drivers are left out, as prices and events of
    single series have no sum.
    """
    has_begun = hierarchy.sums((~np.isnan(panel.units)).astype(np.float64)) > 0
    units = np.where(has_begun, hierarchy.sums(panel.units), np.nan)
    keys = pd.MultiIndex.from_arrays(
        [
            [level.name for level in hierarchy.levels for _ in range(level.nodes)],
            [label for level in hierarchy.levels for label in level.labels or map(str, range(level.nodes))],
        ],
        names=NODE_KEYS,
    )
    return Panel(keys, panel.times, units, statics=keys.to_frame(index=False))
