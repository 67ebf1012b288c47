from pathlib import Path

import pytest

from storecast.ingestion.sources import resolve_source
from storecast.settings import Settings


@pytest.mark.parametrize(
    ("name", "zone", "currency", "country"),
    [
        ("demo", "Europe/Berlin", "EUR", "DE"),
        ("online_retail_ii", "Europe/London", "GBP", "GB"),
        ("olist", "America/Sao_Paulo", "BRL", "BR"),
        ("m5", "America/New_York", "USD", "US"),
    ],
)
def test_a_source_brings_its_own_zone_currency_and_country(
    tmp_path: Path, name, zone: str, currency: str, country: str
) -> None:
    source = resolve_source(Settings(source=name, source_path=tmp_path))
    assert (source.name, source.timezone, source.currency, source.country) == (name, zone, currency, country)
    assert source.folder == tmp_path


def test_the_demo_makes_its_own_folder() -> None:
    settings = Settings(data_dir=Path("data"))
    assert resolve_source(settings).folder == settings.source_folder


def test_a_source_without_its_folder_or_its_mapping_says_what_to_give() -> None:
    with pytest.raises(
        ValueError, match="source_path: source 'olist' needs the folder of its files; name it with --path"
    ):
        resolve_source(Settings(source="olist"))
    with pytest.raises(ValueError, match="source_config: source 'files' needs a mapping; name its TOML file"):
        resolve_source(Settings(source="files"))
