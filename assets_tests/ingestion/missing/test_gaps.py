"""What the days of the channels say, as rows of ops.data_gaps."""

import pandas as pd
import pytest

from storecast.ingestion.account_contracts import Quarantine
from storecast.ingestion.missing import contracts as c
from storecast.ingestion.missing.gaps import gaps_table
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types

GAPS = {"channel": "VARCHAR", "first_date": "DATE", "last_date": "DATE", "silent_days": "BIGINT", "is_last": "BOOLEAN"}
GAPS |= {"is_alone": "BOOLEAN", "gap_kind": "VARCHAR"}


@pytest.fixture
def table(tmp_path):
    """The table of a shop with these silences and cut days."""

    def make(silences: list[tuple[object, ...]], cut: list[tuple[str, str]] = ()) -> pd.DataFrame:
        warehouse = Warehouse(tmp_path / "warehouse.duckdb")
        warehouse.replace_table("silver.sales_gaps", pd.DataFrame(silences, columns=list(GAPS)), GAPS)
        days = {"channel": "VARCHAR", "date": "DATE"}
        warehouse.replace_table("silver.cut_days", pd.DataFrame(list(cut), columns=list(days)), days)
        rows = pd.DataFrame(columns=list(Quarantine.to_schema().columns))
        warehouse.replace_table("ops.quarantine", rows, sql_types(Quarantine))
        return c.DataGaps.validate(gaps_table(warehouse, []))

    return make


def test_days_of_a_channel_that_others_sold_on_are_told_with_what_they_count_as(table):
    [row] = table([("market", "2026-11-19", "2026-11-28", 10, True, True, "not_recorded")]).itertuples()
    assert (row.kind, row.channel, row.is_last) == (c.NOT_RECORDED, "market", True)
    assert row.subject == "sales in market, 2026-11-19 to 2026-11-28"
    assert row.message == (
        "nothing of market was delivered for 10 days, 2026-11-19 to 2026-11-28, while other channels sold: "
        "what it sold then is unknown, not 0"
    )


def test_a_shop_that_was_closed_is_told_once_for_all_its_channels(table):
    closed = ("2026-08-03", "2026-08-16", 14, False, False, "closed")
    [row] = table([("web", *closed), ("market", *closed)]).itertuples()
    assert (row.kind, row.channel) == (c.CLOSED, "market, web")
    assert row.message == (
        "no channel sold anything for 14 days, 2026-08-03 to 2026-08-16: the shop counts as closed, without demand"
    )


def test_a_channel_that_ended_is_told_and_a_season_is_not(table):
    gaps = table(
        [
            ("old", "2026-06-01", "2026-11-28", 181, True, True, "ended"),
            ("yearly", "2025-12-24", "2026-01-03", 11, False, True, "season"),
        ]
    )
    assert gaps[c.KIND].tolist() == [c.CHANNEL_ENDED]


def test_a_day_that_is_not_over_is_told(table):
    [row] = table([], [("shop", "2026-11-28")]).itertuples()
    assert (row.kind, row.subject) == (c.DAY_NOT_OVER, "sales in shop, 2026-11-28")
    assert row.message == "the export of shop ends before 2026-11-28 is over: that day counts once it is complete"


def test_a_shop_that_lacks_nothing_has_an_empty_table(table):
    assert table([]).empty
