import subprocess
import sys

import numpy as np
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.forecast import train_global_models
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import Panel, panel_from_tables
from storecast.forecasting.price_response import PriceResponse
from storecast.forecasting.registry import PRICE_RESPONSE, REGISTRY
from storecast.forecasting.unconstraining import unconstrained

HORIZON = 14


@pytest.fixture(scope="module")
def sold_out(daily_demand, planned_drivers, products) -> tuple:
    """The small shop's tables, a product sold out now and then."""
    is_out = (daily_demand["product_id"] == "fast") & (daily_demand["date"].dt.day % 9 == 0)
    return daily_demand.assign(is_in_stock=~is_out), planned_drivers, products


@pytest.fixture(scope="module")
def known(sold_out) -> Panel:
    panel = unconstrained(panel_from_tables(*sold_out))
    return panel.until(panel.days, HORIZON)


@pytest.fixture(scope="module")
def stored(sold_out) -> str:
    """The payload that a training writes."""
    panel = panel_from_tables(*sold_out)
    rows = train_global_models(panel, [PRICE_RESPONSE], training_id="t", snapshot_hash="h", horizon=HORIZON, seed=3)
    return rows[c.PAYLOAD].item()


def at_price(panel: Panel, factor: float) -> Panel:
    """The plan with other prices on the days ahead."""
    price = panel.drivers[c.UNIT_PRICE].copy()
    price[:, panel.days :] *= factor
    return panel.with_drivers({**panel.drivers, c.UNIT_PRICE: price})


def test_the_stored_response_is_the_one_that_is_learned_directly(known, stored):
    learned = GlobalLightGBM(longest_step=HORIZON, is_monotone=True, seed=3).fit_panel(known)
    before, after = (learned.with_panel(shown).predict_panel(HORIZON) for shown in (known, at_price(known, 0.7)))
    expected = np.divide(after, before, out=np.ones_like(after), where=before > 1e-9)
    ratio = PriceResponse.from_payload(stored).ratio(known, at_price(known, 0.7), HORIZON)
    np.testing.assert_array_equal(ratio, expected)
    assert ratio.max() > 1.1


def test_beside_a_champion_it_is_trained_as_alone(sold_out, stored):
    specs = (REGISTRY["lightgbm"], PRICE_RESPONSE)
    panel = panel_from_tables(*sold_out)
    rows = train_global_models(panel, specs, training_id="t", snapshot_hash="h", horizon=HORIZON, seed=3)
    payloads = dict(zip(rows[c.MODEL], rows[c.PAYLOAD], strict=True))
    known = unconstrained(panel).until(panel.days, HORIZON)
    alone = REGISTRY["lightgbm"].forecaster(3, 1, HORIZON).fit_panel(known)
    assert payloads == {"lightgbm": alone.to_payload(), PRICE_RESPONSE.name: stored}


def test_the_dearer_the_fewer(known, stored):
    response = PriceResponse.from_payload(stored)
    ratios = np.stack([response.ratio(known, at_price(known, factor), HORIZON) for factor in (0.5, 0.8, 1, 1.25, 2)])
    assert (np.diff(ratios, axis=0) <= 1e-12).all()
    np.testing.assert_array_equal(ratios[2], 1.0)


@pytest.mark.parametrize("product", ["fast", "young", "newborn", "dead"])
def test_a_product_alone_gets_the_numbers_that_it_has_in_the_whole_shop(known, stored, sold_out, product):
    response = PriceResponse.from_payload(stored)
    of_all = response.ratio(known, at_price(known, 0.7), HORIZON)[known.keys.get_level_values(0) == product]
    panel = panel_from_tables(*(table[table["product_id"] == product] for table in sold_out))
    alone = unconstrained(panel).until(panel.days, HORIZON)
    np.testing.assert_allclose(response.ratio(alone, at_price(alone, 0.7), HORIZON), of_all, rtol=1e-12)


def test_where_nothing_was_to_learn_from_nothing_is_answered(known):
    few = known.take(known.keys.get_level_values(0) == "newborn")
    stored = GlobalLightGBM(longest_step=HORIZON, is_monotone=True).fit_panel(few).to_payload()
    np.testing.assert_array_equal(PriceResponse.from_payload(stored).ratio(few, at_price(few, 2.0), HORIZON), 1.0)


def test_it_is_nobodys_champion():
    assert PRICE_RESPONSE.name not in REGISTRY
    assert PRICE_RESPONSE.forecaster(0, 1, HORIZON).get_params()["is_monotone"]


def test_a_question_imports_neither_sktime_nor_dagster_and_lightgbm_only_when_it_is_answered():
    heavy = "{'sktime', 'sklearn', 'lightgbm', 'dagster', 'mlflow', 'matplotlib'} & set(sys.modules)"
    code = f"import sys, storecast.cli, storecast.price_question; print(sorted({heavy}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
