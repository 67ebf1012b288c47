from dataclasses import replace
from datetime import datetime

import pytest

from storecast.ingestion.sources import Feed, Source
from storecast.ingestion.withdrawing import NEWER_PERIOD, NEWER_SNAPSHOT, WRITTEN_OVER

LATER = datetime(2026, 11, 25, 12)
SALES = Feed(
    "sales",
    "daily_sales",
    "sales*.csv",
    {"product_id": "id", "channel": "'shop'", "date": "day", "units": "units"},
    ("id", "day", "units"),
)
HEADER = "id,day,units\n"


def source_of(shop, feed: Feed = SALES) -> Source:
    return Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", (feed,))


def withdrawn(shop) -> list[list[object]]:
    """Return row number and reason of each withdrawn row, by path."""
    return (
        shop.warehouse.read(
            "SELECT path, row_number, reason FROM ops.withdrawn_rows "
            "JOIN ops.landed_files USING (file_sha256) ORDER BY ALL"
        )
        .to_numpy()
        .tolist()
    )


def test_a_file_that_was_written_over_withdraws_what_it_no_longer_holds(shop) -> None:
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\nA,2026-11-02,6\nA,2026-11-03,7\n")
    shop.ingest(source_of(shop))
    assert withdrawn(shop) == []
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\nA,2026-11-03,8\n")
    shop.ingest(source_of(shop), LATER)
    assert withdrawn(shop) == [["sales.csv", 2, WRITTEN_OVER], ["sales.csv", 3, WRITTEN_OVER]]
    assert sorted(shop.warehouse.read("SELECT state FROM ops.landed_files")["state"]) == ["loaded", "replaced"]


def test_rows_that_are_alike_are_held_as_often_as_they_stand_there(shop) -> None:
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\n" * 3)
    shop.ingest(source_of(shop))
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\n" * 2)
    shop.ingest(source_of(shop), LATER)
    assert [row[1] for row in withdrawn(shop)] == [3]


def test_a_quarantined_row_of_a_file_that_was_mended_leaves_the_quarantine(shop) -> None:
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\nA,2026-11-02,six\n")
    shop.ingest(source_of(shop))
    assert list(shop.reasons("daily_sales")) == [2]
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\nA,2026-11-02,6\n")
    shop.ingest(source_of(shop), LATER)
    assert shop.reasons("daily_sales") == {}


def test_what_a_file_is_again_comes_back(shop) -> None:
    first, second = HEADER + "A,2026-11-01,5\nA,2026-11-02,x\n", HEADER + "A,2026-11-01,5\n"
    for day, content in enumerate([first, second, first]):
        shop.write("sales.csv", content)
        shop.ingest(source_of(shop), datetime(2026, 11, 25 + day))
    assert withdrawn(shop) == []
    assert list(shop.reasons("daily_sales")) == [2], "its rows are validated again"


def test_of_snapshots_only_the_newest_counts(shop) -> None:
    source = source_of(shop, replace(SALES, delivery="snapshots"))
    shop.write("sales-2026-11-02.csv", HEADER + "A,2026-11-01,5\nB,2026-11-01,6\n")
    shop.write("sales-2026-11-01.csv", HEADER + "C,2026-11-01,5\n")
    shop.write("sales-2026-11-03.csv", HEADER + "A,2026-11-01,5\n")
    shop.ingest(source)
    assert withdrawn(shop) == [
        ["sales-2026-11-01.csv", 1, NEWER_SNAPSHOT],
        ["sales-2026-11-02.csv", 2, NEWER_SNAPSHOT],
    ]


def test_a_period_replaces_its_days_and_no_others(shop) -> None:
    source = source_of(shop, replace(SALES, delivery="periods"))
    shop.write("sales-2026-11-10.csv", HEADER + "A,2026-11-01,5\nA,2026-11-02,6\nB,2026-11-02,6\n")
    shop.write("sales-2026-11-11.csv", HEADER + "A,2026-11-02,7\nA,2026-11-03,1\n")
    shop.ingest(source)
    assert withdrawn(shop) == [
        ["sales-2026-11-10.csv", 2, NEWER_PERIOD],
        ["sales-2026-11-10.csv", 3, NEWER_PERIOD],
    ]


@pytest.mark.parametrize("delivery", ["deltas", "snapshots", "periods"])
def test_a_version_that_cannot_be_read_replaces_nothing(shop, delivery) -> None:
    source = source_of(shop, replace(SALES, delivery=delivery))
    shop.write("sales.csv", HEADER + "A,2026-11-01,5\n")
    shop.ingest(source)
    shop.write("sales.csv", "no header of ours\n")
    shop.ingest(source, LATER)
    assert withdrawn(shop) == []
    assert shop.warehouse.read("SELECT state FROM ops.landed_files ORDER BY state")["state"].tolist() == [
        "loaded",
        "set aside",
    ]
