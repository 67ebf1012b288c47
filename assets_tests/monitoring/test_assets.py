import dagster as dg
import numpy as np
import pandas as pd
import pytest

from storecast.monitoring import assets, checks
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

DRIFT = dg.AssetKey(["ops", "drift"])
PRODUCT_DRIFT = dg.AssetKey(["ops", "product_drift"])


def materialise(settings: Settings) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [assets.drift, *(check for check in checks.CHECKS if DRIFT in {key.asset_key for key in check.check_keys})],
        resources={
            "warehouse": WarehouseResource.of(settings),
            "settings": SettingsResource.of(settings),
            "io_manager": WarehouseIOManager.of(settings),
        },
    )


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
    [event] = result.asset_materializations_for_node("ops__drift")
    return dict(event.metadata)


@pytest.mark.slow
def test_the_asset_stores_a_report_once_a_day_and_leads_to_its_page(tmp_path, risen_prices):
    settings = Settings(data_dir=tmp_path)
    warehouse = Warehouse(settings.warehouse_path)
    warehouse.replace_table("gold.daily_demand", risen_prices)
    materialise(settings)
    first = warehouse.read("select * from ops.drift order by column_name")
    result = materialise(settings)
    again = warehouse.read("select * from ops.drift order by column_name")
    pd.testing.assert_frame_equal(first, again)
    assert first.loc[first["is_drifted"], "column_name"].tolist() == ["unit_price"]
    assert set(first["report_date"]) == {pd.Timestamp("2026-04-30")}
    metadata = metadata_of(result)
    page = settings.reports_dir / "data_drift_2026-04-30.html"
    assert metadata["report"].value == f"http://127.0.0.1:{Settings().reports_port}/{page.name}"
    assert page.is_file()
    assert metadata["drifted_columns_share"].value == pytest.approx(1 / 8)
    assert metadata["products"].value == {"stayed": 60, "new": 0, "lost": 0, "back": 0}
    assert metadata["scores"].value.startswith("![drift score")
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["contract"].passed
    assert evaluations["portfolio_drift"].passed
    assert evaluations["portfolio_drift"].description == "1 of 8 columns drifted"


def test_a_shop_too_young_to_compare_gives_no_row_and_says_why(tmp_path, risen_prices):
    settings = Settings(data_dir=tmp_path)
    warehouse = Warehouse(settings.warehouse_path)
    young = risen_prices[risen_prices["date"] < "2026-01-20"]
    warehouse.replace_table("gold.daily_demand", young)
    result = materialise(settings)
    assert result.success
    assert warehouse.count_rows(["ops.drift"]) == {"ops.drift": 0}
    assert "begins on 2026-01-01" in metadata_of(result)["not_compared"].value


@pytest.mark.parametrize(("drifted", "passed"), [(3, True), (4, False)])
def test_the_check_warns_once_half_of_the_columns_drifted(tmp_path, drifted, passed):
    settings = Settings(data_dir=tmp_path)
    day = pd.Timestamp("2026-04-30")
    rows = pd.DataFrame(
        {
            "report_date": [day - pd.Timedelta(days=1)] * 7 + [day] * 7,
            "scope": "portfolio",
            "column_name": [f"column_{number}" for number in range(7)] * 2,
            "score": 0.2,
            "threshold": 0.1,
            "is_drifted": [True] * 7 + [number < drifted for number in range(7)],
        }
    )
    Warehouse(settings.warehouse_path).replace_table("ops.drift", rows)
    result = checks.portfolio_drift(WarehouseResource.of(settings))
    assert result.passed == passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert result.metadata["share"].value == pytest.approx(drifted / 7)


