import dagster as dg
import pytest

from storecast.ingestion import assets, checks
from storecast.ingestion.contracts import ENTITIES, bronze_types
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

SELLERS = "seller_id,name,country,city\nS01,Laden,DE,Berlin\n,Ohne,DE,Bonn\n"


@pytest.fixture
def shop_settings(shop) -> Settings:
    return Settings(data_dir=shop.landing_dir.parent, source="demo", source_path=shop.folder)


def graph(settings: Settings) -> dg.Definitions:
    return dg.Definitions(
        assets=assets.source_assets(settings),
        asset_checks=checks.CHECKS,
        resources={
            "io_manager": WarehouseIOManager.of(settings),
            "settings": SettingsResource.of(settings),
            "warehouse": WarehouseResource.of(settings),
        },
    )


def run(settings: Settings, *selected: str) -> dg.ExecuteInProcessResult:
    definitions = graph(settings)
    selection = dg.AssetSelection.assets(*selected) if selected else dg.AssetSelection.groups("ingestion")
    job = dg.define_asset_job("job", selection)
    return (
        dg.Definitions(
            assets=definitions.assets,
            asset_checks=definitions.asset_checks,
            resources=definitions.resources,
            jobs=[job],
        )
        .resolve_job_def("job")
        .execute_in_process(raise_on_error=False)
    )


BEFORE_DBT = (
    "ops/landed_files",
    *(f"bronze/{name}" for name in ENTITIES),
    "bronze/public_holidays",
    "ops/withdrawn_rows",
    "ops/quarantine",
)


def test_every_asset_has_a_description_an_owner_kinds_and_its_columns(shop_settings: Settings) -> None:
    nodes = graph(shop_settings).resolve_asset_graph()
    for key in nodes.get_all_asset_keys():
        node = nodes.get(key)
        if node.group_name not in {"ingestion", "source"}:
            continue
        assert node.description, key
        assert node.owners == ["team:storecast"], key
        assert node.kinds, key
        if node.group_name == "ingestion":
            assert "dagster/column_schema" in node.metadata, key
    assert nodes.get(dg.AssetKey(["bronze", "orders"])).parent_keys == {dg.AssetKey(["ops", "landed_files"])}
    assert dg.AssetKey(["source", "webshop_orders"]) in nodes.get(dg.AssetKey(["ops", "landed_files"])).parent_keys
    columns = nodes.get(dg.AssetKey(["bronze", "sellers"])).metadata["dagster/column_schema"].columns
    assert [column.name for column in columns] == list(bronze_types("sellers"))


def test_files_go_through_the_graph_up_to_the_quarantine(shop, shop_settings: Settings) -> None:
    shop.write("sellers.csv", SELLERS)
    result = run(shop_settings, *BEFORE_DBT)
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert {check.check_name for check in result.get_asset_check_evaluations()} == {
        "contract",
        "every_file_was_read",
        "nothing_lost",
        "one_key_has_one_value_in_a_file",
        "master_data_say_one_thing_in_a_file",
    }
    assert shop.reasons("sellers") == {2: "seller_id: missing, but required"}
    counts = {
        materialization.asset_key.to_user_string(): materialization.metadata["dagster/row_count"].value
        for materialization in (event.step_materialization_data.materialization for event in materialized(result))
    }
    assert counts["bronze/sellers"] == 2
    assert counts["ops/quarantine"] == 1
    assert counts["ops/landed_files"] == 1
    assert shop.warehouse.read("SELECT rows FROM ops.landed_files")["rows"].tolist() == [2]


def test_a_second_run_loads_nothing_and_changes_no_table(shop, shop_settings: Settings) -> None:
    shop.write("sellers.csv", SELLERS)
    run(shop_settings, *BEFORE_DBT)
    tables = ["/".join(key.split("/")).replace("/", ".") for key in BEFORE_DBT] + ["ops.loads"]
    before = [shop.warehouse.content_hash(table) for table in tables]
    assert run(shop_settings, *BEFORE_DBT).success
    assert [shop.warehouse.content_hash(table) for table in tables] == before


def test_a_row_that_got_lost_fails_the_blocking_check_naming_entity_and_file(shop, shop_settings: Settings) -> None:
    shop.write("sellers.csv", SELLERS)
    run(shop_settings, *BEFORE_DBT)
    with shop.warehouse.writing() as connection:
        for entity in ENTITIES.values():
            columns = "file_sha256 VARCHAR, row_number BIGINT, source_rows BIGINT DEFAULT 1"
            connection.execute(f"CREATE TABLE silver.{entity.silver_table} ({columns})")
        connection.execute("CREATE TABLE ops.duplicates (entity VARCHAR, file_sha256 VARCHAR, row_number BIGINT)")
    result = run(shop_settings, "ops/reconciliation")
    assert not result.success
    [check] = [found for found in result.get_asset_check_evaluations() if found.check_name != "contract"]
    assert (check.check_name, check.passed, check.blocking) == ("every_row_is_accounted_for", False, True)
    assert check.description is not None
    assert check.description.startswith("sellers, file ")
    assert check.description.endswith(
        "2 rows in, but 0 in silver + 1 in quarantine + 0 duplicates + 0 withdrawn = 1 (1 missing)"
    )


def test_a_row_taken_out_of_bronze_fails_its_check(shop, shop_settings: Settings) -> None:
    shop.write("sellers.csv", SELLERS)
    run(shop_settings, *BEFORE_DBT)
    with shop.warehouse.writing() as connection:
        connection.execute("DELETE FROM bronze.sellers WHERE row_number = 1")
    result = run(shop_settings, "bronze/sellers")
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("nothing_lost", False)


def materialized(result: dg.ExecuteInProcessResult) -> list[dg.DagsterEvent]:
    return [event for event in result.all_events if event.is_step_materialization]
