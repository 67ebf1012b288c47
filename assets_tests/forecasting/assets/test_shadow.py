"""Two trainings side by side: the champion's and the canary's numbers in gold, the others' beside them."""

import hashlib
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import pytest

from storecast.forecasting.assets import forecasts, shadow, training
from storecast.forecasting.checks import CHECKS
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

pytestmark = pytest.mark.slow

SHARE = 0.5
ROWS = ["product_id", "channel", "date", "mean_units", "p05_units", "p95_units"]
MODELS = {"1": "window_average", "2": "tsb"}
SIDE_BY_SIDE = ("ops.champions", "ops.interval_scales", "ops.fitted_models", "ops.level_backtests")


class Shop:
    """The small shop with the trainings of two versions, opened as Dagster's jobs would."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance) -> None:
        self.settings = settings
        self.instance = instance
        self.warehouse = WarehouseResource.of(settings)
        self.training_ids: dict[str, str] = {}

    def make(self, *assets: dg.AssetsDefinition, **changed: object) -> None:
        settings = self.settings.model_copy(update=changed)
        keys = self.instance.get_dynamic_partitions("product")
        tags = (
            {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
            if keys
            else {}
        )
        resources = {
            "settings": SettingsResource.of(settings),
            "warehouse": self.warehouse,
            "io_manager": WarehouseIOManager.of(settings),
        }
        made = {key for asset in assets for key in asset.keys}
        checks = [check for check in CHECKS if check.check_key.asset_key in made and check.check_key.name == "contract"]
        is_partitioned = forecasts.demand_forecasts in assets
        result = dg.materialize(
            [*assets, *checks], instance=self.instance, resources=resources, tags=tags if is_partitioned else None
        )
        assert [check for check in result.get_asset_check_evaluations() if not check.passed] == []

    def train(self, version: str) -> None:
        self.make(training.backtests, training.selection, training.fitted_models, models=(MODELS[version],))
        known = self.read("select distinct training_id from ops.champions")["training_id"]
        [self.training_ids[version]] = set(known) - set(self.training_ids.values())

    def give(self, **aliases: str) -> None:
        """Have these aliases lead to these versions, as the registry's mirror of MLflow does."""
        alias_of = {version: alias for alias, version in aliases.items()}
        rows = [(self.training_ids[version], int(version), alias_of.get(version)) for version in MODELS]
        table = pd.DataFrame(rows, columns=["training_id", "model_version", "alias"])
        self.warehouse.open().replace_table(
            "ops.registered_models", table, {"training_id": "VARCHAR", "model_version": "BIGINT", "alias": "VARCHAR"}
        )

    def forecast(self) -> pd.DataFrame:
        self.make(forecasts.demand_forecasts, forecasts.revenue_forecasts)
        return self.gold()

    def gold(self) -> pd.DataFrame:
        return self.read("select * from gold.demand_forecasts order by product_id, channel, date")

    def read(self, sql: str) -> pd.DataFrame:
        return self.warehouse.read(sql)


@pytest.fixture(scope="module")
def shop(tmp_path_factory, daily_demand, planned_drivers, products) -> Iterator[Shop]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("versions"), horizon_days=14, selection_origins=1, evaluation_origins=1,
        fit_processes=1, canary_share=SHARE,
    )  # fmt: skip
    with dg.DagsterInstance.ephemeral() as instance:
        shop = Shop(settings, instance)
        opened = shop.warehouse.open()
        revenue = daily_demand["units"] * daily_demand["unit_price"]
        opened.replace_table(
            "gold.daily_demand", daily_demand.assign(revenue=revenue, is_in_stock=True, is_recorded=True)
        )
        opened.replace_table("gold.planned_drivers", planned_drivers)
        opened.replace_table("silver.products", products.assign(seller_id="s"))
        shop.make(forecasts.product_partitions)
        for version in MODELS:
            shop.train(version)
        yield shop


@pytest.fixture(scope="module")
def alone(shop) -> dict[str, pd.DataFrame]:
    """What each version publishes where it is the only one with an alias."""
    tables = {}
    for version in MODELS:
        shop.give(champion=version)
        tables[version] = shop.forecast()
        assert set(tables[version]["model_version"]) == {version}
    return tables


@pytest.fixture(scope="module")
def together(shop, alone) -> pd.DataFrame:
    """What is published with the first version as champion and the second as canary."""
    shop.give(champion="1", canary="2")
    return shop.forecast()


def is_canarys(table: pd.DataFrame) -> pd.Series:
    """Whether a row's product is of the canary's share."""
    share = table["product_id"].map(lambda text: int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]) / 2**32)
    return share < SHARE


def of_version(table: pd.DataFrame, version: str) -> pd.DataFrame:
    rows = table.loc[table["model_version"] == version, ROWS]
    return rows.sort_values(["product_id", "channel", "date"], ignore_index=True)


