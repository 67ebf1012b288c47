"""Moments: liberties of ISO 8601, epochs, serial days, zones by name, and formats that swap day and month."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.ingestion.judging import typed
from storecast.ingestion.sources import SourceFileError
from storecast.ingestion.values.formats import Formats
from storecast.ingestion.values.moments import Column, canonical, shapes_sql
from storecast.ingestion.values.zones import offset_of


def ingest(export, moments: list[str], keys: str = "") -> list[str]:
    export.write([{"at": moment} for moment in moments])
    export.ingest(keys)
    return export.moments()


NOON = "2026-09-30 14:22:05"


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-09-30T14:22Z", "2026-09-30 14:22:00"),
        ("2026-09-30 14:22:05 UTC", NOON),
        ("2026-09-30T14:22:05+0000", NOON),
        ("2026-09-30 14:22:05 -0500", "2026-09-30 19:22:05"),
        ("2026-09-30 14:22-05:00", "2026-09-30 19:22:00"),
        ("2026-09-30T14:22:05,5z", "2026-09-30 14:22:05.500000"),
        ("2026/09/30 14:22:05", "2026-09-30 12:22:05"),
        ("2026-09-30 14:22:05 PDT", "2026-09-30 21:22:05"),
        ("2026-09-30 14:22:05 CEST", "2026-09-30 12:22:05"),
        ("20260930T142205Z", NOON),
        ("20260930", "2026-09-29 22:00:00"),
        ("1790778125", NOON),
        ("1790778125.0", NOON),
        ("1790778125000", NOON),
        ("46295.59", "2026-09-30 12:09:36"),
        ("46295,59", "2026-09-30 12:09:36"),
        ("46295", "2026-09-29 22:00:00"),
    ],
)
def test_moments_that_need_no_key_are_read(export, text: str, utc: str) -> None:
    assert ingest(export, [text]) == [utc]


@pytest.mark.parametrize(
    ("text", "pattern", "utc"),
    [
        ("30/09/2026 14:22Z", "%d/%m/%Y %H:%MZ", "2026-09-30 14:22:00"),
        ("2026-09-30T14:22:05Z", "%Y-%m-%dT%H:%M:%SZ", NOON),
        ("30/09/2026 14:22:05 UTC", "%d/%m/%Y %H:%M:%S UTC", NOON),
        ("30/09/2026 14:22:05Z", "%d/%m/%Y %H:%M:%S%z", NOON),
        ("30/09/2026 14:22:05 -0500", "%d/%m/%Y %H:%M:%S %z", "2026-09-30 19:22:05"),
        ("Sep 30, 2026 11:22:05 PM PDT", "%b %d, %Y %I:%M:%S %p %Z", "2026-10-01 06:22:05"),
        ("Wed Sep 30 14:22:05 EST 2026", "%a %b %d %H:%M:%S %Z %Y", "2026-09-30 19:22:05"),
        ("30.9.26 00:00", "%d.%m.%y %H:%M", "2026-09-29 22:00:00"),
        ("46295.59", "excel", "2026-09-30 12:09:36"),
        ("1790778125", "epoch", NOON),
    ],
)
def test_a_format_of_ones_own_is_read_with_the_zone_it_names(export, text: str, pattern: str, utc: str) -> None:
    assert ingest(export, [text], f'date_format = "{pattern}"') == [utc]


@pytest.mark.parametrize(
    ("word", "zone", "offset"),
    [
        ("BST", "Europe/London", "+01:00"),
        ("GMT", "Europe/London", "+00:00"),
        ("BST", "Europe/Berlin", None),
        ("IST", "Asia/Kolkata", "+05:30"),
        ("IST", "Europe/Dublin", "+01:00"),
        ("CST", "America/Chicago", "-06:00"),
        ("CST", "Europe/Paris", None),
        ("EDT", "Europe/Berlin", "-04:00"),
        ("CET", "America/New_York", "+01:00"),
        ("XYZ", "Europe/Berlin", None),
    ],
)
def test_the_shops_zone_says_what_an_abbreviation_means(word: str, zone: str, offset: str | None) -> None:
    assert offset_of(word, zone) == offset


def test_british_summer_time_in_london_is_an_hour_ahead(make_export) -> None:
    export = make_export(zone="Europe/London", currency="GBP")
    pattern = 'date_format = "%d/%m/%Y %H:%M:%S %Z"'
    assert ingest(export, ["01/06/2026 01:30:00 BST", "02/11/2026 01:30:00 GMT"], pattern) == [
        "2026-06-01 00:30:00",
        "2026-11-02 01:30:00",
    ]


def test_an_abbreviation_of_many_zones_is_refused_by_name_until_the_mapping_says_which(export) -> None:
    pattern = 'date_format = "%d/%m/%Y %H:%M:%S %Z"'
    with pytest.raises(
        SourceFileError,
        match=r"ordered_at \('at'\) names the time zone IST in 2 of 2 cells, which may be India, Ireland",
    ):
        ingest(export, ["30/09/2026 14:22:05 IST"] * 2, pattern)
    assert (
        ingest(export, ["30/09/2026 14:22:05 IST"] * 2, pattern + '\nzones = { IST = "+05:30" }')
        == ["2026-09-30 08:52:05"] * 2
    )


def test_a_format_that_swaps_day_and_month_stops_with_both_counts(export) -> None:
    days = [f"{day:02d}/09/2026" for day in range(1, 31)]
    with pytest.raises(SourceFileError) as error:
        ingest(export, days, 'date_format = "%m/%d/%Y"')
    assert str(error.value) == (
        "f.csv (feed order_lines): ordered_at ('at') fits date_format '%m/%d/%Y' in 12 of 30 cells, "
        "but '%d/%m/%Y' in 30: day and month are swapped; write date_format = \"%d/%m/%Y\""
    )
    assert len(ingest(export, days, 'date_format = "%d/%m/%Y"')) == 30


def test_a_moment_that_is_none_is_set_aside_and_the_others_are_read(export) -> None:
    assert ingest(export, ["2026-09-30T14:22Z", "yesterday", "2026-02-30T14:22Z"]) == ["2026-09-30 14:22:00"]
    assert set(export.shop.reasons("order_lines")) == {2, 3}


def test_days_of_sales_given_as_moments_are_the_shops_days(export) -> None:
    export.shop.write("f.csv", "d;p;n\n2026-09-30 23:30:00 -0500;P1;3\n46295.9;P1;4\n30.09.2026;P2;5\n")
    feed = """
