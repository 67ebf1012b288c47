import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storecast.ingestion.landing import (
    find_files,
    forget,
    land,
    landed_files,
    list_source_files,
    read_log,
    restore,
    unlanded,
)
from storecast.ingestion.sources import Feed, Source, SourceFileError

SELLER = {"seller_id": "seller_id"}


def make_source(folder: Path, pattern: str = "**/*.csv", feed: str = "sellers") -> Source:
    return Source(
        "shop", folder, "Europe/Berlin", "EUR", "DE", (Feed(feed, "sellers", pattern, SELLER, ("seller_id",)),)
    )


def test_a_file_lands_once_under_its_hash_with_an_entry(shop, now) -> None:
    content = b"seller_id\nS01\n"
    shop.write("deep/sellers.csv", content)
    [entry] = land(make_source(shop.folder), shop.landing_dir, now)
    sha256 = hashlib.sha256(content).hexdigest()
    assert (entry.source, entry.feed, entry.path) == ("shop", "sellers", "deep/sellers.csv")
    assert (entry.file_sha256, entry.bytes, entry.landed_at) == (sha256, len(content), now)
    stored = shop.landing_dir / sha256[:2] / f"{sha256}.csv"
    assert entry.stored(shop.landing_dir) == stored
    assert stored.read_bytes() == content


