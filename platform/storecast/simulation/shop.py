"""The way in: write a whole demo shop, source files and truth."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storecast.simulation.catalogue import HOSTILE_PRODUCT_IDS
from storecast.simulation.exports import (
    write_ad_spend,
    write_inventory,
    write_master_data,
    write_prices,
    write_promotions,
    write_sessions,
)
from storecast.simulation.order_files import write_order_files, write_returns
from storecast.simulation.truth import write_truth
from storecast.simulation.world import simulate


@dataclass(frozen=True)
class DemoShopSummary:
    """What was written: rows are counted over all files of a kind, dirt included."""

    start_date: dt.date
    end_date: dt.date
    products: int
    customers: int
    orders: int
    order_lines: int
    returns: int
    session_events: int
    dirty_rows: int


def write_demo_shop(
    source_folder: Path,
    truth_folder: Path,
    *,
    products: int = 200,
    days: int = 730,
    end_date: dt.date,
    seed: int,
    hostile_ids: bool = False,
) -> DemoShopSummary:
    """Write the source files of an invented shop, and the truth behind them, for `days` days up to `end_date`.

    The shop's world hangs on its first day (`end_date` - `days` + 1), `products`, `seed` and `hostile_ids` alone. To
    let n new days arrive, call again with `days + n` and `end_date + n` days: files of earlier months come out byte for
    byte the same, the last month's files begin with what they held, and the files that are no monthly ones (price list,
    promotions, customers, …) hold all their rows and more, but for `discontinued` dates announced since. The same
    arguments give the same bytes. Every file appears by renaming, whole.

    Price list and promotions reach 90 days past `end_date`. With `hostile_ids` the first products carry
    `catalogue.HOSTILE_PRODUCT_IDS`. Not every product is launched by the last day of a short run.

    Raises ValueError where a number is too small.
    """
    _check("days", days, 1)
    _check("seed", seed, 0)
    _check("products", products, len(HOSTILE_PRODUCT_IDS) if hostile_ids else 1)
    first_day = end_date - dt.timedelta(days - 1)
    world = simulate(first_day, days, products, seed, hostile_ids=hostile_ids)
    write_master_data(world, source_folder)
    write_promotions(world, source_folder)
    write_inventory(world, source_folder)
    write_sessions(world, source_folder)
    write_ad_spend(world, source_folder)
    return_ids = write_returns(world, source_folder)
    dirty = write_order_files(world, source_folder) + write_prices(world, source_folder)
    write_truth(world, truth_folder, dirty, return_ids)
    return DemoShopSummary(
        start_date=first_day,
        end_date=end_date,
        products=len(world.listed),
        customers=len(world.customers.ids),
        orders=len(np.unique(world.lines.basket)),
        order_lines=len(world.lines),
        returns=len(return_ids),
        session_events=len(world.sessions.day),
        dirty_rows=len(dirty),
    )


def _check(name: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{name} is {value}: give at least {least}")
