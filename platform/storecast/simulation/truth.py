"""The truth behind the files, for tests and benchmarks only."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from storecast.simulation.advertising import CAMPAIGNS, budget_scale
from storecast.simulation.catalogue import CATEGORIES
from storecast.simulation.contracts import CHANNELS, TRUTH_COLUMNS, WEBSHOP
from storecast.simulation.files import write_parquet
from storecast.simulation.order_files import DirtyRow, order_ids
from storecast.simulation.world import World


def write_truth(world: World, folder: Path, dirty: list[DirtyRow], return_ids: list[str]) -> None:
    """Write one parquet file per table of TRUTH_COLUMNS."""
    tables = {
        "demand": _demand(world),
        "elasticities": _elasticities(world),
        "ad_response": _ad_response(world),
        "tastes": _tastes(world),
        "stockouts": _stockouts(world),
        "returns": _returns(world, return_ids),
        "dirty_rows": _dirty_rows(dirty),
    }
    for name, arrays in tables.items():
        write_parquet(folder / f"{name}.parquet", TRUTH_COLUMNS[name], arrays)


def _demand(world: World) -> list[pa.Array]:
    """One row per product, channel and day on offer: the mean, what was wanted, and what was sold."""
    is_live = world.catalogue.is_live(len(world.days.dates))
    where = np.nonzero(is_live[:, :, None] & world.catalogue.is_offered)
    day, product, channel = where
    return [
        _product_ids(world, product),
        pa.array(np.array(CHANNELS, dtype=object)[channel], pa.string()),
        pa.array(world.days.dates[day], pa.date32()),
        pa.array(world.demand.expected_units[where], pa.float64()),
        pa.array(world.demand.demanded_units[where], pa.int64()),
        pa.array(world.stock.sold_units[where], pa.int64()),
    ]


def _elasticities(world: World) -> list[pa.Array]:
    catalogue, listed = world.catalogue, world.listed
    return [
        _product_ids(world, listed),
        pa.array([CATEGORIES[kind].name for kind in catalogue.category[listed]], pa.string()),
        pa.array(np.where(catalogue.is_intermittent[listed], "intermittent", "steady"), pa.string()),
        pa.array(catalogue.elasticity[listed], pa.float64()),
        pa.array(catalogue.yearly_trend[listed], pa.float64()),
    ]


def _ad_response(world: World) -> list[pa.Array]:
    """Lift of the webshop's demand: 1 + the sum over campaigns of max lift x saturation(adstock(spend))."""
    scale = budget_scale(len(world.catalogue.product_ids))
    return [
        pa.array([item.platform for item in CAMPAIGNS], pa.string()),
        pa.array([item.name for item in CAMPAIGNS], pa.string()),
        pa.array([WEBSHOP] * len(CAMPAIGNS), pa.string()),
        pa.array([item.retention_share for item in CAMPAIGNS], pa.float64()),
        pa.array([item.half_saturation_eur * scale for item in CAMPAIGNS], pa.float64()),
        pa.array([item.shape for item in CAMPAIGNS], pa.float64()),
        pa.array([item.max_lift_share for item in CAMPAIGNS], pa.float64()),
    ]


def _tastes(world: World) -> list[pa.Array]:
    customers, categories = world.customers.log_affinity.shape
    return [
        pa.array(np.repeat(world.customers.ids, categories), pa.string()),
        pa.array([item.name for item in CATEGORIES] * customers, pa.string()),
        pa.array(world.customers.log_affinity.ravel(), pa.float64()),
    ]


def _stockouts(world: World) -> list[pa.Array]:
    """One row per product and day on sale that began without stock or lost a sale."""
    demanded, sold = world.demand.demanded_units.sum(axis=2), world.stock.sold_units.sum(axis=2)
    is_live = world.catalogue.is_live(len(world.days.dates))
    where = np.nonzero(is_live & ((world.stock.opening_units == 0) | (demanded > sold)))
    day, product = where
    return [
        _product_ids(world, product),
        pa.array(world.days.dates[day], pa.date32()),
        pa.array(world.stock.opening_units[where], pa.int64()),
        pa.array(demanded[where], pa.int64()),
        pa.array(sold[where], pa.int64()),
        pa.array((demanded - sold)[where], pa.int64()),
    ]


def _returns(world: World, return_ids: list[str]) -> list[pa.Array]:
    lines = world.lines.take(world.returns.line)
    return [
        pa.array(return_ids, pa.string()),
        pa.array(order_ids(world.lines)[world.returns.line], pa.string()),
        pa.array(lines.line_number, pa.int64()),
        _product_ids(world, lines.product),
        pa.array(np.array(CHANNELS, dtype=object)[lines.channel], pa.string()),
        pa.array(world.days.dates[lines.day], pa.date32()),
        pa.array(world.days.dates[world.returns.day], pa.date32()),
        pa.array(world.returns.quantity, pa.int64()),
    ]


def _dirty_rows(dirty: list[DirtyRow]) -> list[pa.Array]:
    return [
        pa.array([row.file for row in dirty], pa.string()),
        pa.array([row.row_number for row in dirty], pa.int64()),
        pa.array([row.kind for row in dirty], pa.string()),
        pa.array([row.expected for row in dirty], pa.string()),
        pa.array([row.kept_row_number for row in dirty], pa.int64()),
    ]


def _product_ids(world: World, product: np.ndarray) -> pa.Array:
    return pa.array(np.array(world.catalogue.product_ids, dtype=object)[product], pa.string())
