"""The sensor on a real Dagster instance and a real warehouse, after the check has really failed."""

import dagster as dg
import pandas as pd
import pytest

from storecast.forecasting import automation
from storecast.forecasting.assets import PRODUCTS
from storecast.forecasting.checks import every_product_has_a_forecast
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import WarehouseResource

LAST_DATE = pd.Timestamp("2026-03-30")
KEYS = ["../../etc/passwd", "007", "O'Brien's", *(f"P{number:02}" for number in range(17))]


class Shop:
    """Twenty products, each its own partition, whose forecasts from the last day loaded are those named."""

    def __init__(self, folder) -> None:
        self.warehouse = Warehouse(folder / "warehouse.duckdb")
        self.resources = {"warehouse": WarehouseResource(path=str(self.warehouse.path))}
        (folder / "instance").mkdir()
        self.instance = dg.DagsterInstance.local_temp(str(folder / "instance"))
        self.instance.add_dynamic_partitions(PRODUCTS.name, KEYS)
        self.warehouse.replace_table("gold.daily_demand", pd.DataFrame({"date": [LAST_DATE]}))
        products = pd.DataFrame({"product_id": KEYS, "partition_key": KEYS})
        self.warehouse.replace_table("ops.product_partitions", products)
        self.cursor: str | None = None

    def forecast(self, keys: list[str]) -> None:
        """Store the forecasts of some products alone, and have the check look at them."""
        made = pd.DataFrame({"product_id": keys, "origin_date": LAST_DATE})
        self.warehouse.replace_table("gold.demand_forecasts", made)
        definitions = dg.Definitions(
            asset_checks=[every_product_has_a_forecast],
            jobs=[dg.define_asset_job("check", dg.AssetSelection.all_asset_checks())],
            resources=self.resources,
        )
        definitions.resolve_job_def("check").execute_in_process(instance=self.instance)

    def tick(self) -> list[dg.RunRequest] | str:
        """Return what the sensor asks for, or why it asks for nothing."""
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            told = automation.missing_forecasts(context, **self.resources)
        if isinstance(told, dg.SkipReason):
            return str(told.skip_message)
        assert isinstance(told, dg.SensorResult)
        self.cursor = told.cursor
        return list(told.run_requests or [])


@dg.job(name="train")
def nothing() -> None:
    """Stand in the queue under the name of the training."""


@pytest.fixture
def shop(tmp_path):
    made = Shop(tmp_path)
    yield made
    made.instance.dispose()


def test_products_left_out_are_requested_once_and_under_the_same_keys_if_they_fail_again(shop):
    assert shop.tick() == "the check was not evaluated anew"
    shop.forecast(KEYS[2:])
    first = shop.tick()
    assert [request.partition_key for request in first] == sorted(KEYS[:2])
    assert [request.run_key for request in first] == [f"2026-03-30 {key}" for key in sorted(KEYS[:2])]
    assert shop.tick() == "the check was not evaluated anew"
    shop.forecast(KEYS[2:])
    again = shop.tick()
    assert [request.run_key for request in again] == [request.run_key for request in first]


def test_many_products_left_out_are_one_run_of_the_whole_catalogue(shop):
    shop.forecast(KEYS[:4])
    [request] = shop.tick()
    assert request.run_key == "2026-03-30 of all"
    assert request.partition_key is None
    assert [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")] == [KEYS[0], KEYS[-1]]


def test_nothing_is_requested_where_all_is_there_or_a_run_that_makes_it_is_under_way(shop):
    shop.forecast(KEYS)
    assert shop.tick() == "the newest evaluation is succeeded"
    shop.forecast(KEYS[1:])
    under_way = shop.instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
    assert shop.tick() == "a run that may make the missing forecasts is under way"
    shop.instance.report_run_failed(under_way)
    assert [request.partition_key for request in shop.tick()] == KEYS[:1]
