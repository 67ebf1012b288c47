from pathlib import Path

import pytest

from storecast.ingestion.sources import Feed, Format, Source, SourceFileError

FEED = Feed("sellers", "sellers", "*.csv", {"seller_id": "id"}, ("id",))


def test_a_files_kind_is_told_by_its_ending_unless_the_feed_says_otherwise() -> None:
    assert Format().kind_of("a.CSV") == "csv"
    assert Format().kind_of("a.xlsx") == "excel"
    assert Format("jsonl").kind_of("a.log") == "jsonl"
    with pytest.raises(SourceFileError, match=r"a\.log: the ending '\.log' names no format; known are \.csv, "):
        Format().kind_of("a.log")


@pytest.mark.parametrize(
    ("name", "entity", "columns", "message"),
    [
        ("Sellers", "sellers", {}, "feed 'Sellers': a name is a-z, 0-9 and _"),
        ("../x", "sellers", {}, r"feed '\.\./x': a name is a-z, 0-9 and _"),
        ("a", "merchants", {}, "feed a: no entity 'merchants'; there are orders, order_lines"),
        ("a", "sellers", {"id": "x"}, "feed a: sellers has no column 'id'; it has seller_id, seller_name"),
    ],
)
def test_a_feed_of_other_names_than_ours_is_refused(name: str, entity: str, columns: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Feed(name, entity, "*.csv", columns)


@pytest.mark.parametrize(
    ("timezone", "feeds", "message"),
    [
        ("Berlin", (FEED,), "source shop: timezone 'Berlin' is unknown; write e.g. 'Europe/Berlin'"),
        ("UTC", (FEED, FEED), "source shop: two feeds are called sellers; give each its own name"),
        (
            "UTC",
            (Feed("a", "sellers", "*", {}, alongside={"x": "gone"}),),
            "source shop: a feed joins gone, which is no feed",
        ),
    ],
)
def test_a_source_that_does_not_fit_is_refused(timezone: str, feeds: tuple[Feed, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source("shop", Path(), timezone, "EUR", "DE", feeds)


def test_a_mappings_fingerprint_changes_with_the_mapping_and_with_what_it_joins() -> None:
    other = Feed("sellers", "sellers", "*.csv", {"seller_id": "name"}, ("id",))
    hashes = {FEED.mapping_hash({}), other.mapping_hash({}), FEED.mapping_hash({"x": "ab"})}
    assert len(hashes) == 3
    assert FEED.mapping_hash({}) == FEED.mapping_hash({})
