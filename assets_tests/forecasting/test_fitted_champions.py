import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.fitted_champions import (
    champions_from_table,
    champions_to_table,
    fit_champions,
    forecast_champions,
)
from storecast.forecasting.forecast import forecast_demand, train_global_models
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.registry import models_named
from storecast.warehouse.database import Warehouse

HORIZON = 14
CHAMPIONS = {
    ("fast", "shop"): "auto_ets+lightgbm",
    ("fast", "market"): "theta",
    ("jumpy", "shop"): "croston+lightgbm+window_average",
    ("slow", "shop"): "tsb",
    ("lumpy", "shop"): "sba+seasonal_naive",
    ("young", "shop"): "adida",
    ("constant", "shop"): "historic_average",
    ("dead", "shop"): "lightgbm",
}


def until(table, last):
    return table[table["date"] <= last]


@pytest.fixture(scope="module")
def before(daily_demand):
    """The day before the last one: "newborn" has not begun."""
    return daily_demand["date"].max() - pd.Timedelta(1, "D")


@pytest.fixture(scope="module")
def plans(daily_demand, planned_drivers, before):
    """The plans of that day, its last day planned as it came."""
    return pd.concat([daily_demand.loc[daily_demand["date"] > before, planned_drivers.columns], planned_drivers])


@pytest.fixture(scope="module")
def early(daily_demand, plans, products, before):
    """The shop a day before."""
    return panel_from_tables(until(daily_demand, before), plans, products)


@pytest.fixture(scope="module")
def that_day(daily_demand, plans, products, before):
    """The last day that was known then with the plans after it: what a stored set is given to forecast by."""
    return panel_from_tables(daily_demand[daily_demand["date"] == before], plans, products)


@pytest.fixture(scope="module")
def champions(early):
    keys = early.keys.to_frame(index=False)
    return keys.assign(model=[CHAMPIONS[key] for key in early.keys], demand_class="smooth")


@pytest.fixture(scope="module")
def fitted_models(early):
    specs = models_named(["lightgbm"])
    return train_global_models(early, specs, training_id="t", snapshot_hash="h", horizon=HORIZON, seed=1)


@pytest.fixture(scope="module")
def scales(early):
    rng = np.random.default_rng(0)
    actual = rng.poisson(3.0, (2, len(early.keys), HORIZON)).astype(float)
    classes = np.full(actual.shape[:2], "smooth", dtype=object)
    return scales_table(fit_interval_scales(actual, np.full(actual.shape, 3.0), classes), early.keys, "t")


@pytest.fixture(scope="module")
def fitted(early, champions, fitted_models):
    return fit_champions(early, champions, fitted_models, training_id="t")


@pytest.fixture(scope="module")
def later(daily_demand, planned_drivers, products, before):
    """The newest days, as they are read for an update."""
    return panel_from_tables(daily_demand[daily_demand["date"] >= before], planned_drivers, products)


@pytest.fixture
def publishing(daily_demand):
    keys = {product: product for product in daily_demand["product_id"]}
    return {"horizon": HORIZON, "partition_keys": keys, "model_version": "7"}


def stored(fitted, fitted_models):
    return champions_from_table(champions_to_table(fitted), fitted_models)


def test_what_is_kept_says_what_the_history_says_bit_for_bit(
    fitted, early, champions, fitted_models, scales, publishing
):
    expected = forecast_demand(early, champions, fitted_models, scales, **publishing)
    forecasts = forecast_champions(fitted, scales, **publishing)
    pd.testing.assert_frame_equal(forecasts, expected, check_exact=True)
    c.DemandForecasts.validate(forecasts)


def test_what_is_read_again_says_the_same_bit_for_bit_and_so_does_one_product_alone(
    fitted, fitted_models, that_day, scales, publishing
):
    table = champions_to_table(fitted)
    c.FittedChampions.validate(table)
    expected = forecast_champions(fitted, scales, **publishing)
    again = champions_from_table(table, fitted_models).updated(that_day)
    pd.testing.assert_frame_equal(forecast_champions(again, scales, **publishing), expected, check_exact=True)
    for product in ("fast", "jumpy", "young"):
        own_day = that_day.take(that_day.keys.get_level_values(0) == product)
        alone = champions_from_table(table[table["product_id"] == product], fitted_models).updated(own_day)
        own = expected[expected["product_id"] == product].reset_index(drop=True)
        pd.testing.assert_frame_equal(forecast_champions(alone, scales, **publishing), own, check_exact=True)


def test_it_lies_in_the_warehouse_without_a_pickle(fitted, fitted_models, that_day, tmp_path):
    warehouse = Warehouse(tmp_path / "warehouse.duckdb")
    warehouse.replace_table("ops.fitted_champions", champions_to_table(fitted))
    with warehouse.reading() as connection:
        found = connection.sql("select * from ops.fitted_champions where product_id = 'fast'")
        table, columns = found.df(), found.fetchnumpy()
    rows = fitted.recent.keys.get_level_values(0) == "fast"
    for read in (table, columns):
        again = champions_from_table(read, fitted_models).updated(that_day.take(rows))
        np.testing.assert_array_equal(again.mean_units(HORIZON), fitted.mean_units(HORIZON)[rows])
    for blob in [*table["states_blob"], *table["days_blob"], table["layout"].iloc[0].encode()]:
        assert b"numpy" not in bytes(blob)
        assert b"storecast" not in bytes(blob)


