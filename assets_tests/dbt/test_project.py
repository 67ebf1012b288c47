"""What the project promises in its YAML: names, grains, columns and types; dbt's contracts hold the tables to it."""

import json

import pytest

from storecast.ingestion.contracts import ENTITIES, silver_types
from storecast.warehouse.dbt import PROJECT_DIR

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest(new_shop):
    shop = new_shop("parsed")
    shop.dbt("parse")
    return json.loads((shop.folder / "target" / "manifest.json").read_text())


@pytest.fixture(scope="module")
def models(manifest):
    return {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}


@pytest.fixture(scope="module")
def published(models):
    return {name: model for name, model in models.items() if not name.startswith("stg_")}


def test_every_bronze_entity_is_a_source(manifest):
    sources = {(node["schema"], node["name"]) for node in manifest["sources"].values()}
    assert {name for schema, name in sources if schema == "bronze"} == {
        *ENTITIES,
        "non_product_codes",
        "public_holidays",
    }


def test_a_model_is_the_table_it_is_named_after(models):
    for name, model in models.items():
        assert model["alias"] == name
        assert model["schema"] == model["config"]["schema"]
        assert model["schema"] in {"silver", "gold", "ops"}


def test_every_published_model_says_its_grain_and_describes_its_columns(published):
    for name, model in published.items():
        assert model["description"].startswith("One row a"), name
        assert model["columns"], name
        for column in model["columns"].values():
            assert column["description"].endswith("."), (name, column["name"])
            assert column["data_type"], (name, column["name"])


def test_every_published_table_is_held_to_its_columns(published):
    loose = {name for name, model in published.items() if not model["config"]["contract"]["enforced"]}
    assert loose == {name for name, model in published.items() if model["config"]["materialized"] == "view"}


@pytest.mark.parametrize("entity", ENTITIES)
def test_silver_has_the_contracts_columns_in_their_types(published, entity):
    columns = published[ENTITIES[entity].silver_table]["columns"]
    types = {name: column["data_type"].upper() for name, column in columns.items()}
    assert silver_types(entity).items() <= types.items()
    assert {"file_sha256", "row_number"} <= types.keys()


def test_no_model_is_longer_than_80_lines():
    lengths = {path.name: len(path.read_text().splitlines()) for path in (PROJECT_DIR / "models").rglob("*.sql")}
    assert max(lengths.values()) <= 80, lengths
