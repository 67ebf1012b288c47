"""The levels at which accuracy is read: which series add up to which node, and sums along them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from storecast.forecasting import contracts as c
from storecast.forecasting.panel import FloatArray, IntArray, Panel


@dataclass(frozen=True, eq=False)
class Level:
    """A level: `node` gives each series' node, 0 .. `nodes` - 1."""

    name: str
    node: IntArray
    nodes: int

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
        return Level(self.name, self.node[rows], self.nodes)


def levels_of(panel: Panel) -> tuple[Level, ...]:
    """The levels of `contracts.LEVELS` over the series of a panel, in that order."""
    statics = panel.statics
    texts: Mapping[str, pd.Series] = {
        "product": statics[c.PRODUCT_ID],
        "category": statics[c.CATEGORY],
        "channel": statics[c.CHANNEL],
    }
    levels = [Level("product_channel", np.arange(len(statics)), len(statics))]
    for name, text in texts.items():
        node, names = pd.factorize(text, sort=True)
        levels.append(Level(name, node.astype(np.int64), len(names)))
    return (*levels, Level("total", np.zeros(len(statics), dtype=np.int64), 1))
