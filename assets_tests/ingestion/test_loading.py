import csv
import io
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storecast.ingestion.contracts import ENTITIES
from storecast.ingestion.landing import land, landed_files
from storecast.ingestion.loading import ensure_tables, load_entity
from storecast.ingestion.sources import Feed, Source
from storecast.ingestion.sources.base import MappingError

LATER = datetime(2026, 11, 25, 12)
HOSTILE_IDS = [
    "x') OR 1=1 --",
    "../../etc/passwd",
    '"quoted"',
    "caf\u00e9",
    "cafe\u0301",
    "0007",
    "7",
    "A" * 300,
    " padded ",
    "{{ jinja }}",
    "line\nbreak",
    "null",
]

SELLERS = Feed(
    "sellers", "sellers", "sellers*.csv", {"seller_id": "seller_id", "seller_name": "name"}, ("seller_id", "name")
)


def source_of(shop, *feeds: Feed) -> Source:
    return Source("shop", shop.folder, "Europe/Berlin", "EUR", "DE", feeds or (SELLERS,))


def csv_text(rows: list[tuple[str, ...]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows(rows)
    return written.getvalue()


def test_hostile_ids_arrive_each_as_itself(shop) -> None:
    shop.write("sellers.csv", csv_text([("seller_id", "name"), *((value, "n") for value in HOSTILE_IDS)]))
    shop.ingest(source_of(shop))
    rows = shop.bronze("sellers")
    assert rows["seller_id"].tolist() == HOSTILE_IDS
    assert rows["row_number"].tolist() == list(range(1, len(HOSTILE_IDS) + 1))
    assert shop.reasons("sellers") == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=20), max_size=20))
def test_any_text_of_a_cell_is_in_bronze_word_for_word(make_shop, now, cells: list[str]) -> None:
    shop = make_shop(f"shop-{time.monotonic_ns()}")
    shop.write("sellers.csv", csv_text([("seller_id", "name"), *((str(n), cell) for n, cell in enumerate(cells))]))
    source = source_of(shop)
    landed = land(source, shop.landing_dir, now)
    load_entity(shop.warehouse, source, landed, "sellers", shop.landing_dir, now)
    assert [value or "" for value in shop.bronze("sellers")["seller_name"]] == cells


def test_every_bronze_table_is_there_before_any_file(shop) -> None:
    ensure_tables(shop.warehouse)
    assert all(shop.bronze(entity).empty for entity in ENTITIES)
    assert shop.warehouse.exists("ops.quarantine")


def test_loading_again_loads_nothing_and_changes_nothing(shop, now) -> None:
    shop.write("sellers-1.csv", "seller_id,name\nS01,a\nS02\n")
    tables = ("bronze.sellers", "ops.loads", "ops.quarantine", "ops.landed_files")
    assert shop.ingest(source_of(shop)) == 2
    before = [shop.warehouse.content_hash(table) for table in tables]
    assert shop.ingest(source_of(shop), now + timedelta(days=1)) == 0
    assert [shop.warehouse.content_hash(table) for table in tables] == before


def test_the_rows_of_each_file_are_noted_where_it_landed(shop) -> None:
    shop.write("sellers-1.csv", "seller_id,name\nS01,a\nS02,b\n")
    shop.write("sellers-2.csv", "seller_id,name\n")
    shop.ingest(source_of(shop))
    rows = shop.warehouse.read("SELECT path, rows FROM ops.landed_files ORDER BY path")
    assert rows.to_numpy().tolist() == [["sellers-1.csv", 2], ["sellers-2.csv", 0]]


def test_only_the_new_file_is_loaded(shop) -> None:
    shop.write("sellers-1.csv", "seller_id,name\nS01,a\n")
    shop.ingest(source_of(shop))
    shop.write("sellers-2.csv", "seller_id,name\nS02,b\nS03,c\n")
    assert shop.ingest(source_of(shop)) == 2
    assert sorted(shop.bronze("sellers")["seller_id"]) == ["S01", "S02", "S03"]


def test_a_changed_mapping_replaces_the_files_rows_and_their_judgement(shop) -> None:
    shop.write("sellers.csv", "seller_id,name\n,a\n")
    shop.ingest(source_of(shop))
    assert shop.reasons("sellers") == {1: "seller_id: missing, but required"}
    shop.ingest(source_of(shop, replace(SELLERS, columns={"seller_id": "name"})))
    assert shop.bronze("sellers")["seller_id"].tolist() == ["a"]
    assert shop.reasons("sellers") == {}


