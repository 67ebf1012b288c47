"""Landing: source files copied once, named by their content, with a log of what lay in the source's folder when."""

from storecast.ingestion.landing.files import SourceFile, file_sha256, find_files, list_source_files
from storecast.ingestion.landing.log import read_log
from storecast.ingestion.landing.store import forget, land, landed_files, restore, unlanded
from storecast.ingestion.landing.versions import LandedFile

__all__ = [
    "LandedFile",
    "SourceFile",
    "file_sha256",
    "find_files",
    "forget",
    "land",
    "landed_files",
    "list_source_files",
    "read_log",
    "restore",
    "unlanded",
]