def test_landing_again_changes_no_byte_and_no_time(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    before = snapshot(shop.landing_dir)
    land(make_source(shop.folder), shop.landing_dir, now + timedelta(days=9))
    assert snapshot(shop.landing_dir) == before


def test_the_same_content_under_another_name_does_not_land_again(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    shop.write("b.csv", "seller_id\nS01\n")
    assert len(land(make_source(shop.folder), shop.landing_dir, now)) == 1


def test_a_changed_file_lands_beside_the_one_it_was(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    shop.write("a.csv", "seller_id\nS01\nS02\n")
    entries = land(make_source(shop.folder), shop.landing_dir, now + timedelta(days=1))
    assert [(entry.path, entry.bytes) for entry in entries] == [("a.csv", 14), ("a.csv", 18)]
    assert [entry.newer for entry in entries] == [(entries[1].file_sha256,), ()]


def test_in_one_landing_the_later_path_is_the_newer(shop, now) -> None:
    for month in ("2025-02", "2025-01", "2025-03"):
        shop.write(f"sellers-{month}.csv", f"seller_id\n{month}\n")
    entries = land(make_source(shop.folder), shop.landing_dir, now)
    assert [entry.path[8:15] for entry in entries] == ["2025-01", "2025-02", "2025-03"]
    assert len({entry.delivered_at for entry in entries}) == 3


def test_a_link_out_of_the_folder_is_refused_and_one_within_is_not(shop, tmp_path: Path, now) -> None:
    inside = shop.write("a.csv", "seller_id\nS01\n")
    (shop.folder / "b.csv").symlink_to(inside)
    assert len(find_files(make_source(shop.folder))) == 2
    secret = tmp_path / "secret.csv"
    secret.write_text("seller_id\nsecret\n")
    (shop.folder / "c.csv").symlink_to(secret)
    with pytest.raises(SourceFileError, match=r"^c\.csv \(feed sellers\) is a link out of the source's folder"):
        land(make_source(shop.folder), shop.landing_dir, now)
    assert not read_log(shop.landing_dir)


def test_a_folder_or_a_broken_link_in_a_files_place_is_refused(shop) -> None:
    (shop.folder / "a.csv").symlink_to(shop.folder / "gone")
    with pytest.raises(SourceFileError, match=r"a\.csv \(feed sellers\) is no regular file"):
        find_files(make_source(shop.folder))
    (shop.folder / "a.csv").unlink()
    (shop.folder / "a.csv").mkdir()
    with pytest.raises(SourceFileError, match="is no regular file"):
        find_files(make_source(shop.folder))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_file_is_named(shop, now) -> None:
    shop.write("a.csv", "x").chmod(0)
    with pytest.raises(SourceFileError, match=r"a\.csv cannot be read: Permission denied; give Storecast"):
        land(make_source(shop.folder), shop.landing_dir, now)


def test_a_missing_folder_and_a_folder_without_files_are_named(shop) -> None:
    with pytest.raises(SourceFileError, match="source shop: there is no folder"):
        find_files(make_source(shop.folder / "nowhere"))
    with pytest.raises(SourceFileError, match=r"source shop: no file below .* is called \*\*/\*\.csv"):
        find_files(make_source(shop.folder))


def test_hidden_files_and_excels_lock_files_are_left_alone(shop) -> None:
    shop.write("a.csv", "seller_id\n")
    shop.write(".a.csv", "half written")
    shop.write("~$a.csv", "lock")
    assert [file.relative for file in find_files(make_source(shop.folder))] == ["a.csv"]


def test_another_source_needs_a_data_folder_of_its_own(shop, now) -> None:
    shop.write("a.csv", "seller_id\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    other = Source("other", shop.folder, "UTC", "EUR", "DE", make_source(shop.folder).feeds)
    with pytest.raises(SourceFileError, match="holds files of shop: give other a data folder of its own"):
        land(other, shop.landing_dir, now)


def test_a_file_name_that_is_no_text_lands_and_is_shown_with_escapes(shop, now) -> None:
    name = os.fsdecode(b"b\xff'; DROP TABLE x; --\n.csv")
    (shop.folder / name).write_text("seller_id\nS01\n")
    [entry] = land(make_source(shop.folder), shop.landing_dir, now)
    assert entry.path == "b\\udcff'; DROP TABLE x; --\n.csv"
    entry.path.encode()
    assert json.dumps(entry.path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=50),
    content=st.binary(max_size=200),
)
def test_any_name_and_any_content_land_once(make_shop, now, name: str, content: bytes) -> None:
    shop = make_shop(f"shop-{time.monotonic_ns()}")
    (shop.folder / f"x{name}").write_bytes(content)
    source = make_source(shop.folder, "x*")
    first = land(source, shop.landing_dir, now)
    second = land(source, shop.landing_dir, now + timedelta(days=1))
    assert first == second
    assert [entry.stored(shop.landing_dir).read_bytes() for entry in first] == [content]
    below = [path for path in shop.landing_dir.rglob("*") if path.is_file()]
    assert all(path.resolve().is_relative_to(shop.landing_dir.resolve()) for path in below)


def test_what_has_not_landed_yet_is_listed_by_content(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    source = make_source(shop.folder)
    assert unlanded(source, shop.landing_dir) == list_source_files(source)
    land(source, shop.landing_dir, now)
    shop.write("copy.csv", "seller_id\nS01\n")
    assert unlanded(source, shop.landing_dir) == []
    shop.write("a.csv", "seller_id\nS02\n")
    assert [file.path for file in unlanded(source, shop.landing_dir)] == ["a.csv"]


def test_a_file_that_was_renamed_and_then_written_over_is_replaced(shop, now) -> None:
    source = make_source(shop.folder)
    shop.write("a.csv", "seller_id\nS01\n")
    land(source, shop.landing_dir, now)
    (shop.folder / "a.csv").rename(shop.folder / "b.csv")
    land(source, shop.landing_dir, now + timedelta(days=1))
    shop.write("b.csv", "seller_id\nS02\n")
    older, newer = land(source, shop.landing_dir, now + timedelta(days=2))
    assert older.newer == (newer.file_sha256,)


def test_a_file_that_becomes_again_what_it_was_is_its_newest_version(shop, now) -> None:
    source = make_source(shop.folder)
    for day, seller in enumerate(["S01", "S02", "S01"]):
        shop.write("a.csv", f"seller_id\n{seller}\n")
        land(source, shop.landing_dir, now + timedelta(days=day))
    first, second = sorted(landed_files(source, shop.landing_dir), key=lambda file: len(file.newer))
    assert hashlib.sha256(b"seller_id\nS01\n").hexdigest() == first.file_sha256
    assert second.newer == (first.file_sha256,)


def test_a_file_that_is_gone_stays_until_a_person_lets_it_go_and_can_be_taken_back(shop, now) -> None:
    source = make_source(shop.folder)
    shop.write("a.csv", "seller_id\nS01\n")
    path = shop.write("b.csv", "seller_id\nS02\n")
    land(source, shop.landing_dir, now)
    path.unlink()
    states = {file.path: (file.state, file.is_present) for file in land(source, shop.landing_dir, now)}
    assert states == {"a.csv": ("kept", True), "b.csv": ("kept", False)}
    assert [file.path for file in forget(source, shop.landing_dir, "b.csv", now)] == ["b.csv"]
    assert {file.path: file.state for file in landed_files(source, shop.landing_dir)}["b.csv"] == "let go"
    with pytest.raises(SourceFileError, match=r"no landed file that is kept is called 'b\.csv'"):
        forget(source, shop.landing_dir, "b.csv", now)
    restore(source, shop.landing_dir, "b.csv", now)
    assert {file.path: file.state for file in landed_files(source, shop.landing_dir)}["b.csv"] == "kept"


def test_what_was_let_go_of_does_not_come_back_while_it_lies_there_unchanged(shop, now) -> None:
    source = make_source(shop.folder)
    shop.write("a.csv", "seller_id\nS01\n")
    land(source, shop.landing_dir, now)
    forget(source, shop.landing_dir, "a.csv", now)
    assert [file.state for file in land(source, shop.landing_dir, now)] == ["let go"]
    shop.write("a.csv", "seller_id\nS02\n")
    assert sorted(file.state for file in land(source, shop.landing_dir, now)) == ["kept", "let go"]


def test_a_narrower_glob_lets_go_of_what_it_no_longer_takes(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    shop.write("b.csv", "seller_id\nS02\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    narrow = make_source(shop.folder, "a*.csv")
    assert {file.path: file.state for file in land(narrow, shop.landing_dir, now)} == {
        "a.csv": "kept",
        "b.csv": "let go",
    }


def test_a_line_of_the_log_that_a_kill_cut_short_is_written_again(shop, now) -> None:
    source = make_source(shop.folder)
    shop.write("a.csv", "seller_id\nS01\n")
    land(source, shop.landing_dir, now)
    log = shop.landing_dir / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole[:-20])
    assert read_log(shop.landing_dir) == []
    land(source, shop.landing_dir, now)
    assert log.read_bytes() == whole


def test_a_broken_line_of_the_log_is_named(shop, now) -> None:
    shop.write("a.csv", "seller_id\nS01\n")
    land(make_source(shop.folder), shop.landing_dir, now)
    log = shop.landing_dir / "log.jsonl"
    log.write_bytes(b"{broken\n" + log.read_bytes())
    with pytest.raises(SourceFileError, match=r"log\.jsonl, line 1 cannot be read .* take the file from a backup"):
        read_log(shop.landing_dir)


LAND = """
import sys
from datetime import datetime
from pathlib import Path
from storecast.ingestion.landing import land
from storecast.ingestion.sources import Feed, Source
folder, landing = Path(sys.argv[1]), Path(sys.argv[2])
feed = Feed("sellers", "sellers", "**/*.csv", {"seller_id": "seller_id"}, ("seller_id",))
print("ready", flush=True)
land(Source("shop", folder, "Europe/Berlin", "EUR", "DE", (feed,)), landing, datetime(2026, 11, 20, 12))
"""


@pytest.mark.slow
def test_a_landing_killed_at_any_moment_is_completed_by_the_next(make_shop, now) -> None:
    calm, killed = make_shop("calm"), make_shop("killed")
    for shop in (calm, killed):
        for number in range(60):
            shop.write(f"{number:03}.csv", "seller_id\n" + f"S{number}\n" * 40_000)
    land(make_source(calm.folder), calm.landing_dir, now)
    interrupted = 0
    for pause in (0.0, 0.05, 0.1, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-c", LAND, str(killed.folder), str(killed.landing_dir)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        interrupted += process.wait() == -signal.SIGKILL
        process.stdout.close()
        for entry in landed_files(make_source(killed.folder), killed.landing_dir):
            content = entry.stored(killed.landing_dir).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry.file_sha256
    assert interrupted > 0
    land(make_source(killed.folder), killed.landing_dir, now)
    assert {file: data for file, data in snapshot(killed.landing_dir).items() if file != "log.jsonl"} == {
        file: data for file, data in snapshot(calm.landing_dir).items() if file != "log.jsonl"
    }
    assert {(event.feed, event.path, event.file_sha256) for event in read_log(killed.landing_dir)} == {
        (event.feed, event.path, event.file_sha256) for event in read_log(calm.landing_dir)
    }


def snapshot(folder: Path) -> dict[str, bytes]:
    """Return every file's content, locks aside."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }
