"""Where `storecast run` puts a shop."""

from pathlib import Path

import pytest

from storecast.definitions import compose
from storecast.run import shop_settings
from storecast.settings import SOURCE_FACTS, Settings
from storecast.shop import bind, settings_of_environment

MAPPING = """
timezone = "{timezone}"
currency = "{currency}"
country = "{country}"
[[feeds]]
entity = "prices"
files = "*.csv"
columns = {{ product_id = "sku", valid_from_date = "from", unit_price = "price" }}
"""


def test_a_source_brings_its_own_zone_currency_and_country(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = shop_settings({"source": "olist", "source_path": Path("olist")}, report=print)
    assert (settings.timezone, settings.currency, settings.country) == ("America/Sao_Paulo", "BRL", "BR")
    assert settings.data_dir == tmp_path / "data"


def test_a_second_shop_goes_to_a_folder_of_its_own_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bind(Settings(data_dir=tmp_path / "data"))
    told: list[str] = []
    settings = shop_settings({"source": "olist", "source_path": Path("olist")}, report=told.append)
    assert settings.data_dir == tmp_path / "data-olist"
    assert told == [f"{tmp_path / 'data'} holds another shop; this one goes to {tmp_path / 'data-olist'}."]


def test_a_folder_named_by_hand_is_never_exchanged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bind(Settings(data_dir=tmp_path / "mine"))
    options = {"source": "olist", "source_path": Path("olist"), "data_dir": tmp_path / "mine"}
    assert shop_settings(options, report=print).data_dir == tmp_path / "mine"


def test_run_and_daemon_take_zone_currency_and_country_from_the_mapping_as_it_is_now(tmp_path, monkeypatch):
    mapping, facts = tmp_path / "mapping.toml", ("Europe/Vienna", "EUR", "AT")
    mapping.write_text(MAPPING.format(timezone="Europe/Berlin", currency="CHF", country="DE"))
    first = shop_settings({"source": "files", "source_config": mapping, "data_dir": tmp_path / "data"}, report=print)
    bind(first)
    mapping.write_text(MAPPING.format(**dict(zip(SOURCE_FACTS, facts, strict=True))))
    monkeypatch.setenv("STORECAST_DATA_DIR", str(tmp_path / "data"))
    by_run, by_daemon = shop_settings({}, report=print), settings_of_environment()
    assert by_run == by_daemon
    assert tuple(getattr(by_daemon, fact) for fact in SOURCE_FACTS) == facts


@pytest.mark.parametrize("wrong", [{"models": ("lightgmb",)}, {"country": "XX"}])
def test_what_no_stage_could_work_with_is_refused_before_any_begins(tmp_path, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong)).removesuffix("s")):
        compose(Settings(data_dir=tmp_path, **wrong))
    assert list(tmp_path.iterdir()) == []
