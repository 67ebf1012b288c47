import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.fitted_champions import fit_champions, forecast_champions
from storecast.forecasting.forecast import forecast_demand, train_global_models, training_id_of
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.new_products import NewProductForecaster
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.registry import models_named
from storecast.forecasting.selection import Policy, champion_backtests, champions_table

HORIZON = 14
POLICY = Policy(
    {
        "smooth": "auto_ets+lightgbm",
        "erratic": "lightgbm",
        "intermittent": "tsb",
        "lumpy": "lightgbm+tsb+window_average",
    },
    {},
)


@pytest.fixture(scope="module")
def trained(panel):
    """(champions, fitted models, interval scales) of the small shop."""
    specs = models_named(["window_average", "tsb", "auto_ets", "lightgbm"])
    results = backtest(panel, specs, BacktestPlan(HORIZON, 2, 1), seed=1).of_split(c.SELECTION)
    scales = fit_interval_scales(results.actual, champion_backtests(results, POLICY), results.classes)
    fitted = train_global_models(panel, specs, training_id="t", snapshot_hash="h", horizon=HORIZON, seed=1)
    return champions_table(POLICY, panel, "t"), fitted, scales_table(scales, panel.keys, "t")


def forecast(panel, trained, **changes):
    champions, fitted, scales = trained
    keys = {product_id: f"key of {product_id}" for product_id in panel.keys.get_level_values(0)}
    arguments = {"horizon": HORIZON, "partition_keys": keys, "model_version": "7", "seed": 1, **changes}
    return forecast_demand(panel, champions, fitted, scales, **arguments)


@pytest.fixture(scope="module")
def forecasts(panel, trained):
    return c.DemandForecasts.validate(forecast(panel, trained))


def test_every_series_has_every_day_ahead_once(forecasts, panel):
    assert len(forecasts) == len(panel.keys) * HORIZON
    assert not forecasts.duplicated(["product_id", "channel", "date"]).any()
    assert (forecasts["date"] - forecasts["origin_date"]).dt.days.equals(forecasts["horizon_day"])
    assert set(forecasts["origin_date"]) == {panel.times[-1]}


def test_each_thin_history_has_its_fallback_with_the_reason(forecasts):
    first = forecasts[forecasts["horizon_day"] == 1].set_index("product_id")
    assert first.loc["newborn", ["model", "fallback_reason"]].tolist() == [
        "new_product_average",
        "1 day(s) of history, fewer than 14",
    ]
    assert first.loc["constant", "mean_units"] == 2.0
    assert first.loc["dead", "mean_units"] == 0.0
    assert "no sale" in first.loc["dead", "fallback_reason"]
    assert first.loc["slow", ["model", "fallback_reason"]].tolist() == ["tsb", None]


def test_the_model_of_new_products_speaks_where_no_champion_can(panel, trained):
    champions, fitted, scales = trained
    known = train_global_models(
        panel, models_named(["new_products"]), training_id="t", snapshot_hash="h", horizon=HORIZON
    )
    both = pd.concat([fitted, known], ignore_index=True)
    table = forecast(panel, (champions[champions["product_id"] != "young"], both, scales))
    c.DemandForecasts.validate(table)
    first = table[table["horizon_day"] == 1].set_index(["product_id", "channel"])
    is_new = first["model"] == "new_products"
    assert is_new[is_new].index.tolist() == [("newborn", "shop")]  # young is 40 days old, and not new any more
    assert first.loc[("newborn", "shop"), "fallback_reason"] == "too young for a champion"
    own = NewProductForecaster.from_payload(known["payload"].iloc[0])
    row = panel.keys.get_indexer([("newborn", "shop")])
    asked = own.with_panel(panel.take(row).until(panel.days, HORIZON))
    newborn = table[table["product_id"] == "newborn"]
    np.testing.assert_array_equal(newborn["mean_units"], asked.predict_panel(HORIZON)[0])
    assert set(first.loc[~is_new, "model"]) == set(forecast_models(forecast(panel, trained), first.index[~is_new]))


