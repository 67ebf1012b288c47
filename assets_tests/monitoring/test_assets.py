import dagster as dg
import pandas as pd
import pytest

from storecast.monitoring import assets, checks
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

DRIFT = dg.AssetKey(["ops", "drift"])


def materialise(settings: Settings) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [assets.drift, *checks.CHECKS],
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
    assert metadata["drifted_columns_share"].value == pytest.approx(1 / 7)
    assert metadata["scores"].value.startswith("![drift score")
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert evaluations["contract"].passed
    assert evaluations["portfolio_drift"].passed
    assert evaluations["portfolio_drift"].description == "1 of 7 columns drifted"


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
