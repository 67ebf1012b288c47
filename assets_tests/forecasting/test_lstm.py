import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.baselines import SeasonalNaive
from storecast.forecasting.lstm import GlobalLSTM
from storecast.forecasting.metrics import coverage, wape
from storecast.forecasting.panel import Panel

pytestmark = [pytest.mark.slow, pytest.mark.skipif(find_spec("keras") is None, reason="extra `deep` not here")]
HORIZON, SMALL = 28, {"cells": 8, "epochs": 3, "context_days": 28, "seed": 3}
PROMOTION_EFFECT, WEEKEND_EFFECT = 2.0, 1.6


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    return panel.until(panel.days, HORIZON)


@pytest.fixture(scope="module")
def fitted(known: Panel) -> GlobalLSTM:
    return GlobalLSTM(**SMALL).fit_panel(known)


@pytest.fixture(scope="module")
def simulated() -> tuple[Panel, np.ndarray]:
    """Thirty series of 240 days that sell double on promotion and 60 % more at weekends, and their true mean."""
    rng = np.random.default_rng(0)
    series, days = 30, 240
    times = pd.date_range("2025-01-01", periods=days + HORIZON)
    promotion = rng.random((series, days + HORIZON)) < 0.15
    mean = rng.uniform(2, 30, (series, 1)) * np.where(times.dayofweek >= 5, WEEKEND_EFFECT, 1.0)
    mean = mean * np.where(promotion, PROMOTION_EFFECT, 1.0)
    keys = pd.MultiIndex.from_product([[f"p{n:02d}" for n in range(series)], ["shop"]], names=["product_id", "channel"])
    drivers = {
        "unit_price": np.where(promotion, 8.0, 10.0),
        "is_on_promotion": promotion.astype(float),
        "discount_share": np.where(promotion, 0.2, 0.0),
        "is_price_planned": np.ones_like(mean),
    }
    units = rng.poisson(mean).astype(float)
    panel = Panel(keys, times, units, drivers, keys.to_frame(index=False))
    return panel, mean


@pytest.fixture(scope="module")
def learned(simulated) -> GlobalLSTM:
    panel, _ = simulated
    return GlobalLSTM(cells=16, learning_rate=0.01, seed=1).fit_panel(panel.until(panel.days - HORIZON, HORIZON))


def test_it_learns_weekday_and_promotion_better_than_seasonal_naive(simulated, learned):
    panel, mean = simulated
    known, truth = panel.until(panel.days - HORIZON, HORIZON), mean[:, -HORIZON:]
    forecast, naive = learned.predict_panel(HORIZON), SeasonalNaive().fit_panel(known).predict_panel(HORIZON)
    assert wape(truth, forecast) < 0.5 * wape(truth, naive)
    level = truth / forecast
    is_promoted = panel.drivers["is_on_promotion"][:, -HORIZON:] > 0
    is_weekend = np.broadcast_to(panel.times[-HORIZON:].dayofweek >= 5, forecast.shape)
    assert level[is_promoted].mean() / level[~is_promoted].mean() == pytest.approx(1.0, abs=0.15)
    assert level[is_weekend].mean() / level[~is_weekend].mean() == pytest.approx(1.0, abs=0.1)


def test_its_own_quantiles_cover_what_they_say(simulated, learned):
    panel, _ = simulated
    low, high = np.moveaxis(learned.predict_quantiles_panel(HORIZON, (0.05, 0.95)), 2, 0)
    assert coverage(panel.units[:, -HORIZON:], low, high) == pytest.approx(0.9, abs=0.07)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_model(known, fitted):
    again = GlobalLSTM(**SMALL).fit_panel(known)
    other = GlobalLSTM(**{**SMALL, "seed": 4}).fit_panel(known)
    assert again.to_payload() == fitted.to_payload()
    assert not np.array_equal(other.predict_panel(HORIZON), fitted.predict_panel(HORIZON))