def test_a_feed_that_is_gone_takes_its_rows_with_it_and_a_renamed_one_keeps_them(shop) -> None:
    shop.write("sellers.csv", "seller_id,name\nS01,a\n,b\n")
    shop.ingest(source_of(shop))
    shop.ingest(source_of(shop, replace(SELLERS, name="merchants")))
    assert shop.bronze("sellers")["feed"].tolist() == ["merchants", "merchants"]
    assert shop.reasons("sellers") == {2: "seller_id: missing, but required"}
    other = replace(SELLERS, name="customers", entity="customers", columns={"customer_id": "seller_id"})
    shop.ingest(source_of(shop, other))
    assert shop.bronze("sellers").empty
    assert shop.reasons("sellers") == {}
    assert len(shop.bronze("customers")) == 2


def test_one_content_under_two_feeds_would_count_twice_and_is_refused(shop) -> None:
    shop.write("sellers.csv", "seller_id,name\nS01,a\n")
    shop.ingest(source_of(shop, SELLERS, replace(SELLERS, name="merchants")))
    noted = shop.warehouse.read("SELECT feed, state, note FROM ops.landed_files ORDER BY feed DESC")
    assert noted["state"].tolist() == ["loaded", "set aside"]
    assert noted["note"][1] == (
        "sellers.csv (feed merchants) has the very content of a file of feed sellers: "
        "its rows would count twice; let one feed take it"
    )
    assert shop.bronze("sellers")["feed"].tolist() == ["sellers"]


def test_a_file_that_cannot_be_read_does_not_keep_the_others_out(shop) -> None:
    shop.write("sellers-1.csv", "seller_id;name\nS00;x\n")
    shop.write("sellers-2.csv", "seller_id,name\nS01,a\n")
    shop.write("sellers-3.csv", "seller,name\nS01,a\n")
    shop.ingest(source_of(shop))
    noted = shop.warehouse.read("SELECT note FROM ops.landed_files WHERE state = 'set aside' ORDER BY path")
    first, second = noted["note"]
    assert first.startswith("sellers-1.csv (feed sellers) has no column 'seller_id'; it has 'seller_id;name'")
    assert second.startswith("sellers-3.csv (feed sellers) has no column 'seller_id'; it has 'seller', 'name'")
    assert shop.bronze("sellers")["seller_id"].tolist() == ["S01"]


def test_a_mapping_that_fits_no_file_of_its_feed_is_refused(shop) -> None:
    shop.write("sellers-1.csv", "seller;name\nS01;a\n")
    with pytest.raises(MappingError, match=r"sellers-1\.csv \(feed sellers\) has no column 'seller_id'"):
        shop.ingest(source_of(shop))


@pytest.mark.parametrize("broken", [b"", b"PK\x03\x04 cut", b"other,header\n1,2\n"])
def test_a_file_that_was_unreadable_once_is_mended_under_its_name_or_taken_away(shop, broken) -> None:
    shop.write("sellers-1.csv", "seller_id,name\nS01,a\n")
    shop.write("sellers-2.csv", broken)
    shop.ingest(source_of(shop))
    assert shop.states() == {"sellers-1.csv": "loaded", "sellers-2.csv": "set aside"}
    mended = shop.write("sellers-2.csv", "seller_id,name\nS02,b\n")
    shop.ingest(source_of(shop), LATER)
    assert sorted(shop.bronze("sellers")["seller_id"]) == ["S01", "S02"]
    assert shop.warehouse.read("FROM ops.landed_files WHERE state = 'set aside'").empty
    mended.write_bytes(broken + b"\n")
    shop.ingest(source_of(shop), LATER)
    assert sorted(shop.bronze("sellers")["seller_id"]) == ["S01", "S02"], "what was good stays until it is mended"
    mended.unlink()
    shop.ingest(source_of(shop), LATER)
    assert shop.warehouse.read("FROM ops.landed_files WHERE state = 'set aside'").empty
    assert sorted(shop.bronze("sellers")["seller_id"]) == ["S01", "S02"]