def filled_shop(settings: Settings, demand: pd.DataFrame) -> Warehouse:
    """A warehouse with what the drift of products is read from; forecasts there are none yet."""
    warehouse = Warehouse(settings.warehouse_path)
    days = {"origin_date": "DATE", "date": "DATE"}
    numbers = dict.fromkeys(["mean_units", "p05_units", "p95_units"], "DOUBLE")
    types = {"product_id": "VARCHAR", "channel": "VARCHAR", **days, **numbers}
    warehouse.replace_table("gold.demand_forecasts", pd.DataFrame(columns=list(types)), types)
    products = demand[["product_id"]].drop_duplicates().assign(category="all of them")
    warehouse.replace_table("silver.products", products)
    warehouse.replace_table("gold.daily_demand", demand, dict.fromkeys(demand.columns, "DOUBLE") | KEYS)
    return warehouse


KEYS = {
    "product_id": "VARCHAR",
    "channel": "VARCHAR",
    "date": "DATE",
    "is_in_stock": "BOOLEAN",
    "is_recorded": "BOOLEAN",
}


def calm_demand(last_day: str, days: int = 420, products: int = 8) -> pd.DataFrame:
    """Poisson sales of 30 a day, all at the same price, of which P-3 sells half in the last two weeks."""
    rng = np.random.default_rng(1)
    dates = pd.date_range(end=last_day, periods=days)
    frames = []
    for number in range(products):
        units = rng.poisson(np.where((number == 3) & (np.arange(days) >= days - 14), 15, 30)).astype(float)
        frames.append(pd.DataFrame({"product_id": f"P-{number}", "channel": "webshop", "date": dates, "units": units}))
    return pd.concat(frames, ignore_index=True).assign(unit_price=5.0, is_in_stock=True, is_recorded=True)


def product_drift_of(settings: Settings) -> dg.ExecuteInProcessResult:
    own_checks = [check for check in checks.CHECKS if PRODUCT_DRIFT in {key.asset_key for key in check.check_keys}]
    return dg.materialize(
        [assets.product_drift, *own_checks],
        resources={"warehouse": WarehouseResource.of(settings), "io_manager": WarehouseIOManager.of(settings)},
    )


def test_the_product_that_fell_is_stored_once_a_day_as_drift_and_no_other(tmp_path):
    settings = Settings(data_dir=tmp_path)
    warehouse = filled_shop(settings, calm_demand("2026-04-30"))
    product_drift_of(settings)
    result = product_drift_of(settings)
    rows = warehouse.read("select * from ops.product_drift")
    assert rows.loc[rows["is_drifted"], ["product_id", "kind"]].to_numpy().tolist() == [["P-3", "level"]]
    assert not rows.duplicated(["report_date", "scope", "product_id", "channel", "kind", "feature"]).any()
    [event] = result.asset_materializations_for_node("ops__product_drift")
    assert event.metadata["series"].value == 8
    assert event.metadata["drifted"].value == {"series level": 1}
    assert event.metadata["drifts"].value.startswith("![rows by kind")
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["contract"].passed
    assert not evaluations["drifted_series"].passed
    assert evaluations["drifted_series"].severity == dg.AssetCheckSeverity.WARN
    assert evaluations["drifted_series"].description == "1 of 8 series drifted"


def test_a_shop_without_a_day_of_sales_has_no_product_drift_and_says_why(tmp_path):
    settings = Settings(data_dir=tmp_path)
    warehouse = filled_shop(settings, calm_demand("2026-04-30").iloc[:0])
    result = product_drift_of(settings)
    assert warehouse.count_rows(["ops.product_drift"]) == {"ops.product_drift": 0}
    [event] = result.asset_materializations_for_node("ops__product_drift")
    assert event.metadata["not_compared"].value == "gold.daily_demand is empty"


def test_a_shop_too_young_has_no_series_to_judge_and_passes(tmp_path):
    settings = Settings(data_dir=tmp_path)
    filled_shop(settings, calm_demand("2026-04-30", days=60))
    result = product_drift_of(settings)
    assert result.success
    assert all(e.passed for e in result.get_asset_check_evaluations())
