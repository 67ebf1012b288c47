"""DuckDB: who may open the file and when, how tables are written, checked and published; dbt's place."""

from storecast.warehouse.database import Warehouse
from storecast.warehouse.lease import Lease, LeaseError, LeaseTimeoutError
from storecast.warehouse.transient import is_transient, wait_seconds

__all__ = ["Lease", "LeaseError", "LeaseTimeoutError", "Warehouse", "is_transient", "wait_seconds"]
