"""Which errors may pass by themselves, and how long to wait before the next attempt."""

import random

from storecast.warehouse.lease import LeaseTimeoutError

FIRST_WAIT_SECONDS = 30.0
LOCKED = ("Could not set lock on file", "database is locked", "database table is locked")
"""What DuckDB and SQLite say, also through dbt and MLflow, of a file that another process writes."""


def is_transient(error: BaseException | None) -> bool:
    """Tell whether an error, or one that it came of, may pass: a file locked by others, a lost connection, a time-out.

    All else stays however often it is tried: bad input, a breach of a contract, a full disk.

    >>> is_transient(ValueError("units: -3 is below 0")), is_transient(RuntimeError("database is locked"))
    (False, True)
    """
    if error is None:
        return False
    if isinstance(error, LeaseTimeoutError | ConnectionError | TimeoutError):
        return True
    return any(words in str(error) for words in LOCKED) or is_transient(error.__cause__ or error.__context__)


def wait_seconds(attempt: int, chance: random.Random) -> float:
    """Return the seconds before attempt `attempt` (from 1): doubled each time, and up to a half more or less by chance.

    >>> [round(wait_seconds(attempt, random.Random(0)), 1) for attempt in (1, 2, 3)]
    [40.3, 80.7, 161.3]
    """
    return FIRST_WAIT_SECONDS * 2 ** (attempt - 1) * chance.uniform(0.5, 1.5)
