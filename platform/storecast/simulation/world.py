"""One simulated shop, whole: everything that happened, before any of it is written."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

from storecast.simulation.advertising import Advertising, advertise
from storecast.simulation.calendar import Days
from storecast.simulation.catalogue import Catalogue, make_catalogue
from storecast.simulation.contracts import PLAN_DAYS
from storecast.simulation.customers import Customers, make_customers
from storecast.simulation.demand import Demand, make_demand
from storecast.simulation.dirt import add_dirt
from storecast.simulation.orders import OrderLines, Returns, make_cancellations, make_orders, make_returns
from storecast.simulation.prices import PricePlan, plan_prices
from storecast.simulation.sessions import Sessions, make_sessions
from storecast.simulation.stock import Stock, run_warehouse
from storecast.simulation.streams import Streams


@dataclass(frozen=True)
class World:
    """The shop's catalogue, plans and history; `plan` and `planned_days` reach PLAN_DAYS past `days`."""

    days: Days
    planned_days: Days
    catalogue: Catalogue
    plan: PricePlan
    advertising: Advertising
    demand: Demand
    stock: Stock
    customers: Customers
    lines: OrderLines
    returns: Returns
    sessions: Sessions

    @property
    def listed(self) -> np.ndarray:
        """Return the products launched by the last day, as positions in the catalogue."""
        return np.flatnonzero(self.catalogue.launch_day < len(self.days.dates))

    def months(self) -> list[tuple[str, int, int]]:
        """Return ('2025-03', first day index, last day index + 1) for every month touched."""
        month = self.days.dates.astype("datetime64[M]")
        names, first = np.unique(month, return_index=True)
        ends = [*first[1:], len(month)]
        return [(str(name), int(begin), int(end)) for name, begin, end in zip(names, first, ends, strict=True)]


def simulate(first_day: dt.date, days: int, products: int, seed: int, *, hostile_ids: bool) -> World:
    """Live through the shop's days; the same first day, products and seed give the same past whatever `days` is."""
    streams = Streams(seed)
    past, planned = Days.starting(first_day, days), Days.starting(first_day, days + PLAN_DAYS)
    catalogue = make_catalogue(products, first_day, streams, hostile_ids=hostile_ids)
    plan = plan_prices(catalogue, planned, streams)
    advertising = advertise(past, products, streams)
    demand = make_demand(catalogue, past, plan, advertising, streams)
    stock = run_warehouse(demand.demanded_units, plan.discount_share, catalogue, streams)
    customers = make_customers(products, days, streams)
    cancelled_units = make_cancellations(demand.expected_units, streams)
    orders = make_orders(stock.sold_units, cancelled_units, plan.offer_price_eur, catalogue, customers, streams)
    lines = add_dirt(orders, streams)
    return World(
        days=past,
        planned_days=planned,
        catalogue=catalogue,
        plan=plan,
        advertising=advertising,
        demand=demand,
        stock=stock,
        customers=customers,
        lines=lines,
        returns=make_returns(lines, catalogue, past, streams),
        sessions=make_sessions(lines, demand.expected_units, catalogue, customers, past, streams),
    )
