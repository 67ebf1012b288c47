import datetime

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import Panel
from storecast.forecasting.price_response import PriceResponse
from storecast.forecasting.what_if import WHAT_IF_PRICE, WHAT_IF_REVENUE, WHAT_IF_UNITS, Change, what_if

HORIZON, PRODUCTS, DAYS = 14, 30, 300
PRODUCT = "p3"


@pytest.fixture(scope="module")
def shop() -> Panel:
    """Products whose units halve at twice the price and triple on promotion, two channels, prices planned."""
    random = np.random.default_rng(0)
    keys = pd.MultiIndex.from_product(
        [[f"p{n}" for n in range(PRODUCTS)], ["shop", "web"]], names=[c.PRODUCT_ID, c.CHANNEL]
    )
    series, days = len(keys), DAYS + HORIZON
    is_promoted = random.random((series, days)) < 0.1
    usual = random.uniform(5, 20, (series, 1))
    price = usual * np.repeat(random.choice([0.8, 1.0, 1.25], (series, days // 14 + 1)), 14, axis=1)[:, :days]
    units = random.poisson(10 * (price / usual) ** -1.0 * np.where(is_promoted, 3.0, 1.0)).astype(float)
    drivers = {
        c.UNIT_PRICE: price,
        c.IS_ON_PROMOTION: is_promoted.astype(float),
        c.DISCOUNT_SHARE: 0.0 * price,
        c.IS_PRICE_PLANNED: np.ones_like(price),
    }
    drivers[c.IS_ON_PROMOTION][:, DAYS:] = 0.0
    drivers[c.UNIT_PRICE][:, DAYS:] = usual
    statics = keys.to_frame(index=False).assign(**{c.CATEGORY: "toys"})
    return Panel(keys, pd.date_range("2025-01-01", periods=DAYS, name=c.DATE), units[:, :DAYS], drivers, statics)


@pytest.fixture(scope="module")
def forecasts(shop: Panel) -> pd.DataFrame:
    days = pd.date_range(shop.times[-1], periods=HORIZON + 1)[1:]
    return pd.DataFrame(
        {
            c.PRODUCT_ID: PRODUCT,
            c.CHANNEL: np.repeat(["shop", "web"], HORIZON),
            c.DATE: np.tile(days, 2),
            c.HORIZON_DAY: np.tile(np.arange(1, HORIZON + 1), 2),
            c.MEAN_UNITS: 10.0,
        }
    )


@pytest.fixture(scope="module")
def response(shop: Panel) -> PriceResponse:
    known = shop.until(shop.days, HORIZON)
    learned = GlobalLightGBM(longest_step=HORIZON, is_monotone=True).fit_panel(known)
    return PriceResponse.from_payload(learned.to_payload())


def usual_price(shop: Panel) -> float:
    return float(shop.drivers[c.UNIT_PRICE][shop.keys.get_loc((PRODUCT, "web")), -1])


def test_a_dearer_product_never_sells_more(response, shop, forecasts):
    prices = [0.8, 0.9, 1.0, 1.1, 1.25]
    units = [
        what_if(response, shop, forecasts, Change(PRODUCT, "web", unit_price=factor * usual_price(shop)))[WHAT_IF_UNITS]
        for factor in prices
    ]
    assert (np.diff(np.stack(units), axis=0) <= 1e-12).all()
    assert units[0].sum() > 1.1 * units[-1].sum()


def test_the_response_is_near_the_one_the_data_were_made_with(response, shop, forecasts):
    table = what_if(response, shop, forecasts, Change(PRODUCT, "web", unit_price=0.8 * usual_price(shop)))
    web = table[table[c.CHANNEL] == "web"]
    assert web[WHAT_IF_UNITS].sum() / web[c.MEAN_UNITS].sum() == pytest.approx(1.25, rel=0.15)


def test_a_promotion_sells_more_at_the_discounted_price(response, shop, forecasts):
    table = what_if(response, shop, forecasts, Change(PRODUCT, discount_share=0.1))
    assert (table[WHAT_IF_UNITS] > 1.5 * table[c.MEAN_UNITS]).all()
    np.testing.assert_allclose(table[WHAT_IF_PRICE], 0.9 * table[c.UNIT_PRICE])
    np.testing.assert_allclose(table[WHAT_IF_REVENUE], table[WHAT_IF_UNITS] * table[WHAT_IF_PRICE])


def test_what_is_not_changed_is_the_published_forecast(response, shop, forecasts):
    day = (shop.times[-1] + pd.Timedelta(days=3)).date()
    change = Change(PRODUCT, "web", unit_price=0.5 * usual_price(shop), start=day, end=day)
    table = what_if(response, shop, forecasts, change)
    is_changed = (table[c.CHANNEL] == "web") & (table[c.DATE] == pd.Timestamp(day))
    assert is_changed.sum() == 1
    assert (table.loc[~is_changed, WHAT_IF_UNITS] == table.loc[~is_changed, c.MEAN_UNITS]).all()
    assert (table.loc[is_changed, WHAT_IF_UNITS] > table.loc[is_changed, c.MEAN_UNITS]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"product_id": "p3"}, "both given or both missing"),
        ({"product_id": "p3", "unit_price": -1.0}, "price is -1.0"),
        ({"product_id": "p3", "discount_share": 20.0}, "promotion is 20.0"),
        ({"product_id": "nobody", "unit_price": 1.0}, "product 'nobody' has no forecast"),
        ({"product_id": "p3", "channel": "kiosk", "unit_price": 1.0}, "channel 'kiosk' does not sell 'p3'"),
        ({"product_id": "p3", "unit_price": 1.0, "start": datetime.date(2031, 1, 1)}, "no forecast day lies between"),
        (
            {
                "product_id": "p3",
                "unit_price": 1.0,
                "start": datetime.date(2026, 1, 2),
                "end": datetime.date(2026, 1, 1),
            },
            "from is 2026-01-02, after to, 2026-01-01",
        ),
    ],
)
def test_an_impossible_question_is_refused_with_what_is_wrong(response, shop, forecasts, change, message):
    with pytest.raises(ValueError, match=message):
        what_if(response, shop, forecasts, Change(**change))