def test_a_young_series_has_the_intervals_of_the_model_of_new_products(panel, trained):
    champions, fitted, scales = trained
    known = train_global_models(
        panel, models_named(["new_products"]), training_id="t", snapshot_hash="h", horizon=HORIZON
    )
    both = pd.concat([fitted, known], ignore_index=True)
    wide = scales.assign(value=scales["value"].where(scales["scope"] != "pool", scales["value"] * 3))
    before, after = (forecast(panel, (champions, both, its_scales)) for its_scales in (scales, wide))
    is_new = before["model"] == "new_products"
    own = NewProductForecaster.from_payload(known["payload"].iloc[0])
    row = panel.keys.get_indexer([("newborn", "shop")])
    said = own.with_panel(panel.take(row).until(panel.days, HORIZON)).predict_quantiles_panel(HORIZON, c.QUANTILES)
    np.testing.assert_array_equal(before.loc[is_new, list(c.UNIT_QUANTILES)], said[0])
    pd.testing.assert_frame_equal(before[is_new], after[is_new])  # back-test errors of others have no part in them
    assert (before.loc[~is_new, "p95_units"] < after.loc[~is_new, "p95_units"]).any()
    stored = fit_champions(panel, champions, both, training_id="t")
    keys = {product_id: f"key of {product_id}" for product_id in panel.keys.get_level_values(0)}
    later = forecast_champions(stored, scales, horizon=HORIZON, partition_keys=keys, model_version="7", seed=1)
    pd.testing.assert_frame_equal(later[is_new], before[is_new], check_exact=True)


def forecast_models(table, keys):
    """The models of some series in a table of forecasts, young ones without their champion."""
    models = table[table["horizon_day"] == 1].set_index(["product_id", "channel"])["model"]
    return ["seasonal_naive" if key == ("young", "shop") else models[key] for key in keys]


def test_one_product_alone_gets_the_same_numbers_to_the_last_bit(forecasts, panel, trained, daily_demand,
                                                                planned_drivers, products):  # fmt: skip
    champions, fitted, scales = trained
    for product_id in panel.keys.get_level_values(0).unique():
        of_product = [table[table["product_id"] == product_id] for table in (daily_demand, planned_drivers, products)]
        own = panel_from_tables(*of_product)
        own_scales = scales[scales["product_id"].isna() | (scales["product_id"] == product_id)]
        alone = forecast(own, (champions[champions["product_id"] == product_id], fitted, own_scales))
        expected = forecasts[forecasts["product_id"] == product_id].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_the_same_input_gives_the_same_forecasts(forecasts, panel, trained):
    pd.testing.assert_frame_equal(forecast(panel, trained), forecasts, check_exact=True)


def test_an_ensemble_is_the_mean_of_its_members(forecasts, panel, trained):
    champions, fitted, scales = trained
    row = (forecasts["product_id"] == "fast") & (forecasts["channel"] == "shop")
    alone = []
    for model in ("auto_ets", "lightgbm"):
        changed = champions.assign(model=champions["model"].where(champions["product_id"] != "fast", model))
        alone.append(forecast(panel, (changed, fitted, scales))[row]["mean_units"])
    np.testing.assert_allclose(forecasts[row]["mean_units"], (alone[0] + alone[1]) / 2)


def test_a_series_without_a_champion_is_seasonal_naive_with_the_reason(panel, trained):
    champions, fitted, scales = trained
    table = forecast(panel, (champions[champions["product_id"] != "slow"], fitted, scales))
    slow = table[table["product_id"] == "slow"]
    assert set(slow["model"]) == {"seasonal_naive"}
    assert set(slow["fallback_reason"]) == {"no champion: the series began after the last training"}
    row = panel.keys.get_loc(("slow", "shop"))
    np.testing.assert_array_equal(slow["mean_units"], np.tile(panel.units[row, -7:], 2))


def test_a_missing_global_model_is_an_error_that_names_it(panel, trained):
    champions, fitted, scales = trained
    with pytest.raises(ValueError, match="0 rows of model 'lightgbm'"):
        forecast(panel, (champions, fitted.iloc[:0], scales))


def test_a_product_without_a_partition_key_is_an_error_that_names_it(panel, trained):
    with pytest.raises(ValueError, match="'constant'"):
        forecast(panel, trained, partition_keys={})


def test_the_fitted_model_is_text_with_its_parameters(trained, panel):
    fitted = c.FittedModels.validate(trained[1])
    assert fitted["model"].tolist() == ["lightgbm"]
    assert '"horizon": 14' in fitted["parameters"][0]
    assert fitted["origin_date"][0] == panel.times[-1]
    assert fitted["payload"][0].isprintable()


def test_a_training_is_named_by_its_data_and_parameters():
    assert training_id_of("a", {"x": 1, "y": 2}) == training_id_of("a", {"y": 2, "x": 1})
    assert len({training_id_of("a", {}), training_id_of("b", {}), training_id_of("a", {"x": 1})}) == 3
