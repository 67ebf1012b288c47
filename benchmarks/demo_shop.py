"""Demo shops up to gold, as `storecast run` makes them, and the demand behind their sales."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from storecast.automation import run_stages
from storecast.definitions import compose
from storecast.forecasting import contracts as c
from storecast.forecasting.panel import FloatArray, Panel, panel_from_tables
from storecast.run import make_demo_shop, shop_settings
from storecast.services import write_instance_config
from storecast.settings import Settings, process_environment
from storecast.warehouse import Warehouse


@dataclass(frozen=True, eq=False)
class DemoShop:
    """A shop's panel, and the units wanted of each series, (series, days), NaN on days it was not on offer."""

    panel: Panel
    demand: FloatArray


def demo_shop(seed: int, products: int, days: int) -> DemoShop:
    """Make a demo shop and bring it from its source files to gold; to be run in a process of its own."""
    with shop_after(["refresh"], seed=seed, demo_products=products, demo_days=days) as settings:
        panel = _panel(Warehouse(settings.warehouse_path))
        return DemoShop(panel, _true_demand(settings, panel))


@contextmanager
def shop_after(stages: Sequence[str], **options: Any) -> Iterator[Settings]:
    """Make a demo shop by settings, and run stages of `storecast run` on it, in a folder that is gone afterwards.

    To be used in a process of its own: it sets the environment of one shop.
    """
    with TemporaryDirectory() as folder:
        settings = shop_settings({"data_dir": Path(folder), **options}, report=print)
        os.environ.update(process_environment(settings))
        make_demo_shop(settings, report=print)
        write_instance_config(settings)
        run_stages(compose(settings), stages)
        yield settings


def _panel(warehouse: Warehouse) -> Panel:
    return panel_from_tables(
        warehouse.read("select * from gold.daily_demand"),
        warehouse.read("select * from gold.planned_drivers"),
        warehouse.read("select product_id, category from silver.products"),
    )


def _true_demand(settings: Settings, panel: Panel) -> FloatArray:
    truth = pd.read_parquet(settings.truth_folder / "demand.parquet")
    row = panel.keys.get_indexer(pd.MultiIndex.from_frame(truth[[c.PRODUCT_ID, c.CHANNEL]]))
    day = panel.times.get_indexer(pd.to_datetime(truth[c.DATE]))
    is_known = (row >= 0) & (day >= 0)
    demand = np.full(panel.units.shape, np.nan)
    demand[row[is_known], day[is_known]] = truth["demanded_units"].to_numpy(np.float64)[is_known]
    return demand
