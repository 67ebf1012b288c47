"""What `storecast run` refuses: one clear message, an exit code, and nothing changed."""

import fcntl
import re

import pytest
from click.testing import CliRunner, Result

from storecast.cli import main

pytestmark = pytest.mark.slow


def state_of(shop) -> dict[str, int]:
    """Return every file of the data folder and when it was written; the locks of this test's own reading aside."""
    files = (path for path in shop.data_dir.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(shop.data_dir)): path.stat().st_mtime_ns for path in files}


def call(shop, monkeypatch, *arguments: str) -> Result:
    """Call the command line in this process."""
    for name, value in shop.environment().items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(main, ["run", *arguments])


def assert_told(result: Result, message: str) -> None:
    """Check that an error was one clear message: an exit and no exception that a person would see as a traceback."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert re.search(message, result.stderr, re.DOTALL), result.stderr
    assert result.stderr.startswith("error: ")


def test_a_folder_that_is_not_there_is_named_and_does_not_keep_the_data_folder(small_shop, tmp_path, monkeypatch):
    shop = type(small_shop)(tmp_path / "shop")
    assert_told(call(shop, monkeypatch, "--path", "nowhere"), f"there is no folder {tmp_path / 'nowhere'}")
    (tmp_path / "empty").mkdir()
    assert_told(
        call(shop, monkeypatch, "--path", "empty"), f"no file below {tmp_path / 'empty'} is called .*prices.csv"
    )
    assert not (shop.data_dir / "shop.json").exists()


def test_another_shop_in_the_same_folder_is_refused(small_shop, tmp_path, monkeypatch):
    before = state_of(small_shop)
    other = call(small_shop, monkeypatch, "--source", "olist", "--path", str(tmp_path))
    assert_told(other, f"{small_shop.data_dir} holds another shop .* --data-dir or STORECAST_DATA_DIR")
    assert state_of(small_shop) == before


def test_an_unknown_source_is_answered_with_the_known_ones(small_shop, monkeypatch):
    result = call(small_shop, monkeypatch, "--source", "amazon")
    assert result.exit_code == 2
    for name in ("amazon", "demo", "online_retail_ii", "olist", "m5", "files"):
        assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_two_runs_at_once_are_one_too_many_and_the_second_says_so(small_shop, monkeypatch):
    with (small_shop.data_dir / "main_job.lease.lock").open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = call(small_shop, monkeypatch, "--source", "demo", "--path", str(small_shop.source))
    assert_told(second, "another Storecast process holds it")


def test_a_file_that_cannot_be_read_is_named_and_what_it_was_before_still_counts(small_shop, tmp_path, monkeypatch):
    shop = small_shop.copy(tmp_path / "shop")
    before = shop.published("select sum(ad_spend) as spend from gold.daily_kpis")["spend"].item()
    (shop.source / "ad_spend.parquet").write_bytes(b"PAR1 and no more")
    broken = call(shop, monkeypatch, "--source", "demo", "--path", str(shop.source))
    assert broken.exit_code == 0, broken.output
    assert "file set aside: ad_spend.parquet" in broken.output
    assert shop.published("select sum(ad_spend) as spend from gold.daily_kpis")["spend"].item() == before > 0
    assert "Traceback" not in broken.output
