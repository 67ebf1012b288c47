"""Which versions the newest forecasts were made with: in the warehouse, and in what people read."""

import pandas as pd
import pytest

from storecast.registry.forecasts_made import are_behind, made_with
from storecast.settings import Settings
from storecast.warehouse import Warehouse

PATIENCE_SECONDS = 10.0


def forecasts(versions: dict[str, str]) -> pd.DataFrame:
    """Forecasts of these origins by these versions."""
    return pd.DataFrame({"origin_date": pd.to_datetime(list(versions)), "model_version": list(versions.values())})


@pytest.fixture
def shop(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_only_the_newest_origin_counts_and_a_shop_without_forecasts_has_none(shop):
    assert made_with(shop, PATIENCE_SECONDS) == frozenset()
    made = forecasts({"2026-03-01": "1", "2026-03-08": "2"})
    Warehouse(shop.warehouse_path).replace_table("gold.demand_forecasts", made)
    assert made_with(shop, PATIENCE_SECONDS) == {"2"}


def test_forecasts_that_were_made_and_not_published_before_a_kill_are_behind(shop):
    Warehouse(shop.warehouse_path).replace_table("gold.demand_forecasts", forecasts({"2026-03-08": "1"}))
    Warehouse(shop.published_path).replace_table("gold.demand_forecasts", forecasts({"2026-03-08": "2"}))
    assert are_behind(made_with(shop, PATIENCE_SECONDS), {"champion": "1"})
    Warehouse(shop.published_path).replace_table("gold.demand_forecasts", forecasts({"2026-03-08": "1"}))
    assert not are_behind(made_with(shop, PATIENCE_SECONDS), {"champion": "1"})
