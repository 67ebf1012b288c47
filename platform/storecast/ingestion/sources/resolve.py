"""From the settings to the source they name."""

from storecast.ingestion.sources.base import Source
from storecast.ingestion.sources.demo import demo
from storecast.ingestion.sources.files import files
from storecast.ingestion.sources.m5 import m5
from storecast.ingestion.sources.olist import olist
from storecast.ingestion.sources.online_retail_ii import online_retail_ii
from storecast.settings import Settings


def resolve_source(settings: Settings) -> Source:
    """Return the source that the settings name.

    Raises `ValueError` where source `files` comes without its mapping, or another source without its folder.
    """
    if settings.source == "files":
        if settings.source_config is None:
            message = "source_config: source 'files' needs a mapping; name its TOML file with --config"
            raise ValueError(message)
        return files(settings.source_config)
    if settings.source == "demo":
        return demo(settings.source_folder)
    if settings.source_path is None:
        message = f"source_path: source {settings.source!r} needs the folder of its files; name it with --path"
        raise ValueError(message)
    if settings.source == "m5":
        return m5(settings.source_path, settings.product_limit)
    return {"olist": olist, "online_retail_ii": online_retail_ii}[settings.source](settings.source_path)
