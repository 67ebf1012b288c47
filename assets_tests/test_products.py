"""Product partitions through Dagster: one product, a selection, two hundred in one run; nothing else is touched."""

import time
from collections.abc import Iterator, Sequence

import dagster as dg
import pandas as pd
import pytest
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from storecast.definitions import compose
from storecast.forecasting.assets.forecasts import PICTURES
from storecast.warehouse import Warehouse

pytestmark = pytest.mark.slow

INJECTION, SEVEN = "x') OR 1=1 --", "7"
FORECASTS = {
    "gold.demand_forecasts": "p95_units",
    "gold.forecast_explanations": "horizon_day",
    "gold.revenue_forecasts": "p95_revenue",
}
SPOILED_BY = 1_000_000
COPIES = 13
"""So many times the 16 products make a catalogue of more than 200."""


class Shop:
    """A copy of the small shop, opened as Dagster's UI would."""

    def __init__(self, shop, instance: dg.DagsterInstance) -> None:
        settings = shop.settings()
        self.instance = instance
        self.warehouse = Warehouse(settings.warehouse_path)
        self.job = compose(settings).resolve_job_def("forecast")

    def forecast(self, first: str, last: str) -> dg.ExecuteInProcessResult:
        """Materialise the partitions from one key to another in a single run."""
        tags = {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}
        return self.job.execute_in_process(instance=self.instance, tags=tags, run_config={"loggers": {"progress": {}}})

    def rows(self, table: str) -> pd.DataFrame:
        """Return a table's rows, by series and day."""
        return self.warehouse.read(f"select * from {table} order by product_id, channel, origin_date, date")

    def spoil(self) -> dict[str, pd.DataFrame]:
        """Make every stored forecast wrong, so that those made anew can be told, and return what they were."""
        before = {table: self.rows(table) for table in FORECASTS}
        with self.warehouse.writing() as connection:
            for table, quantile in FORECASTS.items():
                connection.execute(f"update {table} set {quantile} = {quantile} + {SPOILED_BY}")
        return before


@pytest.fixture
def shop(small_shop, tmp_path, monkeypatch) -> Iterator[Shop]:
    copied = small_shop.copy(tmp_path / "shop")
    for name, value in copied.environment().items():
        monkeypatch.setenv(name, value)
    copied.elsewhere.mkdir(exist_ok=True)
    with dg.DagsterInstance.get() as instance:
        yield Shop(copied, instance)


def materialised(result: dg.ExecuteInProcessResult) -> set[tuple[str, str]]:
    return {
        (event.asset_key.to_user_string().replace("/", "."), str(event.partition))
        for event in result.get_asset_materialization_events()
    }


def assert_only_these_were_made_anew(shop: Shop, before: dict[str, pd.DataFrame], products: Sequence[str]) -> None:
    """Check that the products' rows are those of the whole run again, and that every other row is still spoiled."""
    for table, quantile in FORECASTS.items():
        expected = before[table]
        expected.loc[~expected["product_id"].isin(products), quantile] += SPOILED_BY
        pd.testing.assert_frame_equal(shop.rows(table), expected, check_exact=True)


@pytest.mark.parametrize("product_id", [INJECTION, SEVEN])
def test_one_product_made_anew_has_the_numbers_of_the_whole_run_and_no_other_row_is_touched(shop, product_id):
    before = shop.spoil()
    result = shop.forecast(product_id, product_id)
    assert materialised(result) == {(table, product_id) for table in FORECASTS}
    [forecast, *_] = result.get_asset_materialization_events()
    assert forecast.materialization.metadata["history_and_forecast"].value.startswith("![units sold")
    assert_only_these_were_made_anew(shop, before, [product_id])


def test_a_selection_is_made_anew_in_one_run(shop):
    keys = list(shop.instance.get_dynamic_partitions("product"))[4:9]
    partitions = shop.warehouse.read("select * from ops.product_partitions").set_index("partition_key")["product_id"]
    before = shop.spoil()
    result = shop.forecast(keys[0], keys[-1])
    assert materialised(result) == {(table, key) for table in FORECASTS for key in keys}
    assert_only_these_were_made_anew(shop, before, partitions[keys].tolist())


def test_two_hundred_products_are_forecast_in_one_run_each_as_its_original(shop, record_property):
    """The catalogue is the small shop's, many times over: a copy's forecasts are its original's."""
    before = shop.rows("gold.demand_forecasts").drop(columns="partition_key")
    multiply(shop.warehouse)
    partitions = shop.warehouse.read("select * from ops.product_partitions")
    keys = partitions["partition_key"].tolist()
    shop.instance.add_dynamic_partitions("product", keys)
    known = list(shop.instance.get_dynamic_partitions("product"))
    assert len(set(keys)) == len(known) > 200
    started = time.monotonic()
    result = shop.forecast(known[0], known[-1])
    record_property(f"forecast of {len(known)} products in one run, s", round(time.monotonic() - started, 1))
    assert len(materialised(result)) == len(FORECASTS) * len(known)
    drawn = [
        event
        for event in result.get_asset_materialization_events()
        if "history_and_forecast" in event.materialization.metadata
    ]
    assert len(drawn) == PICTURES, "a picture for each of many products would fill Dagster's storage"

    forecasts = shop.warehouse.read(
        "select regexp_extract(product_id, '^(.*)#', 1, 's') as original, * from gold.demand_forecasts"
    )
    for number in range(1, COPIES + 1):
        copies = forecasts[forecasts["product_id"].str.endswith(f"#{number}")]
        copies = copies.assign(product_id=copies["original"])[before.columns]
        copies = copies.sort_values(["product_id", "channel", "origin_date", "date"], ignore_index=True)
        pd.testing.assert_frame_equal(
            copies, before.sort_values(["product_id", "channel", "origin_date", "date"], ignore_index=True)
        )


def multiply(warehouse: Warehouse) -> None:
    """Put copies of each product, called `<id>#<n>`, beside it in all that a forecast reads."""
    tables = ("gold.daily_demand", "gold.planned_drivers", "silver.products", "ops.champions", "ops.interval_scales")
    with warehouse.writing() as connection:
        for table in (*tables, "ops.product_partitions"):
            key = ", partition_key || '#' || n as partition_key" if table.endswith("partitions") else ""
            connection.execute(
                f"insert into {table} select former.* replace (product_id || '#' || n as product_id{key}) "
                f"from {table} as former, range(1, {COPIES} + 1) as copies(n) where product_id is not null"
            )
