"""The shop's other files: master data, plans, stock, sessions and advertising."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from storecast.simulation.advertising import CAMPAIGNS
from storecast.simulation.catalogue import CATEGORIES, SELLERS
from storecast.simulation.contracts import (
    AD_SPEND_COLUMNS,
    CHANNELS,
    CUSTOMERS_HEADER,
    INVENTORY_HEADER,
    PRICES_HEADER,
    PRODUCTS_HEADER,
    PROMOTIONS_HEADER,
    SELLERS_HEADER,
    SESSIONS_COLUMNS,
    WEBSHOP,
)
from storecast.simulation.dirt import PRICE_LIST_ZERO
from storecast.simulation.files import write_csv, write_parquet
from storecast.simulation.order_files import DirtyRow
from storecast.simulation.prices import EVERY_CHANNEL
from storecast.simulation.sessions import EVENTS
from storecast.simulation.world import World

_PRODUCTS_PER_ZERO_PRICE: Final = 40
_ZERO_PRICE_DAY: Final = 25


def write_master_data(world: World, folder: Path) -> None:
    """Write products (launched by the last day, with what is announced of their end), customers and sellers."""
    catalogue = world.catalogue
    announced = len(world.planned_days.dates)
    products = (
        (
            catalogue.product_ids[product],
            catalogue.names[product],
            CATEGORIES[catalogue.category[product]].name,
            catalogue.brands[product],
            SELLERS[catalogue.seller[product]][0],
            f"{catalogue.unit_cost_eur[product]:.2f}",
            catalogue.date_of(catalogue.launch_day[product]),
            catalogue.date_of(catalogue.last_day[product]) if catalogue.last_day[product] < announced else "",
        )
        for product in world.listed
    )
    write_csv(folder / "products.csv", PRODUCTS_HEADER, products)
    people = world.customers
    signed_up = [catalogue.date_of(day) for day in people.signup_day]
    rows = zip(people.ids, people.countries, people.cities, signed_up, strict=True)
    write_csv(folder / "customers.csv", CUSTOMERS_HEADER, rows)
    write_csv(folder / "sellers.csv", SELLERS_HEADER, SELLERS)


def write_prices(world: World, folder: Path) -> list[DirtyRow]:
    """Write the price list, each price with the day from which it holds, and return its dirty rows: prices of zero."""
    entries = [entry for product in world.listed.tolist() for entry in _price_entries(world, product)]
    entries.sort()
    dates, ids = world.catalogue.date_of, world.catalogue.product_ids
    rows = [
        (ids[product], _channel_text(channel), dates(day), f"{price:.2f}") for day, product, channel, price in entries
    ]
    write_csv(folder / "prices.csv", PRICES_HEADER, rows)
    kind = PRICE_LIST_ZERO
    return [
        DirtyRow("prices.csv", number, kind.name, kind.expected, None)
        for number, (_, _, _, price) in enumerate(entries, start=1)
        if price == 0
    ]


def write_promotions(world: World, folder: Path) -> None:
    """Write all promotions that begin within the planned days."""
    catalogue = world.catalogue
    listed = set(world.listed.tolist())
    rows = (
        (
            f"PR-{catalogue.date_of(item.start_day):%Y%m%d}-{item.product + 1:04d}",
            catalogue.product_ids[item.product],
            _channel_text(item.channel),
            catalogue.date_of(item.start_day),
            catalogue.date_of(item.end_day),
            f"{item.discount_share:.2f}",
            item.kind,
        )
        for item in world.plan.promotions
        if item.product in listed
    )
    write_csv(folder / "promotions.csv", PROMOTIONS_HEADER, rows)


def write_inventory(world: World, folder: Path) -> None:
    """Write the stock at the end of each day, one file a month, for products on sale."""
    is_live = world.catalogue.is_live(len(world.days.dates))
    ids = world.catalogue.product_ids
    dates = np.datetime_as_string(world.days.dates).tolist()
    for month, begin, end in world.months():
        day, product = np.nonzero(is_live[begin:end])
        on_hand = world.stock.closing_units[begin:end][day, product].tolist()
        rows = zip((ids[item] for item in product), (dates[begin + item] for item in day), on_hand, strict=True)
        write_csv(folder / f"inventory/inventory-{month}.csv", INVENTORY_HEADER, rows)


def write_sessions(world: World, folder: Path) -> None:
    """Write the webshop's session events, one file a month; moments carry their zone, UTC."""
    sessions = world.sessions
    ids = np.array(world.catalogue.product_ids, dtype=object)
    people = np.array([*world.customers.ids, None], dtype=object)
    days = [f"S-{date.replace('-', '')}-" for date in np.datetime_as_string(world.days.dates)]
    for month, begin, end in world.months():
        first, last = np.searchsorted(sessions.day, [begin, end])
        part = slice(first, last)
        numbered = zip(sessions.day[part].tolist(), sessions.session[part].tolist(), strict=True)
        columns = (
            pa.array([f"{days[day]}{session:05d}" for day, session in numbered], pa.string()),
            pa.array(sessions.event_number[part], pa.int32()),
            pa.array(sessions.moment[part].astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
            pa.array([WEBSHOP] * (last - first), pa.string()),
            pa.array(people[sessions.customer[part]], pa.string()),
            pa.array(ids[sessions.product[part]], pa.string()),
            pa.array(np.array(EVENTS, dtype=object)[sessions.event[part]], pa.string()),
        )
        write_parquet(folder / f"sessions/sessions-{month}.parquet", SESSIONS_COLUMNS, columns)


def write_ad_spend(world: World, folder: Path) -> None:
    """Write spend, views and clicks of each day and campaign."""
    days, campaigns = world.advertising.spend_eur.shape
    columns = (
        pa.array(np.repeat(world.days.dates, campaigns), pa.date32()),
        pa.array([item.platform for item in CAMPAIGNS] * days, pa.string()),
        pa.array([item.name for item in CAMPAIGNS] * days, pa.string()),
        pa.array(world.advertising.spend_eur.ravel(), pa.float64()),
        pa.array(world.advertising.impressions.ravel(), pa.int64()),
        pa.array(world.advertising.clicks.ravel(), pa.int64()),
    )
    write_parquet(folder / "ad_spend.parquet", AD_SPEND_COLUMNS, columns)


def _channel_text(channel: int) -> str:
    return "" if channel == EVERY_CHANNEL else CHANNELS[channel]


def _price_entries(world: World, product: int) -> list[tuple[int, int, int, float]]:
    """Return (day, product, channel, price) for each change of a product's list price; now and then one of zero."""
    launch = int(world.catalogue.launch_day[product])
    offered = np.flatnonzero(world.catalogue.is_offered[product]).tolist()
    channels = offered if world.plan.is_priced_by_channel[product] else [EVERY_CHANNEL]
    last = min(int(world.catalogue.last_day[product]) + 1, len(world.planned_days.dates))
    entries = []
    for channel in channels:
        price = world.plan.list_price_eur[:last, product, max(channel, 0)]
        entries.append((launch, product, channel, float(price[max(launch, 0)])))
        changes = np.flatnonzero(np.diff(price) != 0) + 1
        entries += [(int(day), product, channel, float(price[day])) for day in changes if day > launch]
    if product % _PRODUCTS_PER_ZERO_PRICE == 0:
        taken = {day for day, _, _, _ in entries}
        day = next(day for day in range(max(launch, 0) + _ZERO_PRICE_DAY, last + 365) if day not in taken)
        entries += [(day, product, channels[0], 0.0)] if day < last else []
    return entries
