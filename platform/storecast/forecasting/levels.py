"""The levels at which accuracy is read: which series add up to which node, and sums along them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import FloatArray, IntArray, Panel

TOTAL: Final = "total"
CROSSING: Final = " × "


@dataclass(frozen=True, eq=False)
class Level:
    """A level: `node` gives each series' node, 0 .. `nodes` - 1; `labels`, where given, what each node is called."""

    name: str
    node: IntArray
    nodes: int
    labels: tuple[str, ...] = ()

    def total(self, values: FloatArray) -> FloatArray:
        """Sums over the series of each node; series are the last but one axis, NaN count nothing.

        >>> Level("total", np.array([0, 0, 1]), 2).total(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]))
        array([[4., 2.],
               [5., 6.]])
        """
        moved = np.moveaxis(np.nan_to_num(values), -2, 0)
        flat = moved.reshape(len(self.node), -1)
        sums = sparse.csr_array(
            (np.ones(len(self.node)), (self.node, np.arange(len(self.node)))), shape=(self.nodes, len(self.node))
        )
        return np.moveaxis((sums @ flat).reshape(self.nodes, *moved.shape[1:]), 0, -2)

    def of(self, rows: IntArray) -> "Level":
        """The level over some of the series, its nodes unchanged."""
        return Level(self.name, self.node[rows], self.nodes, self.labels)


def level_by(statics: pd.DataFrame, columns: Sequence[str]) -> Level:
    """The level whose nodes are what some columns of a panel's `statics` say together; no column is the total.

    Nodes come in the order of their values. Raises `KeyError` naming the column that `statics` lacks, `ValueError`
    where one has missing values.

    >>> level = level_by(pd.DataFrame({"store": ["b", "a", "b"], "shelf": ["1", "1", "2"]}), ["store", "shelf"])
    >>> level.name, level.node.tolist(), level.labels
    ('store × shelf', [1, 0, 2], ('a × 1', 'b × 1', 'b × 2'))
    """
    if not columns:
        return Level(TOTAL, np.zeros(len(statics), dtype=np.int64), 1, (TOTAL,))
    missing = [column for column in columns if column not in statics]
    if missing:
        raise KeyError(f"statics has no column {missing[0]!r}: choose among {list(statics.columns)}")
    if statics[list(columns)].isna().to_numpy().any():
        raise ValueError(f"statics has missing values in {list(columns)}: give each series a value")
    groups = statics.groupby(list(columns), sort=True, observed=True)
    node = groups.ngroup().to_numpy(np.int64)
    labels = [CROSSING.join(map(str, key if isinstance(key, tuple) else (key,))) for key in groups.groups]
    return Level(CROSSING.join(columns), node, len(labels), tuple(labels))


def levels_of(panel: Panel) -> tuple[Level, ...]:
    """The levels of `contracts.LEVELS` over the series of a panel, in that order."""
    statics = panel.statics
    levels = [Level("product_channel", np.arange(len(statics)), len(statics))]
    for name, column in {"product": c.PRODUCT_ID, "category": c.CATEGORY, "channel": c.CHANNEL}.items():
        levels.append(replace(level_by(statics, [column]), name=name))
    return (*levels, level_by(statics, ()))
