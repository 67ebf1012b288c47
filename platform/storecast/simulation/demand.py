"""What buyers want each day, before the warehouse has its say."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.advertising import Advertising
from storecast.simulation.calendar import Days, calendar_effects
from storecast.simulation.catalogue import Catalogue
from storecast.simulation.prices import PricePlan, demand_factor
from storecast.simulation.streams import Streams

_CHANNEL_TRENDS: Final = (0.05, 0.0, 0.18)
_LEVEL_MEMORY: Final = 0.98
_LEVEL_SHOCK: Final = 0.045
_LOT_UNITS: Final = 2.2
_HIGHEST_CHANCE: Final = 0.95


@dataclass(frozen=True)
class Demand:
    """Units wanted, shape (days, products, channels): the mean of the law, and what came of it."""

    expected_units: np.ndarray
    demanded_units: np.ndarray


def make_demand(
    catalogue: Catalogue, days: Days, plan: PricePlan, advertising: Advertising, streams: Streams
) -> Demand:
    """Draw demand: negative binomial for steady products, rare lots for intermittent ones.

    The mean is base x channel share x life cycle x exp(trend + calendar + level + dip)
    x (price / base price)^elasticity x the webshop's advertising lift.
    """
    expected = _expected_units(catalogue, days, plan, advertising, streams)
    shape = expected.shape
    spread = 3.0 + 9.0 * streams.of("demand dispersion").random((shape[1],))
    mixing = streams.of("demand mixing").standard_gamma(np.broadcast_to(spread[:, None], shape)) / spread[:, None]
    steady = streams.of("demand counts").poisson(expected * mixing)
    # A lot comes with this chance, so that the mean stays the expected one as long as the chance is below one.
    chance = np.minimum(expected / _LOT_UNITS, _HIGHEST_CHANCE)
    lots = 1 + streams.of("lot sizes").poisson(_LOT_UNITS - 1, shape)
    lumpy = np.where(streams.of("lot days").random(shape) < chance, lots, 0)
    rare = catalogue.is_intermittent[:, None]
    return Demand(
        expected_units=np.where(rare, chance * _LOT_UNITS, expected), demanded_units=np.where(rare, lumpy, steady)
    )


def _expected_units(
    catalogue: Catalogue, days: Days, plan: PricePlan, advertising: Advertising, streams: Streams
) -> np.ndarray:
    count = len(days.dates)
    years = np.arange(count) / 365.25
    log_product = (
        calendar_effects(days)[:, catalogue.category]
        + catalogue.yearly_trend * years[:, None]
        + _levels(count, len(catalogue.product_ids), streams)
        + _life_cycle(catalogue, count)
    )
    price_ratio = plan.offer_price_eur[:count] / catalogue.base_price_eur[:, None]
    channel_trend = np.array(_CHANNEL_TRENDS) * years[:, None]
    log_units = log_product[:, :, None] + plan.dip_effect[:count] + channel_trend[:, None, :]
    base = catalogue.base_units[:, None] * catalogue.channel_share
    factor = demand_factor(price_ratio, catalogue.elasticity[:, None])
    expected = base * np.exp(log_units) * factor * catalogue.is_live(count)[:, :, None]
    expected[:, :, 0] *= advertising.lift[:count, None]
    return expected


def _levels(days: int, products: int, streams: Streams) -> np.ndarray:
    """Return slow log movements, AR(1): one of each product, and one of the whole market; shape (days, products)."""
    shocks = streams.of("level shocks").standard_normal((days, products + 1))
    levels = np.zeros_like(shocks)
    now = np.zeros(products + 1)
    for day in range(days):
        now = _LEVEL_MEMORY * now + _LEVEL_SHOCK * shocks[day]
        levels[day] = now
    return levels[:, 1:] + 0.4 * levels[:, :1]


def _life_cycle(catalogue: Catalogue, days: int) -> np.ndarray:
    """Return the log effect of being new or about to go, shape (days, products)."""
    age = np.arange(days)[:, None] - catalogue.launch_day
    left = catalogue.last_day - np.arange(days)[:, None]
    rise = 0.25 + 0.75 * (1 - np.exp(-np.maximum(age, 0) / 25))
    fall = np.clip(0.35 + 0.65 * left / 60, 0.35, 1.0)
    return np.log(rise * fall)
