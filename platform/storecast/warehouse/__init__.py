"""DuckDB: who may open the file and when, how tables are written, checked and published; dbt's place."""

from storecast.warehouse.database import DamagedFileError, Warehouse
from storecast.warehouse.lease import Holder, Lease, LeaseError, LeaseTimeoutError
from storecast.warehouse.published import PublishedCopy, Tables
from storecast.warehouse.transient import is_transient, wait_seconds

__all__ = [
    "DamagedFileError",
    "Holder",
    "Lease",
    "LeaseError",
    "LeaseTimeoutError",
    "PublishedCopy",
    "Tables",
    "Warehouse",
    "is_transient",
    "wait_seconds",
]