def test_another_process_on_one_core_gives_the_same_bits(known, fitted, tmp_path):
    bare = Panel(known.keys, known.times, known.units, statics=known.statics)
    np.save(tmp_path / "units.npy", bare.units)
    bare.statics.to_json(tmp_path / "statics.json", orient="table")
    code = f"""if True:
        import os, sys
        os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
        import numpy as np, pandas as pd
        from storecast.forecasting.lstm import GlobalLSTM
        from storecast.forecasting.panel import Panel
        statics = pd.read_json("statics.json", orient="table")
        keys = pd.MultiIndex.from_frame(statics[["product_id", "channel"]])
        units = np.load("units.npy")
        panel = Panel(keys, pd.date_range({str(known.times[0])!r}, periods=units.shape[1]), units, statics=statics)
        sys.stdout.write(GlobalLSTM(**{SMALL!r}).fit_panel(panel).to_payload())"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == GlobalLSTM(**SMALL).fit_panel(bare).to_payload()


def test_a_payload_is_text_without_a_pickle_and_predicts_the_same_to_the_last_bit(fitted, known):
    payload = fitted.to_payload()
    assert payload.isprintable()
    loaded = GlobalLSTM.from_payload(payload).with_panel(known)
    np.testing.assert_array_equal(loaded.predict_panel(HORIZON), fitted.predict_panel(HORIZON))
    assert loaded.to_payload() == payload


def test_one_product_alone_is_forecast_the_same_to_the_last_bit(fitted, known):
    together = fitted.predict_panel(HORIZON)
    for row in range(len(known.keys)):
        alone = GlobalLSTM.from_payload(fitted.to_payload()).with_panel(known.take(np.array([row])))
        np.testing.assert_array_equal(alone.predict_panel(HORIZON)[0], together[row])


def test_a_product_training_never_saw_is_forecast_from_its_own_history(fitted, known):
    keys = pd.MultiIndex.from_tuples([("stranger", "elsewhere")], names=known.keys.names)
    statics = pd.DataFrame({"product_id": ["stranger"], "channel": ["elsewhere"], "category": ["unheard"]})
    stranger = Panel(keys, known.times, np.full((1, known.days), 6.0), statics=statics)
    assert 2 < fitted.clone().fit_panel(known).with_panel(stranger).predict_panel(HORIZON).mean() < 18


def test_a_horizon_beyond_the_trained_one_begins_as_the_shorter_one_and_goes_on(fitted, panel, known):
    longer = GlobalLSTM.from_payload(fitted.to_payload()).with_panel(panel.until(panel.days, 60)).predict_panel(60)
    np.testing.assert_array_equal(longer[:, :HORIZON], fitted.predict_panel(HORIZON))
    assert np.isfinite(longer).all()


def test_too_few_windows_give_the_level_and_the_reason(known):
    forecaster = GlobalLSTM(**SMALL, min_windows=10_000)
    with pytest.warns(UserWarning, match="level: .* windows to learn from, fewer than 10000"):
        forecaster.fit_panel(known)
    row = known.keys.get_loc(("fast", "shop"))
    level = (known.units[row, -28:].mean() + known.units[row, -91:].mean()) / 2
    np.testing.assert_allclose(forecaster.predict_panel(3)[row], level, rtol=1e-6)
    assert "fewer than 10000" in json.loads(forecaster.to_payload())["fallback_reason"]
    assert GlobalLSTM.from_payload(forecaster.to_payload()).fallback_reason_ == forecaster.fallback_reason_


def test_a_history_without_any_sale_is_forecast_as_none(known):
    nothing = Panel(known.keys, known.times, np.zeros_like(known.units), statics=known.statics)
    with pytest.warns(UserWarning, match="nothing was sold"):
        forecaster = GlobalLSTM(**SMALL).fit_panel(nothing)
    assert not forecaster.predict_panel(7).any()


def test_the_days_held_out_are_not_learned_from(known):
    changed = known.units.copy()
    changed[:, -HORIZON:] *= 0.9
    one_epoch = {**SMALL, "epochs": 1, "learning_rate": 0.01}
    as_it_was = GlobalLSTM(**one_epoch).fit_panel(known)
    altered = GlobalLSTM(**one_epoch).fit_panel(known.with_units(changed))
    assert as_it_was.losses_ != altered.losses_
    assert len(as_it_was.weights_) > 0
    for one, other in zip(as_it_was.weights_, altered.weights_, strict=True):
        np.testing.assert_array_equal(one, other)
