import dagster as dg
import pandas as pd
import pandera.pandas as pa
import pytest

from storecast.settings import Settings
from storecast.warehouse import Warehouse, checks
from storecast.warehouse.checks import breaches_of, contract_checks
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import WarehouseResource


class Forecasts(pa.DataFrameModel):
    product_id: str
    date: pa.DateTime
    mean_units: float = pa.Field(ge=0)
    horizon_day: int = pa.Field(in_range={"min_value": 1, "max_value": 90})
    launch_date: pa.DateTime = pa.Field(nullable=True)
    fallback_reason: str = pa.Field(nullable=True)
    is_fallback: bool


GOOD = {
    "product_id": "0007",
    "date": pd.Timestamp("2025-03-01"),
    "mean_units": 0.0,
    "horizon_day": 1,
    "launch_date": None,
    "fallback_reason": None,
    "is_fallback": False,
}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def store(settings):
    def store(*rows: dict[str, object]) -> WarehouseResource:
        frame = pd.DataFrame([{**GOOD, **row} for row in rows], columns=list(GOOD))
        Warehouse(settings.warehouse_path).replace_table("gold.forecasts", frame, sql_types(Forecasts))
        return WarehouseResource.of(settings)

    return store


def check(warehouse: WarehouseResource) -> dg.AssetCheckEvaluation:
    """Let Dagster run the check on the stored table."""
    [contract] = contract_checks({"gold.forecasts": Forecasts})
    result = dg.materialize(
        [dg.AssetSpec(["gold", "forecasts"]), contract],
        resources={"warehouse": warehouse},
        selection=dg.AssetSelection.all_asset_checks(),
        raise_on_error=False,
    )
    [evaluation] = result.get_asset_check_evaluations()
    return evaluation


def test_a_table_that_keeps_its_contract_passes(store):
    evaluation = check(store({}, {"fallback_reason": "new product", "launch_date": pd.Timestamp("2025-02-01")}))
    assert evaluation.passed
    assert evaluation.metadata["rows_checked"].value == 2
    assert evaluation.metadata["breaches"].value == "none"


def test_an_empty_table_passes(store):
    evaluation = check(store())
    assert evaluation.passed
    assert evaluation.metadata["rows_checked"].value == 0


def test_a_breach_is_named_by_column_rule_and_value(store):
    evaluation = check(store({}, {"mean_units": -3.5}, {"horizon_day": 91}))
    assert not evaluation.passed
    told = str(evaluation.metadata["breaches"].value)
    assert "mean_units" in told
    assert "greater_than_or_equal_to(0)" in told
    assert "-3.5" in told
    assert "horizon_day" in told
    assert "91" in told


@pytest.mark.parametrize("column", ["product_id", "date", "mean_units", "horizon_day", "is_fallback"])
def test_a_missing_value_in_a_required_column_is_a_breach(store, column):
    rows, breaches = breaches_of(store({}, {column: None}), "gold.forecasts", Forecasts)
    assert rows == 2
    assert set(breaches["column"]) == {column}


def test_a_column_that_is_not_there_is_a_breach_even_of_an_empty_table(store):
    warehouse = store()
    with warehouse.open().writing() as connection:
        connection.execute("alter table gold.forecasts drop column horizon_day")
    _, breaches = breaches_of(warehouse, "gold.forecasts", Forecasts)
    assert breaches.to_dict("records") == [{"column": "horizon_day", "check": "is BIGINT", "failure_case": "missing"}]


def test_a_column_of_another_type_is_a_breach_even_where_its_values_could_be_read_as_the_right_one(store):
    warehouse = store({})
    with warehouse.open().writing() as connection:
        connection.execute("alter table gold.forecasts alter column mean_units type VARCHAR")
    _, breaches = breaches_of(warehouse, "gold.forecasts", Forecasts)
    assert breaches.to_dict("records") == [{"column": "mean_units", "check": "is DOUBLE", "failure_case": "VARCHAR"}]


def test_a_breach_in_a_later_batch_is_found(store, monkeypatch):
    monkeypatch.setattr(checks, "BATCH_ROWS", 2_048)
    rows, breaches = breaches_of(store(*[{}] * 5_000, {"mean_units": -1.0}), "gold.forecasts", Forecasts)
    assert rows == 5_001
    assert breaches["failure_case"].tolist() == [-1.0]


def test_the_check_blocks_what_depends_on_its_table():
    [contract] = contract_checks({"gold.forecasts": Forecasts})
    [spec] = contract.check_specs
    assert spec.blocking
    assert spec.name == "contract"
    assert spec.asset_key == dg.AssetKey(["gold", "forecasts"])
