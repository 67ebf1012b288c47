"""What the assets of this room ask of the warehouse."""

import pandas as pd
import pytest

from storecast.forecasting.assets import keep_partitions, model_version_of
from storecast.settings import Settings
from storecast.warehouse.resources import WarehouseResource

KEYS = ["product_id", "partition_key"]


@pytest.fixture
def warehouse(tmp_path) -> WarehouseResource:
    return WarehouseResource.of(Settings(data_dir=tmp_path))


def test_forecasts_follow_their_product_to_the_key_it_shares_with_others(warehouse):
    opened = warehouse.open()
    former = pd.DataFrame({"product_id": ["a", "b", "gone"], "partition_key": ["a", "b", "gone"], "units": [1.0, 2, 3]})
    opened.replace_table("gold.demand_forecasts", former)
    opened.replace_table("ops.product_partitions", pd.DataFrame([("a", "group-001"), ("b", "b")], columns=KEYS))
    keep_partitions(warehouse, "gold.demand_forecasts")
    kept = warehouse.read("select * from gold.demand_forecasts order by product_id")
    assert kept["partition_key"].tolist() == ["group-001", "b", "gone"]
    assert kept["units"].tolist() == [1.0, 2.0, 3.0]


def test_a_table_that_is_not_there_yet_has_no_keys_to_keep(warehouse):
    warehouse.open().replace_table("ops.product_partitions", pd.DataFrame([("a", "a")], columns=KEYS))
    keep_partitions(warehouse, "gold.demand_forecasts")
    assert not warehouse.open().exists("gold.demand_forecasts")


def test_a_forecast_names_the_version_of_the_training_that_made_it_wherever_the_alias_leads(warehouse):
    opened = warehouse.open()
    opened.replace_table("ops.champions", pd.DataFrame({"training_id": ["first", "first"]}))
    versions = [("first", "1", None), ("second", "2", "champion")]
    columns = ["training_id", "model_version", "alias"]
    opened.replace_table("ops.registered_models", pd.DataFrame(versions, columns=columns))
    assert model_version_of(warehouse) == "1"
    opened.replace_table("ops.champions", pd.DataFrame({"training_id": ["third"]}))
    with pytest.raises(ValueError, match="0 versions of the champions' training"):
        model_version_of(warehouse)
