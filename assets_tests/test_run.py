"""Where `storecast run` puts a shop."""

from pathlib import Path

from storecast.run import shop_settings
from storecast.settings import Settings
from storecast.shop import bind


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
