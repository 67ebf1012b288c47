"""Reading what was published: an immutable copy, so nobody waits for the pipeline and the pipeline for nobody."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from storecast.settings import Settings
from storecast.warehouse.database import Warehouse, open_file
from storecast.warehouse.lease import LeaseTimeoutError

NO_PATIENCE_SECONDS = 0.001
WAY_OUT = "Remove it: `storecast run` publishes anew"


class Tables(Protocol):
    """What answers questions about tables: the warehouse, or a published copy of it."""

    def read(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Return the rows of a query."""
        ...

    def exists(self, table: str) -> bool:
        """Tell whether a table or view is there."""
        ...


class PublishedCopy:
    """The published copy that a pointer leads to now: silver, gold and ops, opened read-only, without any lease.

    All that is read is of this one copy, whatever is published meanwhile.
    """

    def __init__(self, pointer: Path) -> None:
        self.path = pointer.resolve()

    @classmethod
    def of(cls, settings: Settings) -> "PublishedCopy":
        """Return the copy that the data folder's pointer leads to."""
        return cls(settings.published_path)

    def read(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> pd.DataFrame:
        """Return the rows of a query. Raises `FileNotFoundError` where nothing was published yet."""
        if not self.path.exists():
            message = f"nothing is published at {self.path} yet: `storecast run` makes it"
            raise FileNotFoundError(message)
        with open_file(self.path, read_only=True, way_out=WAY_OUT) as connection:
            return connection.execute(sql, parameters).df()

    def exists(self, table: str) -> bool:
        """Tell whether the copy has a table."""
        if not self.path.exists():
            return False
        schema, name = table.split(".")
        sql = "select 1 from information_schema.tables where table_schema = ? and table_name = ?"
        return not self.read(sql, [schema, name]).empty


def ask_newest[Answer](settings: Settings, question: Callable[[Tables], Answer]) -> tuple[Answer, bool]:
    """Return the warehouse's answer where it is free at this moment, else the published copy's; and whether it is that.

    Nothing is waited for, and a folder that one may not write into is no hindrance.
    """
    try:
        return question(Warehouse.of(settings, NO_PATIENCE_SECONDS)), False
    except (LeaseTimeoutError, OSError):
        return question(PublishedCopy.of(settings)), True
