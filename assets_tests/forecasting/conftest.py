"""A small shop of known make: nine series of every kind, 200 days, with prices, promotions and an event."""

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.panel import Panel, panel_from_tables

LAST_DAY = pd.Timestamp("2025-06-30")
DAYS = 200


def series_table(product_id: str, channel: str, units: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """A series that ends on the shop's last day, with a promotion a fifth of the time."""
    dates = pd.date_range(end=LAST_DAY, periods=len(units))
    promotion = rng.random(len(units)) < 0.2
    return pd.DataFrame(
        {
            "product_id": product_id,
            "channel": channel,
            "date": dates,
            "units": np.asarray(units, dtype=float),
            "unit_price": np.where(promotion, 8.0, 10.0),
            "is_on_promotion": promotion,
            "discount_share": np.where(promotion, 0.2, 0.0),
            "is_price_planned": True,
            "has_event": dates.day == 1,
            "event_name": np.where(dates.day == 1, "payday", None),
        }
    )


@pytest.fixture(scope="session")
def daily_demand() -> pd.DataFrame:
    """`gold.daily_demand` of the small shop."""
    rng = np.random.default_rng(7)
    week = 1 + 0.5 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    series = {
        ("fast", "shop"): rng.poisson(20 * week),
        ("fast", "market"): rng.poisson(8 * week),
        ("jumpy", "shop"): rng.poisson(5 * rng.gamma(1.0, 1.0, DAYS)) + 1,
        ("slow", "shop"): rng.binomial(1, 0.3, DAYS) * (1 + rng.poisson(0.3, DAYS)),
        ("lumpy", "shop"): rng.binomial(1, 0.2, DAYS) * rng.geometric(0.1, DAYS),
        ("young", "shop"): rng.poisson(4, 40) + 1,
        ("newborn", "shop"): np.array([3.0]),
        ("constant", "shop"): np.full(DAYS, 2.0),
        ("dead", "shop"): np.r_[np.array([5.0]), np.zeros(DAYS - 1)],
    }
    return pd.concat([series_table(*key, units, rng) for key, units in series.items()], ignore_index=True)


@pytest.fixture(scope="session")
def planned_drivers(daily_demand: pd.DataFrame) -> pd.DataFrame:
    """`gold.planned_drivers` of the small shop: 90 days at full price, the second week on promotion."""
    keys = daily_demand[["product_id", "channel"]].drop_duplicates()
    days = pd.DataFrame({"date": pd.date_range(LAST_DAY, periods=91)[1:]})
    plan = keys.merge(days, how="cross")
    ahead = (plan["date"] - LAST_DAY).dt.days
    promotion = ahead.between(8, 14)
    return plan.assign(
        unit_price=np.where(promotion, 8.0, 10.0),
        is_on_promotion=promotion,
        discount_share=np.where(promotion, 0.2, 0.0),
        is_price_planned=True,
        has_event=plan["date"].dt.day == 1,
        event_name=np.where(plan["date"].dt.day == 1, "payday", None),
    )


@pytest.fixture(scope="session")
def products() -> pd.DataFrame:
    return pd.DataFrame({"product_id": ["fast", "jumpy", "slow", "lumpy"], "category": ["a", "a", "b", "b"]})


@pytest.fixture(scope="session")
def panel(daily_demand: pd.DataFrame, planned_drivers: pd.DataFrame, products: pd.DataFrame) -> Panel:
    return panel_from_tables(daily_demand, planned_drivers, products)