def test_a_landed_copy_that_was_altered_is_set_aside(shop) -> None:
    shop.write("sellers-1.csv", "seller_id,name\nS01,a\n")
    shop.write("sellers-2.csv", "seller_id,name\nS02,b\n")
    landed = land(source_of(shop), shop.landing_dir, LATER)
    landed[0].stored(shop.landing_dir).write_text("seller_id,name\nS99,a\n")
    shop.ingest(source_of(shop))
    assert shop.bronze("sellers")["seller_id"].tolist() == ["S02"]
    [note] = shop.warehouse.read("SELECT note FROM ops.landed_files WHERE state = 'set aside'")["note"]
    assert "was altered since it landed" in note


def test_the_lines_of_each_file_are_counted_beside_the_reader(shop) -> None:
    shop.write("sellers-1.csv", 'seller_id,name\nS01,"two\nlines"\n\nS02,b\n')
    shop.ingest(source_of(shop))
    assert shop.warehouse.read("SELECT lines, rows FROM ops.landed_files").to_numpy().tolist() == [[4, 2]]


def test_a_mapping_whose_rows_share_numbers_is_refused(shop) -> None:
    shop.write("sellers.csv", "seller_id,name\nS01,a\n")
    doubled = replace(SELLERS, rows="(SELECT * FROM raw UNION ALL SELECT * FROM raw)")
    with pytest.raises(ValueError, match=r"feed sellers: 2 rows of sellers\.csv share 1 numbers; mend its `rows`"):
        shop.ingest(source_of(shop, doubled))
    assert shop.bronze("sellers").empty


def test_a_bronze_table_of_other_columns_is_filled_anew_from_the_landed_files(shop) -> None:
    shop.write("sellers.csv", "seller_id,name\nS01,a\n")
    shop.ingest(source_of(shop))
    with shop.warehouse.writing() as connection:
        connection.execute("ALTER TABLE bronze.sellers DROP COLUMN city")
    (shop.folder / "sellers.csv").unlink()
    landed = landed_files(source_of(shop), shop.landing_dir)
    done = load_entity(shop.warehouse, source_of(shop), landed, "sellers", shop.landing_dir, landed[0].landed_at)
    assert done.rows == 1
    assert shop.bronze("sellers")["city"].tolist() == [None]


LOAD = """
import sys
from datetime import datetime
from pathlib import Path
from storecast.ingestion import loading
from storecast.ingestion.landing import landed_files
from storecast.ingestion.sources import Feed, Source
from storecast.warehouse import Warehouse
folder, data = Path(sys.argv[1]), Path(sys.argv[2])
loading.GROUP_ROWS = 3000
columns = {"seller_id": "seller_id", "seller_name": "name"}
feed = Feed("sellers", "sellers", "sellers*.csv", columns, ("seller_id", "name"))
source = Source("shop", folder, "Europe/Berlin", "EUR", "DE", (feed,))
print("ready", flush=True)
loading.load_entity(
    Warehouse(data / "warehouse.duckdb"), source, landed_files(source, data / "landing"), "sellers", data / "landing",
    datetime(2026, 11, 20, 12),
)
"""


@pytest.mark.slow
def test_a_load_killed_at_any_moment_is_completed_by_the_next(make_shop, now) -> None:
    calm, killed = make_shop("calm"), make_shop("killed")
    for shop in (calm, killed):
        for number in range(60):
            rows = "".join(f"S{number}-{row},name\n" for row in range(2_000))
            shop.write(f"sellers-{number:03}.csv", "seller_id,name\n" + rows)
    calm.ingest(source_of(calm))
    land(source_of(killed), killed.landing_dir, now)
    interrupted = 0
    for pause in (0.05, 0.2, 0.4, 0.8):
        command = [sys.executable, "-c", LOAD, str(killed.folder), str(killed.landing_dir.parent)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        interrupted += process.wait() == -signal.SIGKILL
        process.stdout.close()
        ensure_tables(killed.warehouse)
        torn = killed.warehouse.read(
            "SELECT count(*) AS files FROM (SELECT file_sha256, count(*) AS rows FROM bronze.sellers GROUP BY ALL) "
            "FULL JOIN ops.loads USING (file_sha256, rows) WHERE loaded_at IS NULL OR source IS NULL OR rows <> 2000"
        )
        assert torn["files"].tolist() == [0]
    assert interrupted > 0
    killed.ingest(source_of(killed))
    for table in ("bronze.sellers", "ops.loads", "ops.landed_files"):
        assert killed.warehouse.content_hash(table) == calm.warehouse.content_hash(table)
