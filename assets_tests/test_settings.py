import json
import re
import traceback
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from storecast.settings import SHOP_FILE, Settings, load_settings, process_environment


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "storecast.toml"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def write_shop(data_dir: Path, text: str) -> None:
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / SHOP_FILE).write_text(text, encoding="utf-8")


def test_without_any_source_the_defaults_hold(tmp_path):
    settings = load_settings()
    assert settings.source == "demo"
    assert settings.data_dir == tmp_path / "data"


def test_the_later_source_wins(config, tmp_path, monkeypatch):
    data_dir = tmp_path / "shop"
    assert load_settings(config=config).horizon_days == 28
    config.write_text(f"data_dir = '{data_dir}'\nhorizon_days = 30\nseed = 30\ncanary_days = 30\nretrain_days = 30")
    assert load_settings(config=config).horizon_days == 30
    write_shop(data_dir, '{"horizon_days": 40, "seed": 40, "canary_days": 40}')
    assert load_settings(config=config).horizon_days == 40
    monkeypatch.setenv("STORECAST_HORIZON_DAYS", "50")
    monkeypatch.setenv("STORECAST_SEED", "50")
    assert load_settings(config=config).horizon_days == 50
    settings = load_settings(config=config, horizon_days=60)
    assert (settings.horizon_days, settings.seed, settings.canary_days, settings.retrain_days) == (60, 50, 40, 30)


def test_an_argument_that_is_none_is_not_given(monkeypatch):
    monkeypatch.setenv("STORECAST_SEED", "50")
    assert load_settings(seed=None).seed == 50


def test_the_data_folder_is_found_before_its_own_file_is_read(config, tmp_path, monkeypatch):
    for name in ("toml", "variable", "argument"):
        write_shop(tmp_path / name, f'{{"currency": "{name}"}}')
    config.write_text(f"data_dir = '{tmp_path / 'toml'}'")
    assert load_settings(config=config).currency == "toml"
    monkeypatch.setenv("STORECAST_DATA_DIR", str(tmp_path / "variable"))
    assert load_settings(config=config).currency == "variable"
    assert load_settings(config=config, data_dir=Path("argument")).currency == "argument"
    assert load_settings(config=config, data_dir=Path("argument")).data_dir == tmp_path / "argument"


def test_values_are_read_as_what_they_are(config, monkeypatch):
    config.write_text("demo_end_date = 2023-01-31\nmodels = ['auto_ets']")
    settings = load_settings(config=config)
    assert settings.demo_end_date == date(2023, 1, 31)
    assert settings.models == ("auto_ets",)
    monkeypatch.setenv("STORECAST_MODELS", "seasonal_naive, croston")
    monkeypatch.setenv("STORECAST_DEMO_END_DATE", "2022-02-28")
    settings = load_settings(config=config)
    assert settings.demo_end_date == date(2022, 2, 28)
    assert settings.models == ("seasonal_naive", "croston")


def test_a_file_that_is_not_toml_is_named_with_its_line(config):
    config.write_text("horizon_days = 28\nsource = demo\n")
    with pytest.raises(ValueError, match=r"storecast\.toml is not valid TOML: .*line 2.* Mend the line it names"):
        load_settings(config=config)


def test_a_file_that_is_not_text_is_named(config):
    config.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"storecast\.toml is not valid TOML"):
        load_settings(config=config)


def test_a_value_that_does_not_fit_is_named_with_its_setting_and_where_it_came_from(config, tmp_path, monkeypatch):
    config.write_text("horizon_days = 91\nmodels = 3")
    with pytest.raises(ValueError, match="horizon_days") as told:
        load_settings(config=config)
    assert f"setting horizon_days = 91 from {config}: Input should be less than or equal to 90" in str(told.value)
    assert f"setting models = 3 from {config}: Input should be a valid tuple" in str(told.value)
    config.unlink()
    monkeypatch.setenv("STORECAST_HORIZON_DAYS", "soon")
    with pytest.raises(ValueError, match=r"setting horizon_days = 'soon' from STORECAST_HORIZON_DAYS: .*integer"):
        load_settings()
    with pytest.raises(ValueError, match=r"setting horizon_days = 0 from the arguments: .*greater than or equal to 1"):
        load_settings(horizon_days=0)
    write_shop(tmp_path / "data", '{"source": "amazon"}')
    with pytest.raises(ValueError, match=rf"setting source = 'amazon' from .*{SHOP_FILE}: .*'online_retail_ii'"):
        load_settings(horizon_days=1)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("HORIZONS", "HORIZON_DAYS"), ("MODEL", "MODELS"), ("ALERT_URL", "ALERT_URLS"), ("DATADIR", "DATA_DIR")],
)
def test_a_mistyped_variable_is_refused_with_the_nearest_one(monkeypatch, name, nearest):
    monkeypatch.setenv(f"STORECAST_{name}", "sesame")
    with pytest.raises(
        ValueError, match=f"STORECAST_{name} is no setting; did you mean STORECAST_{nearest}\\?"
    ) as told:
        load_settings()
    assert "sesame" not in str(told.value)


