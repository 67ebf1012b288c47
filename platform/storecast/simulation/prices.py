"""The price list and the promotions, as far as they are planned."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import numpy as np

from storecast.simulation.calendar import Days, black_friday
from storecast.simulation.catalogue import Catalogue
from storecast.simulation.streams import Streams

EVERY_CHANNEL: Final = -1
_DISCOUNT_SHARES: Final = (0.10, 0.15, 0.20, 0.25, 0.30)
_CHANGE_CHANCE: Final = 1 / 220
_PROMOTION_CHANCE: Final = 1 / 50
_DIP_DAYS: Final = 12
_CHANNEL_SURCHARGES: Final = (0.0, 0.04, 0.07)


@dataclass(frozen=True)
class Promotion:
    """One product's discount from `start_day` to `end_day`, both included, in a channel or EVERY_CHANNEL."""

    product: int
    channel: int
    start_day: int
    end_day: int
    discount_share: float
    kind: str


@dataclass(frozen=True)
class PricePlan:
    """Prices of every planned day; arrays have shape (days, products, channels)."""

    list_price_eur: np.ndarray
    discount_share: np.ndarray
    dip_effect: np.ndarray
    """log effect of demand that a promotion just ended has brought forward, <= 0"""
    promotions: tuple[Promotion, ...]
    is_priced_by_channel: np.ndarray
    """shape (products,): whether channels have prices of their own"""

    @property
    def offer_price_eur(self) -> np.ndarray:
        """Return what a buyer pays, rounded to cents, shape (days, products, channels)."""
        return np.round(self.list_price_eur * (1 - self.discount_share), 2)


def plan_prices(catalogue: Catalogue, days: Days, streams: Streams) -> PricePlan:
    """Return list prices and promotions for all `days`, which reach as far as the shop plans."""
    is_priced_by_channel = streams.of("channel prices").random(len(catalogue.product_ids)) < 0.4
    promotions = tuple(_plan_promotions(catalogue, days, streams))
    discount, dip = _promotion_effects(promotions, (len(days.dates), *catalogue.channel_share.shape))
    return PricePlan(
        list_price_eur=_list_prices(catalogue, len(days.dates), is_priced_by_channel, streams),
        discount_share=discount,
        dip_effect=dip,
        promotions=promotions,
        is_priced_by_channel=is_priced_by_channel,
    )


def shelf_price(price_eur: np.ndarray) -> np.ndarray:
    """Round to a price a shop would print: …9 cents below 20 euros, 95 cents above.

    >>> shelf_price(np.array([4.23, 19.5, 31.2])).tolist()
    [4.19, 19.49, 30.95]
    """
    return np.round(np.where(price_eur < 20, np.round(price_eur, 1) - 0.01, np.round(price_eur) - 0.05), 2)


def demand_factor(price_ratio: np.ndarray, elasticity: np.ndarray) -> np.ndarray:
    """Return what a price does to demand: its ratio to the base price, to the power of the elasticity.

    A fifth off at an elasticity of -2 sells 56 % more:

    >>> demand_factor(np.array([0.8]), np.array([-2.0])).round(4).tolist()
    [1.5625]
    """
    return np.exp(elasticity * np.log(price_ratio))


def _list_prices(catalogue: Catalogue, days: int, by_channel: np.ndarray, streams: Streams) -> np.ndarray:
    products = len(catalogue.product_ids)
    changes = streams.of("price change days").random((days, products)) < _CHANGE_CHANCE
    sizes = streams.of("price change sizes").standard_normal((days, products))
    drift = np.zeros((days, products))
    now = np.zeros(products)
    for day in range(days):
        # Prices wander but come back halfway, so that none runs away in a long simulation.
        now = np.where(changes[day], 0.5 * now + 0.02 + 0.10 * sizes[day], now)
        drift[day] = now
    surcharge = 1 + np.array(_CHANNEL_SURCHARGES) * by_channel[:, None]
    return shelf_price((catalogue.base_price_eur * np.exp(drift))[:, :, None] * surcharge)


def _plan_promotions(catalogue: Catalogue, days: Days, streams: Streams) -> list[Promotion]:
    shape = (len(days.dates), len(catalogue.product_ids))
    start, length, depth, where = (
        streams.of(f"promotion {what}").random(shape) for what in ("starts", "lengths", "depths", "channels")
    )
    friday_eve, is_closed = _black_friday_days(days)
    free_from = np.zeros(shape[1], dtype=int)
    promotions = []
    for day in range(shape[0]):
        open_for = (day >= catalogue.launch_day + 14) & (day <= catalogue.last_day - 14)
        chance = 0.5 if friday_eve[day] else 0.0 if is_closed[day] else _PROMOTION_CHANCE
        for product in np.flatnonzero(open_for & (start[day] < chance) & (day >= free_from)):
            share = _DISCOUNT_SHARES[int(depth[day, product] * len(_DISCOUNT_SHARES))]
            if friday_eve[day]:
                item = Promotion(int(product), EVERY_CHANNEL, day, day + 4, max(share, 0.2), "black_friday")
            else:
                last = day + 2 + int(length[day, product] * 8)
                channel = _promotion_channel(catalogue.is_offered[product], where[day, product])
                item = Promotion(int(product), channel, day, last, share, "flash" if last - day < 4 else "price_cut")
            promotions.append(item)
            free_from[product] = item.end_day + 15
    return promotions


def _black_friday_days(days: Days) -> tuple[np.ndarray, np.ndarray]:
    """Return the Thursdays on which Black Friday's prices begin, and the days around on which nothing else starts."""
    eve = np.isin(days.dates, [np.datetime64(black_friday(year) - dt.timedelta(1), "D") for year in days.years])
    closed = np.zeros(len(days.dates), dtype=bool)
    for year in days.years:
        after = days.days_after(black_friday(year))
        closed |= (after >= -28) & (after <= 3)
    return eve, closed


def _promotion_channel(offered: np.ndarray, draw: float) -> int:
    """Return one offered channel in four cases of ten, otherwise EVERY_CHANNEL."""
    if draw >= 0.4:
        return EVERY_CHANNEL
    choices = np.flatnonzero(offered)
    return int(choices[int(draw / 0.4 * len(choices))])


def _promotion_effects(promotions: tuple[Promotion, ...], shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    discount, dip = np.zeros(shape), np.zeros(shape)
    fade = np.exp(-np.arange(_DIP_DAYS) / 4)
    for item in promotions:
        channel = slice(None) if item.channel == EVERY_CHANNEL else slice(item.channel, item.channel + 1)
        discount[item.start_day : item.end_day + 1, item.product, channel] = item.discount_share
        after = dip[item.end_day + 1 : item.end_day + 1 + _DIP_DAYS, item.product, channel]
        after += np.log1p(-1.2 * item.discount_share * fade[: len(after)])[:, None]
    return discount, dip
