import pandas as pd
import pytest

from storecast.registry import checks
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import WarehouseResource


@pytest.mark.parametrize(
    ("aliases", "passed"), [(["champion", None], True), ([None, None], False), (["champion", "champion"], False)]
)
def test_exactly_one_version_must_be_champion(tmp_path, aliases, passed):
    settings = Settings(data_dir=tmp_path)
    rows = pd.DataFrame({"model_version": [1, 2], "alias": aliases})
    Warehouse(settings.warehouse_path).replace_table(
        "ops.registered_models", rows, {"model_version": "BIGINT", "alias": "VARCHAR"}
    )
    assert checks.one_champion(WarehouseResource.of(settings)).passed == passed