def test_two_trainings_lie_side_by_side_and_each_replaces_its_own_rows(shop):
    before = {name: shop.warehouse.open().content_hash(name) for name in SIDE_BY_SIDE}
    shop.make(training.backtests, training.selection, training.fitted_models, models=("tsb",))
    assert {name: shop.warehouse.open().content_hash(name) for name in SIDE_BY_SIDE} == before
    for name in set(SIDE_BY_SIDE) - {"ops.fitted_models"}:  # neither has a global model
        found = shop.read(f"select training_id, count(*) as rows from {name} group by training_id")
        assert set(found["training_id"]) == set(shop.training_ids.values())
        assert name == "ops.interval_scales" or len(set(found["rows"])) == 1


def test_the_canary_forecasts_its_share_of_the_products_and_the_champion_the_others(alone, together):
    assert 0 < is_canarys(together).mean() < 1
    expected = pd.concat(
        [alone["2"][is_canarys(alone["2"])], alone["1"][~is_canarys(alone["1"])]]
    ).sort_values(["product_id", "channel", "date"], ignore_index=True)  # fmt: skip
    pd.testing.assert_frame_equal(together, expected, check_exact=True)
    assert not alone["1"][ROWS].equals(alone["2"][ROWS])


def test_what_is_explained_is_what_was_published(shop, together):
    explained = shop.read("select * from gold.forecast_explanations order by product_id, channel, date")
    pd.testing.assert_series_equal(explained["mean_units"], together["mean_units"])
    assert explained["model"].tolist() == together["model"].tolist()


def test_shadows_are_what_the_other_version_alone_would_have_said(shop, alone, together):
    for _ in range(2):  # made again, the origin's rows are replaced
        shop.make(shadow.shadows)
    shadows = shop.read("select * from ops.shadow_forecasts")
    of_canary = is_canarys(alone["1"])
    for version, rows in (("1", of_canary), ("2", ~of_canary)):
        pd.testing.assert_frame_equal(
            of_version(shadows, version), of_version(alone[version][rows], version), check_exact=True
        )
    assert len(shadows) == len(together)


def test_costs_are_told_of_each_version(shop, together):
    shop.make(shadow.shadows)
    costs = shop.read("select * from ops.model_costs order by model_version")
    assert costs["model_version"].tolist() == ["1", "2"]
    assert (costs["seconds"] > 0).all()
    champions = shop.read(f"select * from ops.champions where training_id = '{shop.training_ids['1']}'")
    assert costs["size_bytes"].iloc[0] > sum(len(value) for value in champions.to_numpy().ravel())


def test_a_version_that_lost_its_alias_is_kept_until_its_days_have_come(shop, together):
    shop.make(shadow.shadows)
    opened = shop.warehouse.open()
    with opened.writing() as connection:
        connection.execute(
            "insert into ops.shadow_forecasts by name select * replace ('7' as model_version, "
            "origin_date - 10 as origin_date, date - 10 as date) from ops.shadow_forecasts where model_version = '1'"
        )
    shop.make(shadow.shadows)
    left = shop.read(
        "select min(date) as first, count(distinct date) as days from ops.shadow_forecasts where model_version = '7'"
    )
    assert left["first"].item() == together["origin_date"].iloc[0] + pd.Timedelta(days=1)
    assert left["days"].item() == 14 - 10


def test_of_a_champion_alone_there_is_no_shadow_and_no_cost(shop, alone):
    shop.give(champion="2")
    with shop.warehouse.open().writing() as connection:
        connection.execute("drop table if exists ops.shadow_forecasts")
        connection.execute("drop table if exists ops.model_costs")
    shop.make(shadow.shadows)
    assert shop.read("select * from ops.shadow_forecasts").empty
    assert shop.read("select * from ops.model_costs").empty


def test_forecasts_and_levels_are_the_same_with_a_third_training_beside_and_when_it_is_pruned(shop, alone):
    shop.give(champion="1")
    levels = "select * from gold.level_forecasts order by all"
    shop.forecast()
    shop.make(forecasts.level_forecasts)
    before = shop.read(levels)
    copied = "select * replace ('third' as training_id)"
    with shop.warehouse.open().writing() as connection:
        for name in SIDE_BY_SIDE:
            former = f"{copied} from {name} where training_id = ?"
            connection.execute(f"insert into {name} by name {former}", [shop.training_ids["2"]])
    pd.testing.assert_frame_equal(shop.forecast(), alone["1"], check_exact=True)
    with shop.warehouse.open().writing() as connection:
        for name in SIDE_BY_SIDE:
            connection.execute(f"delete from {name} where training_id = 'third'")
    pd.testing.assert_frame_equal(shop.forecast(), alone["1"], check_exact=True)
    shop.make(forecasts.level_forecasts)
    pd.testing.assert_frame_equal(shop.read(levels), before, check_exact=True)
