"""What the shop spends on advertising, and how that carries over, saturates and lifts demand."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.calendar import Days, black_friday
from storecast.simulation.streams import Streams


@dataclass(frozen=True)
class Campaign:
    """One campaign's habits and the truth about its effect; budgets are euros a day for a shop of 200 products."""

    platform: str
    name: str
    budget_eur: float
    flight_days: int
    on_air_share: float
    retention_share: float
    half_saturation_eur: float
    shape: float
    max_lift_share: float
    eur_per_thousand_views: float
    click_share: float


CAMPAIGNS: Final = (
    Campaign("search", "brand", 60.0, 28, 1.0, 0.20, 80.0, 1.0, 0.10, 14.0, 0.060),
    Campaign("search", "generic", 140.0, 28, 0.9, 0.35, 220.0, 1.3, 0.16, 9.0, 0.030),
    Campaign("social", "prospecting", 160.0, 14, 0.55, 0.75, 600.0, 1.8, 0.22, 6.0, 0.009),
    Campaign("social", "retargeting", 50.0, 21, 0.7, 0.50, 110.0, 1.2, 0.08, 7.0, 0.015),
)
_PRODUCTS_OF_BUDGETS: Final = 200
_WEEKDAY_FACTORS: Final = (1.0, 1.0, 1.0, 1.05, 1.1, 0.9, 0.95)


@dataclass(frozen=True)
class Advertising:
    """Spend, views and clicks, shape (days, campaigns), and what multiplies the webshop's demand, shape (days,)."""

    spend_eur: np.ndarray
    impressions: np.ndarray
    clicks: np.ndarray
    lift: np.ndarray


def adstock(spend: np.ndarray, retention_share: float) -> np.ndarray:
    """Return the advertising pressure a[t] = spend[t] + retention * a[t-1], shape (days,).

    Constant spend x tends to x / (1 - retention) (Broadbent, One way TV advertisements work, 1979).

    >>> adstock(np.array([100.0, 0.0, 0.0]), 0.5).tolist()
    [100.0, 50.0, 25.0]
    """
    pressure = np.empty(len(spend))
    carried = 0.0
    for day, amount in enumerate(spend):
        carried = amount + retention_share * carried
        pressure[day] = carried
    return pressure


def saturation(pressure: np.ndarray, half_saturation: float, shape: float) -> np.ndarray:
    """Return Hill's curve p^s / (h^s + p^s): 0 without pressure, one half at `half_saturation`, below 1 always.

    >>> saturation(np.array([0.0, 50.0, 100.0]), 50.0, 2.0).tolist()
    [0.0, 0.5, 0.8]
    """
    powered = pressure**shape
    return powered / (half_saturation**shape + powered)


def budget_scale(products: int) -> float:
    """Return the factor on budgets and half saturations for a shop of this size."""
    return products / _PRODUCTS_OF_BUDGETS


def advertise(days: Days, products: int, streams: Streams) -> Advertising:
    """Spend each campaign's budget in flights, and return the spend with the lift it gives the webshop."""
    count = len(days.dates)
    scale = budget_scale(products)
    spend, views, clicks = (np.zeros((count, len(CAMPAIGNS))) for _ in range(3))
    lift = np.ones(count)
    for number, campaign in enumerate(CAMPAIGNS):
        spend[:, number] = _spend(days, campaign, scale, streams)
        pressure = adstock(spend[:, number], campaign.retention_share)
        lift += campaign.max_lift_share * saturation(pressure, campaign.half_saturation_eur * scale, campaign.shape)
        draw = streams.of(f"views {campaign.platform} {campaign.name}").standard_normal((count, 2))
        bought = 1000 * spend[:, number] / campaign.eur_per_thousand_views
        views[:, number] = np.round(bought * np.exp(0.1 * draw[:, 0]))
        clicks[:, number] = np.round(views[:, number] * campaign.click_share * np.exp(0.1 * draw[:, 1]))
    return Advertising(spend, views.astype("int64"), clicks.astype("int64"), lift)


def _spend(days: Days, campaign: Campaign, scale: float, streams: Streams) -> np.ndarray:
    count = len(days.dates)
    flight = np.arange(count) // campaign.flight_days
    draw = streams.of(f"flights {campaign.platform} {campaign.name}").random((flight[-1] + 1, 2))
    height = np.where(draw[:, 0] < campaign.on_air_share, 0.5 + draw[:, 1], 0.0)[flight]
    noise = np.exp(0.15 * streams.of(f"spend {campaign.platform} {campaign.name}").standard_normal(count))
    sale = np.ones(count)
    for year in days.years:
        after = days.days_after(black_friday(year))
        sale[(after >= -7) & (after <= 3)] = 1.8
    weekday = np.array(_WEEKDAY_FACTORS)[days.weekday]
    return np.round(campaign.budget_eur * scale * height * noise * sale * weekday, 2)
