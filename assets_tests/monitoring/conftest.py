"""Samples of gold.daily_demand with a known drift."""

import numpy as np
import pandas as pd
import pytest

DAYS = 120
FIRST_DAY = "2026-01-01"


def daily_demand(*, price_factor: float, products: int = 60, seed: int = 7) -> pd.DataFrame:
    """Make dense demand of 120 days whose prices rise by a factor in the last 28, and nothing else changes."""
    rng = np.random.default_rng(seed)
    keys = [
        (f"P-{number:03d}", "webshop", day)
        for number in range(products)
        for day in pd.date_range(FIRST_DAY, periods=DAYS)
    ]
    frame = pd.DataFrame(keys, columns=["product_id", "channel", "date"])
    rows = len(frame)
    is_recent = frame["date"] > frame["date"].max() - pd.Timedelta(days=28)
    frame["unit_price"] = rng.gamma(9.0, 2.0, rows) * np.where(is_recent, price_factor, 1.0)
    frame["is_on_promotion"] = rng.random(rows) < 0.1
    frame["discount_share"] = np.where(frame["is_on_promotion"], 0.2, 0.0)
    frame["is_in_stock"] = rng.random(rows) < 0.95
    frame["has_event"] = rng.random(rows) < 0.03
    frame["units"] = rng.poisson(3.0, rows).astype(float)
    return frame


@pytest.fixture(scope="session")
def risen_prices() -> pd.DataFrame:
    """Demand whose prices rose by a third in the recent window."""
    return daily_demand(price_factor=1.33)