def test_a_day_more_is_what_the_whole_history_says_where_nothing_is_chosen_by_looking_back(
    fitted, later, daily_demand, planned_drivers, products, champions, fitted_models, scales, publishing
):
    """Weights of theta and ETS, which were chosen, stay as they were: only they may differ."""
    whole = panel_from_tables(daily_demand, planned_drivers, products)
    expected = forecast_demand(whole, champions, fitted_models, scales, **publishing)
    forecasts = forecast_champions(fitted.updated(later), scales, **publishing)
    order = ["product_id", "channel", "date"]
    both = expected.merge(forecasts, on=order, suffixes=("", "_updated"), validate="one_to_one")
    assert len(both) == len(expected)
    assert (both["model"] == both["model_updated"]).all()
    assert (both["fallback_reason"].fillna("") == both["fallback_reason_updated"].fillna("")).all()
    is_chosen = both["model"].str.contains("theta|ets")
    exact = both[~is_chosen]
    np.testing.assert_array_equal(exact["mean_units_updated"], exact["mean_units"])
    np.testing.assert_allclose(both["mean_units_updated"][is_chosen], both["mean_units"][is_chosen], rtol=0.2)


def test_days_one_by_one_and_a_reload_between_are_the_days_at_once(
    fitted, later, fitted_models, daily_demand, products
):
    week = pd.date_range(daily_demand["date"].max(), periods=8)[1:]
    template = until(daily_demand, week[0])
    template = template[template["date"] == template["date"].max()]
    rng = np.random.default_rng(4)
    days = [template.assign(date=day, units=rng.poisson(5.0, len(template)).astype(float)) for day in week]
    one_by_one = at_once = fitted.updated(later)
    for day in days:
        one_by_one = stored(one_by_one, fitted_models).updated(panel_from_tables(day, None, products))
    at_once = at_once.updated(panel_from_tables(pd.concat(days), None, products))
    np.testing.assert_array_equal(one_by_one.recent.units, at_once.recent.units)
    np.testing.assert_array_equal(one_by_one.mean_units(HORIZON), at_once.mean_units(HORIZON))
    assert one_by_one.origin == week[-1]


def test_only_days_that_some_champion_reads_are_kept(early, champions, fitted_models):
    closed = fit_champions(early, champions.assign(model="tsb+window_average"), fitted_models, training_id="t")
    assert closed.recent.days == 182
    assert closed.recent.drivers == {}
    whole = fit_champions(early, champions, fitted_models, training_id="t")
    assert whole.recent.days == early.days
    assert set(whole.recent.drivers) == set(early.drivers)


@pytest.mark.slow
def test_fitting_shared_out_over_processes_changes_nothing(early):
    rows = np.tile(early.keys.get_indexer([("fast", "shop"), ("fast", "market"), ("jumpy", "shop")]), 15)
    keys = pd.MultiIndex.from_tuples([(f"product {number}", "shop") for number in range(len(rows))])
    keys = keys.set_names(["product_id", "channel"])
    many = replace(early.take(rows), keys=keys, statics=keys.to_frame(index=False).assign(category="all"))
    champions = keys.to_frame(index=False).assign(model="auto_ets+tsb", demand_class="smooth")
    alone = fit_champions(many, champions, pd.DataFrame(), training_id="t")
    shared_out = fit_champions(many, champions, pd.DataFrame(), training_id="t", n_jobs=2)
    for name, states in alone.states.items():
        assert shared_out.states[name].tobytes() == states.tobytes()


def test_a_sold_out_day_moves_a_state_by_the_demand_that_is_estimated(fitted, later):
    row = fitted.recent.keys.get_loc(("slow", "shop"))
    flags = np.ones(later.units.shape, dtype=bool)
    flags[later.keys.get_loc(("slow", "shop")), -1] = False
    sold_out = fitted.updated(replace(later, is_in_stock=flags))
    plain = fitted.updated(later)
    assert sold_out.recent.units[row, -1] > plain.recent.units[row, -1]
    assert sold_out.mean_units(HORIZON)[row, 0] > plain.mean_units(HORIZON)[row, 0]


def test_rows_of_two_trainings_are_an_error(fitted, fitted_models):
    table = champions_to_table(fitted)
    with pytest.raises(ValueError, match="more than one training"):
        champions_from_table(pd.concat([table, table.assign(training_id="other")]), fitted_models)
    with pytest.raises(ValueError, match="or none"):
        champions_from_table(table.head(0), fitted_models)


def test_a_champion_whose_global_model_is_missing_is_an_error(early, champions, fitted_models, fitted):
    with pytest.raises(ValueError, match="0 rows of model 'lightgbm'"):
        fit_champions(early, champions, fitted_models.head(0), training_id="t")
    with pytest.raises(ValueError, match="0 rows of model 'lightgbm'"):
        champions_from_table(champions_to_table(fitted), fitted_models.head(0))


def test_the_layout_tells_how_the_blobs_are_read(fitted):
    record = json.loads(champions_to_table(fitted)["layout"].iloc[0])
    assert record["days"][0] == ["units", fitted.recent.days, "int8"]
    assert record["events"] == ["payday"]
    assert set(record["states"]) == {"auto_ets", "theta", "croston", "tsb", "sba", "historic_average"}
