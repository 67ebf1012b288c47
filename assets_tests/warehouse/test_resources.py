"""The IO manager, each time through a real materialisation by Dagster in this process."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pandera.pandas as pa
import pytest

from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import (
    COLUMN_SCHEMA,
    SettingsResource,
    WarehouseIOManager,
    WarehouseResource,
    column_schema,
    table,
)

HOSTILE = [
    "x') OR 1=1 --",
    "'; drop table gold.forecasts; --",
    "../../etc/passwd",
    'a"b',
    "caf\u00e9",
    "cafe\u0301",
    "0007",
    "7",
    "ẞ" * 300,
]
PRODUCTS = dg.DynamicPartitionsDefinition(name="product")


class Forecasts(pa.DataFrameModel):
    origin_date: pa.DateTime
    partition_key: str = pa.Field(description="Whose forecast it is.")
    mean_units: float = pa.Field(nullable=True)


class Rows(dg.Config):
    """What the asset shall return this time."""

    origin: str = "2025-03-01"
    units: float | None = 1.0
    only: list[str] | None = None


def frame(config: Rows, keys: list[str]) -> pd.DataFrame:
    chosen = keys if config.only is None else config.only
    return pd.DataFrame(
        {"mean_units": config.units, "partition_key": chosen, "origin_date": pd.Timestamp(config.origin)}
    )


@dg.asset(**table("gold.forecasts", Forecasts, room="forecasting"))
def whole(config: Rows) -> pd.DataFrame:
    return frame(config, ["a", "b"])


@dg.asset(**table("gold.forecasts", Forecasts, room="forecasting", replace_on=["origin_date"]))
def by_origin(config: Rows) -> pd.DataFrame:
    return frame(config, ["a", "b"])


@dg.asset(
    **table("gold.forecasts", Forecasts, room="forecasting", partition_expr="partition_key"),
    partitions_def=PRODUCTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def by_product(context: dg.AssetExecutionContext, config: Rows) -> pd.DataFrame:
    return frame(config, list(context.partition_keys))


@dg.asset(
    **table(
        "gold.forecasts",
        Forecasts,
        room="forecasting",
        partition_expr="partition_key",
        replace_on=["origin_date"],
    ),
    partitions_def=PRODUCTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def by_product_and_origin(context: dg.AssetExecutionContext, config: Rows) -> pd.DataFrame:
    return frame(config, list(context.partition_keys))


@dg.asset(key=["ops", "loaded"], partitions_def=PRODUCTS, ins={"rows": dg.AssetIn(key=["gold", "forecasts"])})
def loaded(rows: pd.DataFrame) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"keys": rows["partition_key"].tolist()})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, lease_timeout_seconds=5)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("product", HOSTILE)
        yield instance


class Shop:
    """Materialises assets and shows what the table holds afterwards."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.warehouse = Warehouse(settings.warehouse_path)
        self.resources = {"io_manager": WarehouseIOManager.of(settings)}
        self.instance = instance

    def run(self, asset: dg.AssetsDefinition, *, keys: tuple[str, str] | str | None = None, **config: object):
        """Materialise an asset, for one key or from a first key to a last one in a single run."""
        first_and_last = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        return dg.materialize(
            [asset],
            instance=self.instance,
            resources=self.resources,
            partition_key=keys if isinstance(keys, str) else None,
            tags=dict(zip(first_and_last, keys, strict=True)) if isinstance(keys, tuple) else None,
            run_config={"ops": {asset.node_def.name: {"config": config}}},
        )

    def rows(self) -> list[tuple[str, str, float]]:
        found = self.warehouse.read(
            "select strftime(origin_date, '%d.%m.') as origin, partition_key, mean_units from gold.forecasts"
        )
        return sorted(found.itertuples(index=False, name=None))


@pytest.fixture
def shop(settings: Settings, instance: dg.DagsterInstance) -> Shop:
    return Shop(settings, instance)


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_an_unpartitioned_asset_replaces_its_table(shop):
    shop.run(whole)
    result = shop.run(whole, units=2.0)
    assert shop.rows() == [("01.03.", "a", 2.0), ("01.03.", "b", 2.0)]
    assert metadata_of(result)["dagster/row_count"] == 2


def test_the_columns_have_the_contract_s_types_even_where_all_values_are_null(shop):
    shop.run(whole, units=None)
    described = shop.warehouse.read("select column_name, data_type from information_schema.columns order by all")
    assert dict(described.itertuples(index=False, name=None)) == {
        "mean_units": "DOUBLE",
        "origin_date": "DATE",
        "partition_key": "VARCHAR",
    }


