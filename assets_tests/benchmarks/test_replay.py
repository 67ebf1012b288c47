"""The replay of a year asks the platform's own statement, so it has all the tables that the statement reads."""

import duckdb
import pandas as pd

from benchmarks.replay import OPS_SQL, requests_of
from storecast.forecasting.retraining_contracts import RetrainedSeries
from storecast.monitoring.contracts import ProductDrift


def drifted(product: str) -> pd.DataFrame:
    """A report in which one product's level moved."""
    empty = dict.fromkeys(ProductDrift.to_schema().columns)
    day = pd.Timestamp("2026-03-14")
    told = {"report_date": day, "change_date": day - pd.Timedelta(days=13), "is_drifted": True}
    return pd.DataFrame(
        [{**empty, **told, "product_id": product, "channel": "web", "scope": "series", "kind": "level"}]
    )


TRAINED = pd.Timestamp("2026-03-01")


def test_what_drifted_is_asked_for_and_what_was_just_retrained_or_trained_is_not():
    none = pd.DataFrame(columns=list(RetrainedSeries.to_schema().columns))
    with duckdb.connect() as connection:
        connection.execute("create schema gold; create table gold.daily_demand as select unnest(['a', 'b']) product_id")
        connection.execute(OPS_SQL)
        asked = requests_of(connection, drifted("a"), none, TRAINED)
        assert asked["partition_key"].tolist() == ["a"]
        answered = none.reindex([0]).assign(partition_key="a", report_date=pd.Timestamp("2026-03-07"))
        assert requests_of(connection, drifted("a"), answered, TRAINED).empty
        assert requests_of(connection, drifted("b"), answered, TRAINED)["partition_key"].tolist() == ["b"]
        assert requests_of(connection, drifted("b"), answered, pd.Timestamp("2026-03-14")).empty
