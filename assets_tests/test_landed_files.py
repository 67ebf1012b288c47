from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from storecast.cli import main
from storecast.ingestion.landing import land
from storecast.ingestion.sources.files import files
from storecast.last_run import state_of
from storecast.settings import Settings, load_settings

MAPPING = """
timezone = "Europe/Berlin"
currency = "EUR"
country = "DE"

[[feeds]]
entity = "sellers"
files = "sellers-*.csv"
columns = { seller_id = "id" }
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch, now) -> Settings:
    """A data folder in which two files have landed, one of them with a name that would steer a terminal."""
    (tmp_path / "shop.toml").write_text(MAPPING)
    (tmp_path / "sellers-1.csv").write_text("id\nS01\n")
    (tmp_path / "sellers-\x1b[31m.csv").write_text("id\nS02\n")
    monkeypatch.setenv("STORECAST_SOURCE", "files")
    monkeypatch.setenv("STORECAST_SOURCE_CONFIG", str(tmp_path / "shop.toml"))
    settings = load_settings(data_dir=tmp_path / "data")
    land(files(tmp_path / "shop.toml"), settings.landing_dir, now)
    return settings


@pytest.fixture
def now():
    from datetime import datetime

    return datetime(2026, 11, 20, 12)


def landed(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["landed", *arguments, "--data-dir", str(settings.data_dir)])


def test_what_landed_is_listed_and_no_name_steers_the_terminal(settings):
    told = landed(settings, "list").output
    assert "sellers-1.csv" in told
    assert "sellers-\\x1b[31m.csv" in told
    assert "\x1b" not in told


def test_a_file_is_let_go_and_taken_back_and_the_next_run_has_something_to_do(settings):
    before = state_of(settings)
    assert "sellers-1.csv" in landed(settings, "forget", "sellers-1.csv").output
    assert "sellers-1.csv" not in landed(settings, "list").output
    assert "let go" in landed(settings, "list", "--all").output
    assert state_of(settings) != before
    assert landed(settings, "restore", "sellers-1.csv").exit_code == 0
    assert "sellers-1.csv" in landed(settings, "list").output


def test_a_name_that_no_file_has_is_an_error_with_the_way_on(settings):
    refused = landed(settings, "forget", "sellers-9.csv")
    assert refused.exit_code == 1
    assert "is called 'sellers-9.csv': `storecast landed list --all` names them" in refused.output
