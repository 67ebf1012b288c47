"""What a person can mend is told in one sentence; a bug keeps its traceback."""

import errno
import os
import resource
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import sqlalchemy
from click.testing import CliRunner, Result

from storecast.cli import main
from storecast.cli.errors import sentence_for
from storecast.settings import Settings
from storecast.warehouse import Warehouse

STORECAST = Path(sys.executable).with_name("storecast")


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def sentence(result: Result) -> str:
    """Return the one line of the error, which no traceback follows."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), "a traceback"
    [line] = [line for line in result.stderr.splitlines() if not line.startswith("  …")]
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


@pytest.mark.parametrize("sign", ["%20", "?", "#", "\x1b"])
def test_a_data_folder_whose_path_is_no_address_of_a_database_is_refused(tmp_path, sign):
    told = sentence(call("run", "--data-dir", str(tmp_path / f"my{sign}shop")))
    assert "the path holds " in told
    assert "choose a folder without" in told
    assert list(tmp_path.iterdir()) == []


def test_links_that_lead_in_a_circle_are_told_wherever_they_are(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for arguments in (
        ["run", "--data-dir", str(tmp_path / "loop")],
        ["status", "--data-dir", str(tmp_path / "loop" / "below")],
        ["run", "--path", str(tmp_path / "loop")],
        ["run", "--source", "files", "--config", str(tmp_path / "loop")],
    ):
        assert str(tmp_path / "loop") in sentence(call(*arguments))


def test_a_source_file_that_is_a_link_to_itself_is_named(tmp_path):
    (tmp_path / "prices.csv").symlink_to("prices.csv")
    assert "prices.csv" in sentence(call("run", "--path", str(tmp_path)))


def test_a_file_where_the_data_folder_should_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    assert "Not a directory" in sentence(call("run", "--data-dir", str(tmp_path / "file" / "data")))


@pytest.mark.parametrize("text", ['{"source": "de', "[]", "\ufeff{}"])
def test_a_broken_shop_file_is_named_with_what_to_do(tmp_path, text):
    (tmp_path / "shop.json").write_text(text, encoding="utf-8")
    for command in ("run", "status", "quarantine", "up", "down"):
        told = sentence(call(command, "--data-dir", str(tmp_path)))
        assert f"{tmp_path / 'shop.json'} is damaged" in told
        assert "remove it" in told


@pytest.mark.parametrize("port", ["0", "65536", "-1", "99999999999"])
def test_a_port_out_of_range_is_refused_before_anything_starts(tmp_path, monkeypatch, port):
    monkeypatch.setenv("STORECAST_MLFLOW_PORT", port)
    assert "setting mlflow_port" in sentence(call("up", "--data-dir", str(tmp_path / "data")))
    assert list(tmp_path.iterdir()) == []


def test_one_port_for_two_servers_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("STORECAST_MLFLOW_PORT", "3000")
    assert "must differ" in sentence(call("up", "--data-dir", str(tmp_path / "data")))


@pytest.mark.parametrize("kept", [0.0, 0.1])
def test_a_truncated_warehouse_is_named_with_what_to_do(tmp_path, kept):
    path = Settings(data_dir=tmp_path).warehouse_path
    with Warehouse(path).writing() as connection:
        connection.execute("create table ops.quarantine as select range as row_number from range(100000)")
    os.truncate(path, int(path.stat().st_size * kept))
    told = sentence(call("quarantine", "--data-dir", str(tmp_path)))
    assert f"{path} cannot be opened" in told
    assert "Restore it from a backup, or move it away" in told


def test_a_warehouse_whose_damage_shows_only_when_a_table_is_read_is_told_too(tmp_path):
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table small as select 1 as row; checkpoint")
        connection.execute("create table large as select md5(range::varchar) as row from range(300000); checkpoint")
        connection.execute("create or replace table small as select 2 as row; checkpoint")
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 2] = b"\7" * (len(content) // 2 - len(content) // 3)
    path.write_bytes(content)
    with duckdb.connect(str(path), read_only=True) as connection, pytest.raises(duckdb.Error) as damaged:
        connection.execute("select max(row) from large").fetchall()
    assert "is damaged" in str(sentence_for(damaged.value))


@pytest.mark.parametrize(
    ("place", "lost"),
    [("mlflow/mlflow.db", "the next run trains anew"), ("dagster/history/runs.db", "the history of runs")],
)
@pytest.mark.parametrize("kept", [0.01, 0.5])
def test_a_truncated_database_is_named_before_anything_is_run(tmp_path, monkeypatch, place, lost, kept):
    monkeypatch.setenv("STORECAST_DEMO_PRODUCTS", "1")
    monkeypatch.setenv("STORECAST_DEMO_DAYS", "60")
    database = tmp_path / place
    database.parent.mkdir(parents=True)
    with sqlite3.connect(database) as connection:
        connection.execute("create table rows as select randomblob(1000000) as value")
    connection.close()
    os.truncate(database, int(database.stat().st_size * kept))
    told = sentence(call("run", "--data-dir", str(tmp_path)))
    assert f"{database} is damaged" in told
    assert lost in told
    assert not (tmp_path / "warehouse.duckdb").exists()


def test_a_full_disk_is_one_sentence():
    with pytest.raises(OSError, match="No space left") as full, Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")
    assert "there is no space left" in str(sentence_for(full.value))


def test_a_full_disk_is_one_sentence_when_a_database_says_it(tmp_path):
    with sqlite3.connect(tmp_path / "small.db") as connection:
        connection.execute("create table rows (value blob)")
        connection.execute("pragma max_page_count = 3")
        with pytest.raises(sqlite3.OperationalError) as full:
            connection.execute("insert into rows values (randomblob(100000))")
    connection.close()
    assert "there is no space left" in str(sentence_for(full.value))
    wrapped = sqlalchemy.exc.OperationalError("insert", {"value": "sesame"}, full.value)
    assert sentence_for(wrapped) == sentence_for(full.value)


def test_a_run_that_cannot_write_ends_with_one_sentence(tmp_path):
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = subprocess.run(
        [str(STORECAST), "run", "--data-dir", str(tmp_path / "data")],
        capture_output=True,
        text=True,
        preexec_fn=no_large_files,
        check=False,
    )
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "larger than this system lets a file be" in line


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_folder_without_the_right_to_write_is_named_with_what_to_do(number):
    told = str(sentence_for(OSError(number, os.strerror(number), "/data/warehouse.duckdb")))
    assert told.startswith(f"/data/warehouse.duckdb cannot be read or written ({os.strerror(number)})")
    assert "--data-dir" in told


@pytest.mark.parametrize(
    "bug", [OSError(errno.EBADF, "Bad file descriptor"), sqlite3.OperationalError("no such table")]
)
def test_a_bug_keeps_its_traceback(bug):
    assert sentence_for(bug) is None
