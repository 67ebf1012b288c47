"""Errors that a user can mend, each in one sentence; a bug keeps its traceback."""

import errno
import logging
import sqlite3
import sys
import warnings
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import click

from storecast.terminal import visible

FULL = "there is no space left for {place}: free some, then start the same command again; it goes on where it was"
NO_RIGHT = "{place} cannot be read or written ({said}): give Storecast the right, or name another folder (--data-dir)"
DAMAGED = "{place} is damaged ({said}): restore it from a backup, or move it away"
NO_PLACE = "{place} cannot be used ({said}): name another place"
SENTENCES = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: "{place} would be larger than this system lets a file be (`ulimit -f` says how large): allow more",
    errno.EROFS: NO_RIGHT,
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.ELOOP: "{place} cannot be found, for its links lead in a circle: mend the link, or name another place",
    errno.ENAMETOOLONG: NO_PLACE,
    errno.ENOENT: NO_PLACE,
    errno.ENOTDIR: NO_PLACE,
    errno.EISDIR: NO_PLACE,
    errno.EEXIST: NO_PLACE,
    errno.EIO: "{place} cannot be read or written ({said}): the disk may be failing; look at the system's log",
    errno.EMFILE: "this process may not open more files (`ulimit -n` says how many): allow more, and start again",
    errno.EADDRINUSE: "a port is taken ({said}): end the program that listens there, or choose another port",
}
"""What to do about an error of the operating system, by its number; any other one is a bug."""

OF_SQLITE = {
    "disk is full": FULL,
    "readonly database": NO_RIGHT,
    "unable to open database file": NO_RIGHT,
    "disk I/O error": "{place} cannot be written ({said}): look whether the disk is full or failing, then start again",
    "database is locked": "{place} is locked by another program: end it, or start the same command again later",
    "not a database": DAMAGED,
    "malformed": DAMAGED,
}
"""What to do about an error of MLflow's or Dagster's database, by words of SQLite's message."""

OF_DUCKDB = {
    "No space left on device": FULL,
    "Read-only file system": NO_RIGHT,
    "Permission denied": NO_RIGHT,
    "Could not read enough bytes": DAMAGED,
    "Corrupt database file": DAMAGED,
}
"""What to do about an error of DuckDB with a file that it could open."""
DATABASES = "a database of MLflow or Dagster in the data folder"


def reporting_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors a user can mend into one message and exit code 1."""

    @wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> None:
        warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
        warnings.filterwarnings("ignore", category=SyntaxWarning)
        _show_waits()
        try:
            command(*arguments, **options)
        except mendable() as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            click.secho(f"error: {visible(sentence)}", fg="red", err=True)
            sys.exit(1)

    return wrapped


def mendable() -> tuple[type[Exception], ...]:
    """Return the types of error of which some can be mended; asked only when something was raised.

    What a command never imported it cannot have raised, so nothing heavy is imported here.
    """
    from storecast.shop import StageError
    from storecast.warehouse import DamagedFileError, LeaseError
    from storecast.warehouse.dbt import DbtError
    from storecast.webserver import ServiceError

    own = (ValueError, DamagedFileError, DbtError, LeaseError, ServiceError, StageError)
    return (*own, OSError, sqlite3.Error, *_loaded("duckdb", "Error"), *_loaded("sqlalchemy.exc", "DBAPIError"))


def sentence_for(error: Exception) -> str | None:
    """Say in one sentence what is wrong and what to do, None for what no user can mend.

    >>> sentence_for(OSError(errno.ENOSPC, "No space left on device", "data/x"))
    'there is no space left for data/x: free some, then start the same command again; it goes on where it was'
    >>> sentence_for(sqlite3.OperationalError("no such column: of_a_bug")) is None
    True
    """
    if isinstance(error, OSError) and not _is_told_already(error):
        place, said = error.filename or "a file of the data folder", error.strerror or type(error).__name__
        found = SENTENCES.get(error.errno or 0)
        return None if found is None else found.format(place=place, said=said)
    own_words = str(getattr(error, "orig", error))  # SQLAlchemy wraps SQLite's error and adds the statement
    said = own_words.splitlines()[0] if own_words else type(error).__name__
    if isinstance(error, (sqlite3.Error, *_loaded("sqlalchemy.exc", "DBAPIError"))):
        return _known(OF_SQLITE, said, DATABASES)
    if isinstance(error, _loaded("duckdb", "Error")):
        return _known(OF_DUCKDB, said, "a DuckDB file of the data folder")
    return str(error)


def _known(sentences: Mapping[str, str], said: str, place: str) -> str | None:
    """Return the sentence whose words a library's message holds, filled in."""
    return next((each.format(place=place, said=said) for words, each in sentences.items() if words in said), None)


def _is_told_already(error: OSError) -> bool:
    """Tell our own errors, whose text is for people, from those of the operating system, which have a number."""
    return isinstance(error, FileNotFoundError) and error.errno is None


def _loaded(module: str, name: str) -> tuple[type[Exception], ...]:
    """Return a type of error by its name, none where its module was not imported and so cannot have raised it."""
    return (getattr(sys.modules[module], name),) if module in sys.modules else ()


def _show_waits() -> None:
    """Write what is waited for to the error stream, a line each time."""
    logger = logging.getLogger("storecast.waiting")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("  … %(message)s"))
    logger.handlers = [handler]
    logger.propagate = False
