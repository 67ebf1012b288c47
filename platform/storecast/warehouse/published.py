"""The published copy as a warehouse that can only be read: no lease, so no reader waits for the pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import duckdb

from storecast.warehouse.database import Warehouse


class PublishedCopy(Warehouse):
    """The copy that a pointer leads to now; all that is read is of this one, however often it is published meanwhile.

    Raises `FileNotFoundError` at the first reading where nothing is published yet.
    """

    def __init__(self, pointer: Path) -> None:
        super().__init__(Path(pointer).resolve())

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the copy to read: it never changes, so nobody has to be asked."""
        if not self.path.exists():
            raise FileNotFoundError(f"nothing is published at {self.path} yet: `storecast run` does it")
        with duckdb.connect(str(self.path), read_only=True) as connection:
            yield connection

    def writing(self) -> NoReturn:
        """Refuse: a published copy is immutable."""
        raise TypeError(f"{self.path} is a published copy, which nobody writes: write to the warehouse")
