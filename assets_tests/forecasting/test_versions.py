"""Which version forecasts what: aliases, and the canary's share of the products."""

import hashlib

import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.versions import canary_products, versions_by_alias
from storecast.registry.contracts import FORECASTING
from storecast.warehouse import Warehouse

REGISTERED = pd.DataFrame(
    [("old", 1, None), ("first", 2, "predecessor"), ("second", 10, "canary"), ("third", 9, "champion")],
    columns=["training_id", "model_version", "alias"],
)


@pytest.fixture
def warehouse(tmp_path) -> Warehouse:
    opened = Warehouse(tmp_path / "warehouse.duckdb")
    fitted = pd.DataFrame(columns=list(c.FittedModels.to_schema().columns))
    for training_id in REGISTERED["training_id"]:
        fitted.loc[len(fitted)] = (training_id, pd.Timestamp("2026-01-01"), "lightgbm", f"of {training_id}", "{}", "h")
    opened.replace_table("ops.fitted_models", fitted)
    return opened


def test_each_alias_leads_to_its_version_and_the_models_of_its_training(warehouse):
    warehouse.replace_table("ops.registered_models", REGISTERED)
    versions = versions_by_alias(warehouse)
    assert {alias: version.model_version for alias, version in versions.items()} == {
        "champion": "9",
        "canary": "10",
        "predecessor": "2",
    }
    assert list(versions) == ["champion", "canary", "predecessor"]
    assert [version.fitted_models["payload"].item() for version in versions.values()] == [
        "of third",
        "of second",
        "of first",
    ]
    assert list(versions_by_alias(warehouse, FORECASTING)) == ["champion", "canary"]


def test_without_a_champion_one_is_told_to_train(warehouse):
    with pytest.raises(ValueError, match="no version with the alias champion: run the job `train`"):
        versions_by_alias(warehouse)
    warehouse.replace_table("ops.registered_models", REGISTERED.head(3))
    with pytest.raises(ValueError, match="no version with the alias champion: run the job `train`"):
        versions_by_alias(warehouse)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_the_canarys_products_are_those_whose_hash_is_below_its_share(warehouse, share):
    ids = [f"product {number} é'" for number in range(2_000)]
    owners = pd.DataFrame({"product_id": ids, "partition_key": [f"group {len(own) % 3}" for own in ids]})
    warehouse.replace_table("ops.product_partitions", owners)
    below = {
        product_id
        for product_id in owners.loc[owners["partition_key"] != "group 2", "product_id"]
        if int.from_bytes(hashlib.sha256(product_id.encode()).digest()[:4]) / 2**32 < share
    }
    found = canary_products(warehouse, ["group 0", "group 1"], share)
    assert set(found) == below
    assert len(found) / (owners["partition_key"] != "group 2").sum() == pytest.approx(share, abs=0.03)
