"""Telling people: receivers by apprise, a book of who was told what, and the one place where messages go out.

The addresses hold secrets. They come from the environment, are kept as `SecretStr`, and are in no message, error or
log: a receiver is called by its place among the addresses. Delivery is at least once: a message is written into the
book in the moment after its receiver took it, and only a kill between the two, some milliseconds, sends it twice. A
receiver that took a message and answered too late, or with an error, gets it again too.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from storecast.monitoring import contracts as c
from storecast.monitoring.incidents import Incident, Notice, Told, incidents_of

URLS_VARIABLE = "STORECAST_ALERT_URLS"
LOG = "log"
"""The receiver that always is there: what is told stands in the log once too."""
MESSAGE_SECONDS = 15.0
ALL_SECONDS = 30.0
"""How long all deliveries of one look may take; what is left goes out at the next."""
TALKATIVE = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")
"""Loggers that may write an address."""

Say = Callable[[str], None]

BOOK = """
    create table if not exists told (
        kind text, subject text, opened_at text, receiver text, is_over integer, told_at text not null,
        primary key (kind, subject, opened_at, receiver, is_over)
    )
"""


class ReceiverError(RuntimeError):
    """A receiver did not take a message; the text names its place, never its address."""


@dataclass(frozen=True)
class Receiver:
    """Where messages go: its name tells its place among the addresses, and nothing of the address."""

    name: str
    address: SecretStr

    def send(self, title: str, text: str, severity: str, *, is_over: bool) -> None:
        """Hand a message to apprise.

        Raises `ReceiverError` where the address is none that apprise knows, or the receiver did not take the message.
        """
        with _hushed():
            # apprise takes a second to import: only who has an address and something to say pays for it
            from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType  # noqa: PLC0415

            kinds = {c.WARNING: NotifyType.WARNING, c.ERROR: NotifyType.FAILURE}
            target = Apprise(asset=AppriseAsset(app_id="Storecast", app_desc="Storecast alerts", app_url=""))
            is_known = target.add(self.address.get_secret_value())
            is_taken = is_known and target.notify(
                title=title,
                body=text,
                notify_type=NotifyType.SUCCESS if is_over else kinds[severity],
                body_format=NotifyFormat.TEXT,
                timeout=MESSAGE_SECONDS,
            )
        if not is_known:
            message = f"{self.name} of {URLS_VARIABLE} is no address that apprise knows: see its list of services"
            raise ReceiverError(message)
        if not is_taken:
            message = f"{self.name} of {URLS_VARIABLE} did not take the message: see that it can be reached from here"
            raise ReceiverError(message)


def receivers_of(environment: Mapping[str, str]) -> list[Receiver]:
    """Return the receivers that the variable STORECAST_ALERT_URLS names, addresses with white space between them.

    >>> [receiver.name for receiver in receivers_of({"STORECAST_ALERT_URLS": "json://a/1 mailto://b"})]
    ['address 1', 'address 2']
    """
    addresses = environment.get(URLS_VARIABLE, "").split()
    return [Receiver(f"address {place}", SecretStr(address)) for place, address in enumerate(addresses, 1)]


class Book:
    """Who was told of what, in a SQLite file of its own: the warehouse may be busy just when a message has gone out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def told(self) -> Told:
        """Return when each receiver was last told of each incident."""
        if not self.path.exists():
            return {}
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute(BOOK)
            rows = connection.execute("select kind, subject, opened_at, receiver, is_over, told_at from told")
            return {
                ((kind, subject, datetime.fromisoformat(opened_at)), receiver, bool(is_over)): (
                    datetime.fromisoformat(told_at)
                )
                for kind, subject, opened_at, receiver, is_over, told_at in rows
            }

    def write(self, incidents: Sequence[Incident], receiver: str, now: datetime, *, is_over: bool) -> None:
        """Write down, all or nothing and durably, that a receiver was told of incidents."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            (kind, subject, opened_at.isoformat(), receiver, is_over, now.isoformat())
            for kind, subject, opened_at in incidents
        ]
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(BOOK)
            connection.executemany("insert or replace into told values (?, ?, ?, ?, ?, ?)", rows)


def deliver(notices: Sequence[Notice], receivers: Sequence[Receiver], book: Book, now: datetime, say: Say) -> int:
    """Send notices, write each into the book as soon as it is taken, and return how many were.

    A receiver that fails is left alone until the next look, said in one line; nothing is raised for it.
    """
    by_name = {receiver.name: receiver for receiver in receivers}
    failed: set[str] = set()
    deadline = time.monotonic() + ALL_SECONDS
    taken = 0
    for notice in notices:
        if notice.receiver in failed or time.monotonic() > deadline:
            continue
        try:
            _hand_over(notice, by_name, say)
        except ReceiverError as error:
            failed.add(notice.receiver)
            say(f"alert not delivered, tried again at the next look: {error}")
            continue
        book.write(incidents_of(notice), notice.receiver, now, is_over=notice.is_over)
        taken += 1
    return taken


def _hand_over(notice: Notice, by_name: Mapping[str, Receiver], say: Say) -> None:
    if notice.receiver == LOG:
        say(f"{notice.title}\n{notice.text}")
    else:
        by_name[notice.receiver].send(notice.title, notice.text, notice.severity, is_over=notice.is_over)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the libraries that know an address from writing logs while a message goes out."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, was_disabled in zip(loggers, before, strict=True):
            logger.disabled = was_disabled
