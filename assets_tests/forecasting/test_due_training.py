"""When a whole training is due."""

from datetime import date, timedelta

import pandas as pd
import pytest

from storecast.forecasting.due_training import Training, due_now, due_training, newest_training
from storecast.forecasting.forecast import training_id_of
from storecast.forecasting.trainings import training_of
from storecast.settings import Settings
from storecast.warehouse import Warehouse

LAST_DAY = date(2026, 6, 30)


@pytest.fixture
def shop(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def warehouse(shop) -> Warehouse:
    opened = Warehouse(shop.warehouse_path)
    opened.replace_table("gold.daily_demand", pd.DataFrame({"date": [pd.Timestamp(LAST_DAY)], "units": [3.0]}))
    products = pd.DataFrame({"product_id": ["a"], "category": ["c"], "seller_id": ["s"]})
    opened.replace_table("silver.products", products)
    return opened


def register(warehouse: Warehouse, *trainings: tuple[str, date]) -> None:
    rows = [(name, version, pd.Timestamp(day)) for version, (name, day) in enumerate(trainings, 1)]
    columns = ["training_id", "model_version", "origin_date"]
    warehouse.replace_table("ops.registered_models", pd.DataFrame(rows, columns=columns))


def test_a_shop_without_a_training_is_trained(warehouse, shop):
    assert due_now(warehouse, shop) == due_training(None, LAST_DAY, {}, 28)
    assert due_now(warehouse, shop).is_due


def test_a_training_is_not_repeated_before_it_is_so_many_days_of_data_old(warehouse, shop):
    training_id, _ = training_of(warehouse, shop)
    for age_days, is_due in ((0, False), (27, False), (28, True), (400, True)):
        register(warehouse, (training_id, LAST_DAY - timedelta(days=age_days)))
        due = due_now(warehouse, shop)
        assert due.is_due is is_due
        assert f"{age_days} days of data old" in due.reason
    assert not due_now(warehouse, shop.model_copy(update={"retrain_days": 401})).is_due


@pytest.mark.parametrize("changed", [{"horizon_days": 14}, {"models": ("tsb",)}, {"seed": 1}, {"selection_origins": 1}])
def test_other_settings_ask_for_a_training_at_once(warehouse, shop, changed):
    training_id, _ = training_of(warehouse, shop)
    register(warehouse, (training_id, LAST_DAY))
    due = due_now(warehouse, shop.model_copy(update=changed))
    assert due.is_due
    assert "changed since the newest training" in due.reason


def test_settings_that_decide_no_training_ask_for_none(warehouse, shop):
    training_id, _ = training_of(warehouse, shop)
    register(warehouse, (training_id, LAST_DAY))
    assert not due_now(warehouse, shop.model_copy(update={"fit_processes": 1, "alert_bias": 0.5})).is_due


def test_tuned_parameters_ask_for_a_training_at_once(warehouse, shop):
    training_id, _ = training_of(warehouse, shop)
    register(warehouse, (training_id, LAST_DAY))
    warehouse.replace_table("ops.tuned_parameters", pd.DataFrame({"model": ["lightgbm"], "parameters": ['{"x": 1}']}))
    assert due_now(warehouse, shop).is_due


def test_new_data_alone_ask_for_none(warehouse, shop):
    training_id, _ = training_of(warehouse, shop)
    register(warehouse, (training_id, LAST_DAY))
    days = pd.DataFrame({"date": pd.date_range(LAST_DAY, periods=28), "units": 1.0})
    warehouse.replace_table("gold.daily_demand", days)
    assert training_of(warehouse, shop)[0] != training_id
    assert not due_now(warehouse, shop).is_due


def test_the_newest_training_counts_whichever_forecasts(warehouse):
    register(warehouse, ("old", date(2026, 1, 1)), ("new", date(2026, 6, 1)))
    assert newest_training(warehouse) == Training("new", date(2026, 6, 1))


def test_a_table_of_before_trainings_told_their_day_is_no_training(warehouse):
    assert newest_training(warehouse) is None
    warehouse.replace_table("ops.registered_models", pd.DataFrame({"training_id": ["t"], "model_version": [1]}))
    assert newest_training(warehouse) is None


def test_a_training_s_name_tells_apart_what_decided_it_and_what_it_saw():
    names = [training_id_of(data, {"seed": seed}) for data in ("a", "b") for seed in (1, 2)]
    assert len(set(names)) == 4
    assert [name.split("-")[0] for name in names[:2]] == [name.split("-")[0] for name in names[2:]]
