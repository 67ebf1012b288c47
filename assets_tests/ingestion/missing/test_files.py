"""Feeds without files, names in other case, and files that nobody takes."""

import pytest

from storecast.ingestion.missing import contracts as c
from storecast.ingestion.missing.files import missing_files
from storecast.ingestion.sources import Feed, Source


@pytest.fixture
def told(tmp_path):
    """What is missing of a folder, as (kind, message), for feeds of these patterns."""

    def look(patterns: dict[str, str], files: list[str]) -> list[tuple[str, str]]:
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
        feeds = tuple(Feed(name, "products", pattern, {"product_id": "a"}) for name, pattern in patterns.items())
        source = Source("files", tmp_path, "Europe/Berlin", "EUR", "DE", feeds)
        return [(gap[c.KIND], gap[c.MESSAGE]) for gap in missing_files(source, tmp_path / "data")]

    return look


def test_a_folder_in_which_every_file_is_taken_lacks_nothing(told):
    files = ["web-1.csv", "web-2.csv", "shop.toml", "README.md", ".hidden.csv", "~$web.xlsx", "data/landing/ab.csv"]
    assert told({"web": "web-*.csv"}, files) == []


def test_a_feed_without_files_is_told_with_the_nearest_name(told):
    gaps = told({"web": "web-*.csv", "market": "markt-*.csv"}, ["web-08.csv", "market-08.csv"])
    assert gaps == [
        (
            c.FEED_WITHOUT_FILES,
            "feed market has no data: no file is called markt-*.csv; nearest to that: market-08.csv, "
            "which no feed takes",
        ),
        (c.FILES_NOT_TAKEN, "1 file is taken by no feed: market-08.csv"),
    ]


def test_a_feed_without_files_and_without_a_name_like_it_is_told_too(told):
    assert told({"web": "*.csv", "stock": "stock/*.parquet"}, ["web.csv"]) == [
        (c.FEED_WITHOUT_FILES, "feed stock has no data: no file is called stock/*.parquet")
    ]


def test_a_name_that_differs_only_in_case_is_told_with_its_feed_and_is_no_unknown_file(told):
    assert told({"web": "in/web-*.csv"}, ["in/web-08.csv", "in/web-09.CSV", "in/Web-10.csv"]) == [
        (
            c.NAME_IN_OTHER_CASE,
            "in/Web-10.csv, in/web-09.CSV differ from in/web-*.csv of feed web only in upper and lower case: "
            "no feed takes them",
        )
    ]


def test_the_pattern_that_is_proposed_takes_the_file(tmp_path):
    for name in ("web-08.csv", "web-09.CSV"):
        (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
    feed = Feed("web", "products", "web-*.csv", {"product_id": "a"})
    [gap] = missing_files(Source("files", tmp_path, "Europe/Berlin", "EUR", "DE", (feed,)), tmp_path / "data")
    proposed = gap[c.NEXT_STEP].split('"')[1]
    assert {path.name for path in tmp_path.glob(proposed)} == {"web-08.csv", "web-09.CSV"}