[[feeds]]
entity = "daily_sales"
files = "*.csv"
delimiter = ";"
date_format = "%d.%m.%Y"
columns = { date = "d", product_id = "p", units = "n" }
constants = { channel = "web" }
"""
    export.ingest(feeds=feed)
    days = export.shop.warehouse.read("SELECT CAST(date AS DATE) AS day FROM bronze.daily_sales ORDER BY row_number")
    assert [str(day.date()) for day in days["day"]] == ["2026-10-01", "2026-09-30", "2026-09-30"]
    assert export.shop.reasons("daily_sales") == {}


FORMS = [
    ("%Y-%m-%dT%H:%M:%SZ", None),
    ("%Y-%m-%d %H:%M:%S +0000", None),
    ("%Y-%m-%d %H:%M:%S UTC", None),
    ("%d/%m/%Y %H:%M:%S UTC", "%d/%m/%Y %H:%M:%S %Z"),
    ("%d.%m.%Y %H:%M:%SZ", "%d.%m.%Y %H:%M:%SZ"),
    ("{epoch}", None),
    ("{epoch}000", None),
]


def read(texts: list[str], pattern: str | None, zone: str = "Europe/Berlin") -> list[datetime | None]:
    """Read a column as mapping and silver do, without a shop around it."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE TABLE cells AS SELECT unnest(?) AS x", [texts])
    shapes = connection.execute(shapes_sql("x", "cells")).fetchall()
    sql = canonical(Column("x", "at", is_day=False), Formats(zone, "EUR", {}, date_format=pattern), shapes)
    rows = connection.execute(f"SELECT {typed('m', 'TIMESTAMP', zone)} FROM (SELECT {sql} AS m FROM cells)").fetchall()
    return [moment for (moment,) in rows]


@settings(max_examples=100, deadline=None)
@given(
    moments=st.lists(st.datetimes(datetime(2005, 1, 1), datetime(2026, 11, 1)), min_size=1, max_size=8),
    form=st.sampled_from(FORMS),
)
def test_any_moment_in_any_form_reads_back(moments: list[datetime], form: tuple[str, str | None]) -> None:
    whole = [moment.replace(microsecond=0, fold=0) for moment in moments]
    written, pattern = form
    texts = [
        moment.strftime(written.replace("{epoch}", str(int(moment.replace(tzinfo=UTC).timestamp()))))
        for moment in whole
    ]
    assert read(texts, pattern) == whole


@settings(max_examples=100, deadline=None)
@given(moment=st.datetimes(datetime(2005, 1, 1), datetime(2026, 11, 1)))
def test_a_serial_day_is_the_shops_time_to_the_second(moment: datetime) -> None:
    local = moment.replace(microsecond=0, fold=0)
    [found] = read([f"{(local - datetime(1899, 12, 30)) / timedelta(days=1):.10f}"], None, zone="UTC")
    assert found is not None
    assert abs(found - local) <= timedelta(milliseconds=1)
