"""Names of trainings."""

import pandas as pd
import pytest

from storecast.forecasting.trainings import name_training
from storecast.warehouse import Warehouse


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    opened = Warehouse(tmp_path / "warehouse.duckdb")
    opened.replace_table("ops.champions", pd.DataFrame({"training_id": ["first", "first"], "product_id": ["a", "b"]}))
    return opened


def test_back_tests_of_levels_from_before_trainings_lay_side_by_side_get_the_name_of_theirs(warehouse):
    warehouse.replace_table("ops.level_backtests", pd.DataFrame({"node": ["total", "a"], "units": [3.0, 1.0]}))
    for _ in range(2):
        name_training(warehouse)
    named = warehouse.read("select training_id, node, units from ops.level_backtests order by units")
    assert named.to_numpy().tolist() == [["first", "a", 1.0], ["first", "total", 3.0]]


def test_back_tests_that_name_their_training_stay_as_they_are(warehouse):
    two = pd.DataFrame({"training_id": ["first", "second"], "node": ["total", "total"]})
    warehouse.replace_table("ops.level_backtests", two)
    name_training(warehouse)
    assert warehouse.read("select * from ops.level_backtests order by training_id").equals(two)


def test_before_the_first_training_there_is_nothing_to_name(warehouse):
    name_training(warehouse)
    assert not warehouse.exists("ops.level_backtests")