def test_a_variable_in_small_letters_is_refused_for_it_would_work_only_sometimes(monkeypatch):
    monkeypatch.setenv("storecast_seed", "5")
    with pytest.raises(ValueError, match="storecast_seed is no setting; did you mean STORECAST_SEED"):
        load_settings()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("horizon = 28", "horizon is no setting; did you mean horizon_days?"),
        ("STORECAST_SEED = 1", "STORECAST_SEED is no setting; did you mean seed?"),
        ("[dagster]\nport = 1", "dagster is no setting; did you mean dagster_port?"),
    ],
)
def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_one(config, line, told):
    config.write_text(line)
    with pytest.raises(ValueError, match=re.escape(f"{config}: {told}")):
        load_settings(config=config)


def test_a_secret_in_the_file_is_refused_and_shown_nowhere(config, capsys):
    config.write_text("alert_urls = 'mailto://me:sesame@example.org'\npassword = 'sesame'")
    with pytest.raises(ValueError, match="set STORECAST_ALERT_URLS in the environment") as told:
        load_settings(config=config)
    assert "password is no setting" in str(told.value)
    shown = "".join(traceback.format_exception(told.value)) + "".join(capsys.readouterr())
    assert "sesame" not in shown


def test_an_address_that_does_not_fit_is_not_shown_either(monkeypatch, tmp_path):
    monkeypatch.setenv("STORECAST_RAY_ADDRESS", "ray://me:sesame@cluster:10001")
    with pytest.raises(ValueError, match=r"setting ray_address \(not shown\) from STORECAST_RAY_ADDRESS") as told:
        load_settings()
    assert "sesame" not in "".join(traceback.format_exception(told.value))
    monkeypatch.delenv("STORECAST_RAY_ADDRESS")
    write_shop(tmp_path / "data", '{"token": "sesame"}')
    with pytest.raises(ValueError, match=r"setting token from .*shop\.json: Extra inputs") as told:
        load_settings()
    assert "sesame" not in "".join(traceback.format_exception(told.value))


@pytest.mark.parametrize("fact", ["timezone", "currency", "country"])
def test_zone_currency_and_country_are_the_source_s_and_set_nowhere_else(config, monkeypatch, fact):
    config.write_text(f"{fact} = 'XX'")
    with pytest.raises(ValueError, match=f"{fact} is not to be set: the source decides it"):
        load_settings(config=config)
    config.unlink()
    monkeypatch.setenv(f"STORECAST_{fact.upper()}", "XX")
    with pytest.raises(ValueError, match=f"STORECAST_{fact.upper()} is not to be set: the source decides it"):
        load_settings(config=config)


@pytest.mark.parametrize("zone", ["+99:99", "UTC+1", "Europe", "europe/berlin", "../../etc/passwd", ""])
def test_a_zone_that_is_none_is_refused(tmp_path, zone):
    write_shop(tmp_path / "data", json.dumps({"timezone": zone}))
    with pytest.raises(ValueError, match=r"setting timezone = .*: not a zone of the tz database"):
        load_settings()


def test_a_source_s_place_is_found_from_every_working_folder(config, tmp_path, monkeypatch):
    config.write_text('source_path = "files"')
    monkeypatch.setenv("STORECAST_SOURCE_CONFIG", "../my_shop.toml")
    settings = load_settings()
    monkeypatch.chdir("/")
    assert settings.source_path == tmp_path / "files"
    assert settings.source_config is not None
    assert settings.source_config.resolve() == tmp_path.parent / "my_shop.toml"


def test_settings_do_not_change_once_read():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().seed = 1


def test_all_that_a_run_writes_lies_below_its_data_folder_so_that_two_never_meet(tmp_path):
    def places(settings: Settings) -> list[Path]:
        own = (getattr(settings, name) for name, member in vars(Settings).items() if isinstance(member, property))
        return [place for place in own if isinstance(place, Path)]

    one, two = (places(load_settings(data_dir=tmp_path / name)) for name in ("one", "two"))
    assert len(one) == len(set(one)) >= 8
    assert all(place.is_relative_to(tmp_path / "one") for place in one)
    assert not set(one) & set(two)


def test_a_process_of_storecast_is_told_its_data_folder_and_keeps_quiet(tmp_path, monkeypatch):
    settings = load_settings(data_dir=tmp_path / "one")
    environment = process_environment(settings)
    assert environment["DAGSTER_HOME"] == str(tmp_path / "one" / "dagster")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
    assert environment["DAGSTER_DISABLE_TELEMETRY"] == "yes"
    assert environment["DO_NOT_TRACK"] == "1"