def test_replace_on_replaces_the_rows_that_share_its_values(shop):
    shop.run(by_origin, origin="2025-03-01")
    shop.run(by_origin, origin="2025-03-08")
    result = shop.run(by_origin, origin="2025-03-08", units=2.0)
    assert shop.rows() == [("01.03.", "a", 1.0), ("01.03.", "b", 1.0), ("08.03.", "a", 2.0), ("08.03.", "b", 2.0)]
    assert metadata_of(result)["dagster/row_count"] == 4


def test_one_run_for_many_products_replaces_the_rows_of_all_of_them(shop):
    everyone = (HOSTILE[0], HOSTILE[-1])
    shop.run(by_product, keys=everyone)
    result = shop.run(by_product, keys=everyone, units=2.0)
    assert shop.rows() == sorted(("01.03.", product, 2.0) for product in HOSTILE)
    marked = [event.materialization.partition for event in result.get_asset_materialization_events()]
    assert sorted(marked) == sorted(HOSTILE)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_product_id_touches_no_other_product_s_rows(shop, hostile):
    shop.run(by_product, keys=(HOSTILE[0], HOSTILE[-1]))
    result = shop.run(by_product, keys=hostile, units=2.0)
    assert shop.rows() == sorted(("01.03.", product, 2.0 if product == hostile else 1.0) for product in HOSTILE)
    assert metadata_of(result)["dagster/partition_row_count"] == 1
    assert metadata_of(result)["dagster/row_count"] == len(HOSTILE)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_product_id_loads_its_own_rows_only(shop, settings, instance, hostile):
    shop.run(by_product, keys=(HOSTILE[0], HOSTILE[-1]))
    result = dg.materialize(
        [by_product.to_source_asset(), loaded],
        instance=instance,
        resources=shop.resources,
        partition_key=hostile,
        selection=[loaded],
    )
    assert metadata_of(result)["keys"] == [hostile]


def test_replace_on_keeps_a_product_s_other_origins(shop):
    some = (HOSTILE[0], HOSTILE[1])
    shop.run(by_product_and_origin, keys=some, origin="2025-03-01")
    shop.run(by_product_and_origin, keys=some, origin="2025-03-08")
    shop.run(by_product_and_origin, keys=HOSTILE[0], origin="2025-03-08", units=2.0)
    assert shop.rows() == sorted(
        [
            ("01.03.", HOSTILE[0], 1.0),
            ("01.03.", HOSTILE[1], 1.0),
            ("08.03.", HOSTILE[0], 2.0),
            ("08.03.", HOSTILE[1], 1.0),
        ]
    )


def test_a_row_of_a_product_that_is_not_in_the_run_is_refused_and_named(shop):
    shop.run(by_product, keys=HOSTILE[0])
    with pytest.raises(ValueError, match="1 rows have a partition_key that is no partition of this run, the first '7'"):
        shop.run(by_product, keys=HOSTILE[0], only=[HOSTILE[0], "7"])
    assert shop.rows() == [("01.03.", HOSTILE[0], 1.0)]


def test_two_data_folders_do_not_touch_each_other(tmp_path, instance):
    shops = [Shop(Settings(data_dir=tmp_path / name), instance) for name in ("one", "two")]
    for number, shop in enumerate(shops):
        shop.run(whole, units=float(number))
    assert [shop.rows()[0][2] for shop in shops] == [0.0, 1.0]


def test_dagster_is_shown_the_contract_s_columns():
    columns = {column.name: column for column in column_schema(Forecasts).columns}
    assert [(name, column.type) for name, column in columns.items()] == [
        ("origin_date", "DATE"),
        ("partition_key", "VARCHAR"),
        ("mean_units", "DOUBLE"),
    ]
    assert columns["partition_key"].description == "Whose forecast it is."
    assert columns["mean_units"].constraints.nullable
    assert not columns["origin_date"].constraints.nullable
    spec = next(iter(whole.specs))
    assert spec.key.path == ["gold", "forecasts"]
    assert spec.group_name == "forecasting"
    assert spec.metadata[COLUMN_SCHEMA] == column_schema(Forecasts)


def test_the_settings_travel_as_they_are(settings, monkeypatch):
    resource = SettingsResource.of(settings)
    monkeypatch.setenv("STORECAST_SEED", "1")
    assert resource.get() == settings


def test_the_warehouse_resource_reads_with_parameters(shop, settings):
    shop.run(whole)
    warehouse = WarehouseResource.of(settings)
    assert warehouse.read("select count(*) as n from gold.forecasts where partition_key = ?", ["a"])["n"].item() == 1
    assert warehouse.open().lease.timeout_seconds == 5
