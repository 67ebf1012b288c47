"""The shops that Storecast can read: what their files are called and how their columns become ours."""

from storecast.ingestion.sources.base import Feed, Format, Source, SourceFileError
from storecast.ingestion.sources.resolve import resolve_source

__all__ = ["Feed", "Format", "Source", "SourceFileError", "resolve_source"]
