"""One date decades before all others is set aside, and comes back once it is no longer alone."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from storecast.ingestion.judging import judge
from storecast.ingestion.missing.lonely_dates import first_day_together, set_aside_lonely_dates
from storecast.ingestion.sources import Feed, Source

COLUMNS = ("order_id", "ordered_at", "channel", "product_id", "quantity", "unit_price")
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2024-08-01", periods=60)]


@pytest.fixture
def source(shop) -> Source:
    feed = Feed("lines", "order_lines", "*.csv", {name: name for name in COLUMNS}, COLUMNS)
    return Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", (feed,))


@pytest.fixture
def deliver(shop, source, now):
    """Delivers a file with a row for each day, and returns what is in quarantine."""

    def ingest(name: str, days: list[str]) -> dict[int, str]:
        rows = [f"{name}{number},{day} 12:00:00,web,P1,1,5" for number, day in enumerate(days)]
        shop.write(f"{name}.csv", "\n".join([",".join(COLUMNS), *rows]) + "\n")
        shop.ingest(source, now)
        set_aside_lonely_dates(shop.warehouse, source, now)
        return shop.reasons("order_lines")

    return ingest


def test_one_order_of_2004_in_a_shop_of_2024_is_set_aside_with_its_value_and_what_to_do(deliver, shop):
    assert deliver("a", [*DAYS, "2004-10-14"]) == {
        61: "ordered_at: '2004-10-14 12:00:00' lies alone, 20 years before the next sale on 2024-08-01: "
        "correct the date in the file; if it is right, deliver the sales between too"
    }
    assert shop.warehouse.read("SELECT rows_quarantined FROM ops.loads")["rows_quarantined"].tolist() == [1]


def test_a_later_file_with_the_sales_between_brings_it_back(deliver, shop):
    deliver("a", [*DAYS, "2004-10-14"])
    between = [f"{day:%Y-%m-%d}" for day in pd.date_range("2004-10-15", "2024-07-31", freq="180D")]
    assert deliver("b", between) == {}
    assert shop.warehouse.read("SELECT sum(rows_quarantined) AS n FROM ops.loads")["n"].tolist() == [0]


def test_a_later_file_makes_it_lonely(deliver):
    assert deliver("a", ["2004-10-14"]) == {}
    assert list(deliver("b", DAYS)) == [1]


def test_a_row_that_breaks_another_rule_says_nothing_of_when_the_shop_sold(deliver, shop):
    assert sorted(deliver("a", [*DAYS, "2004-10-14", "1999-12-31"])) == [61, 62]
    assert "must be at least 2000-01-01" in shop.reasons("order_lines")[62]


def test_what_did_not_change_is_not_written_again(deliver, shop, source, now):
    deliver("a", [*DAYS, "2004-10-14"])
    set_aside_lonely_dates(shop.warehouse, source, now + timedelta(days=1))
    assert shop.warehouse.read("SELECT DISTINCT quarantined_at AS at FROM ops.quarantine")["at"].tolist() == [now]


def test_judging_the_file_again_and_looking_again_gives_the_same(deliver, shop, source, now):
    before = deliver("a", [*DAYS, "2004-10-14"])
    with shop.warehouse.writing() as connection:
        connection.execute("UPDATE ops.loads SET contract_hash = NULL")
    judge(shop.warehouse, source, now)
    assert shop.reasons("order_lines") == {}
    set_aside_lonely_dates(shop.warehouse, source, now)
    assert shop.reasons("order_lines") == before


def together(days: list[str], rows: list[int]) -> str:
    return f"{first_day_together(np.array(days, 'datetime64[D]'), np.array(rows)):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("case", "days", "rows"),
    [
        (
            "a handful three months before all others",
            ["2016-09-04", "2016-12-23", "2017-01-05"],
            [4, 1, 99],
        ),
        ("a shop that begins slowly", ["2020-01-01", "2021-06-01", "2022-06-01"], [1, 1, 998]),
        ("old data that were loaded whole", ["1997-01-01", "1997-01-02", "1998-06-30"], [200, 200, 200]),
        ("as much before a pause as after it", ["2015-01-01", "2020-01-01"], [50, 50]),
        ("many days before a pause", [*[f"2015-01-0{day}" for day in range(1, 7)], "2020-01-01"], [1] * 6 + [994]),
    ],
)
def test_none_of_these_is_lonely(case, days, rows):
    assert together(days, rows) == days[0], case


def test_two_slips_of_different_years_are_lonely_together():
    assert together(["2006-10-14", "2012-01-01", "2024-08-01", "2024-08-02"], [1, 1, 60, 60]) == "2024-08-01"


def test_a_shop_without_sales_has_none():
    assert together([], []) == "2000-01-01"
