"""Which shop a data folder belongs to, and what makes a run necessary."""

from pathlib import Path

import pytest

from storecast.settings import Settings, load_settings
from storecast.shop import OtherShopError, bind, fingerprint, holds_another_shop

RETAIL = {"source": "online_retail_ii", "source_path": Path("/retail"), "timezone": "Europe/London"}


def test_a_bound_folder_tells_later_processes_which_shop_it_holds(tmp_path):
    bind(Settings(data_dir=tmp_path, **RETAIL))
    settings = load_settings(data_dir=tmp_path)
    assert (settings.source, settings.source_path, settings.timezone) == tuple(RETAIL.values())


def test_a_folder_that_holds_one_shop_refuses_another_and_keeps_the_first(tmp_path):
    bind(Settings(data_dir=tmp_path))
    with pytest.raises(OtherShopError, match=r"holds another shop .* --data-dir"):
        bind(Settings(data_dir=tmp_path, **RETAIL))
    assert load_settings(data_dir=tmp_path).source == "demo"


def test_binding_the_same_shop_again_changes_nothing(tmp_path):
    bind(Settings(data_dir=tmp_path, **RETAIL))
    first = (tmp_path / "shop.json").read_bytes()
    bind(Settings(data_dir=tmp_path, **RETAIL))
    assert (tmp_path / "shop.json").read_bytes() == first
    assert not holds_another_shop(Settings(data_dir=tmp_path, **RETAIL))


def test_a_run_is_needed_when_a_file_a_setting_or_the_code_changed_and_only_then(tmp_path):
    code = tmp_path / "code.py"
    code.write_text("a = 1")
    settings, files = Settings(data_dir=tmp_path), [("orders.csv", "ab"), ("prices.csv", "cd")]
    known = fingerprint(settings, files, [code])
    assert fingerprint(settings, files[::-1], [code]) == known
    assert (
        fingerprint(settings.model_copy(update={"data_dir": Path("elsewhere"), "mlflow_port": 1}), files, [code])
        == known
    )
    assert fingerprint(settings.model_copy(update={"horizon_days": 14}), files, [code]) != known
    assert fingerprint(settings, [("orders.csv", "ab"), ("prices.csv", "ce")], [code]) != known
    assert fingerprint(settings, [("orders.csv", "ab")], [code]) != known
    code.write_text("a = 2")
    assert fingerprint(settings, files, [code]) != known
