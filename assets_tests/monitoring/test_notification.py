"""Alerts on their way out, to a real webhook and a real mail server on the loopback."""

import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from datetime import datetime, timedelta

import pandas as pd
import pytest

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement, findings_of
from storecast.monitoring.notification import URLS_VARIABLE, Book, Receiver, ReceiverError, receivers_of
from storecast.monitoring.watch import Look, look, stored_alerts
from storecast.settings import Settings
from storecast.warehouse import LeaseError, Warehouse

NOON = datetime(2026, 11, 20, 12)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
SECRET = "s3cr3t-t0ken"


def judged(*subjects: str, kind: str = c.RUN_FAILURE, now: datetime = NOON) -> Judgement:
    rows = [(kind, subject, c.ERROR, "failed", "open the run", now, None) for subject in subjects]
    return Judgement(findings_of([dict(zip(c.FINDING, row, strict=True)) for row in rows]), frozenset(c.INCIDENT_KINDS))


class Shop:
    """A data folder in which somebody looks."""

    def __init__(self, folder) -> None:
        self.settings = Settings(data_dir=folder)
        self.warehouse = Warehouse(self.settings.warehouse_path, lease_timeout_seconds=1.0)
        self.log: list[str] = []

    def look(self, judgement: Judgement, now: datetime = NOON, *addresses: str) -> Look:
        environment = {URLS_VARIABLE: "\n".join(addresses)}
        return look(self.settings, self.warehouse, judgement, environment, now, self.log.append)

    @property
    def notified_at(self) -> list[pd.Timestamp]:
        return stored_alerts(self.warehouse)[c.NOTIFIED_AT].tolist()

    def holds(self, text: str) -> list[str]:
        """Return the files of the data folder that hold a text."""
        files = [path for path in self.settings.data_dir.rglob("*") if path.is_file()]
        return [str(path) for path in files if text.encode() in path.read_bytes()]


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path / "data")


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def test_a_webhook_is_told_of_opening_repeat_and_end_and_nothing_between(shop, webhook):
    times = [NOON, NOON + MINUTE, NOON + DAY - MINUTE, NOON + DAY, NOON + DAY + MINUTE]
    for now in times:
        shop.look(judged("train", now=now), now, webhook.address())
    for now in (NOON + 2 * DAY, NOON + 3 * DAY):
        shop.look(judged(), now, webhook.address())
    opening = "Storecast error: run failure: train"
    assert webhook.titles == [opening, opening, "Storecast: over: run failure: train"]
    assert [message["type"] for message in webhook.messages] == ["failure", "failure", "success"]
    assert webhook.messages[0]["message"].splitlines() == [
        "train: failed (since 2026-11-20 12:00 UTC)",
        "Next: open the run",
    ]
    assert shop.notified_at == [NOON + 2 * DAY]


def test_a_mail_goes_out_by_smtp(shop, mailbox):
    address, mails = mailbox
    shop.look(judged("train"), NOON, address)
    [mail] = mails
    assert mail["subject"] == "Storecast error: run failure: train"
    assert mail["to"] == "shop@example.org"
    text = mail.get_body(("plain", "html")).get_content()
    assert "train: failed (since 2026-11-20 12:00 UTC)" in text
    assert shop.notified_at == [NOON]


def test_slack_s_own_webhook_address_is_known():
    from apprise import Apprise

    address = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
    assert type(Apprise.instantiate(address)).__name__ == "NotifySlack"


def test_without_an_address_incidents_are_rows_and_a_line_in_the_log(shop):
    assert shop.look(judged("train")).open_incidents == 1
    shop.look(judged("train"), NOON + MINUTE)
    [line] = shop.log
    assert line.startswith("Storecast error: run failure: train\ntrain: failed")
    assert shop.notified_at == [NOON]


def test_a_storm_of_a_thousand_products_is_one_message(shop, webhook):
    products = [f"P-{number:04d}" for number in range(1000)]
    shop.look(judged(*products, kind=c.STALE_FORECASTS), NOON, webhook.address())
    shop.look(judged(*products, kind=c.STALE_FORECASTS), NOON + MINUTE, webhook.address())
    assert webhook.titles == ["Storecast error: 1,000 × stale forecasts"]
    assert len(stored_alerts(shop.warehouse)) == 1000


def test_an_unreachable_receiver_is_tried_again_and_does_not_keep_others_from_theirs(shop, webhook, closed_port):
    addresses = (f"json://127.0.0.1:{closed_port}/{SECRET}", webhook.address())
    shop.look(judged("train"), NOON, *addresses)
    assert shop.log[1:] == [
        "alert not delivered, tried again at the next look: address 1 of STORECAST_ALERT_URLS did not take the "
        "message: see that it can be reached from here"
    ]
    assert shop.notified_at == [pd.NaT]
    shop.look(judged("train"), NOON + MINUTE, webhook.address("mended"), webhook.address())
    assert len(webhook.messages) == 2, "once from each address, and none twice"
    assert shop.notified_at == [NOON + MINUTE]


def test_a_receiver_that_answers_with_an_error_is_tried_again(shop, webhook):
    webhook.status = 500
    assert shop.look(judged("train"), NOON, webhook.address()).messages == 1, "the log's"
    webhook.status = 200
    shop.look(judged("train"), NOON + MINUTE, webhook.address())
    assert len(webhook.messages) == 1


def test_an_address_s_secret_is_in_no_file_log_or_error(shop, webhook, closed_port, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    addresses = [
        webhook.address(SECRET),
        f"json://user:{SECRET}@127.0.0.1:{closed_port}/{SECRET}",
        f"nonsense://{SECRET}",
        f"mailto://user:{SECRET}@127.0.0.1:{closed_port}?from=a@example.org&to=b@example.org&mode=insecure",
        SECRET,
    ]
    shop.look(judged("train"), NOON, *addresses)
    assert len(webhook.messages) == 1
    assert len(shop.log) == 1 + 4
    assert SECRET not in "".join(shop.log)
    assert SECRET not in repr(receivers_of({URLS_VARIABLE: " ".join(addresses)}))
    for receiver in receivers_of({URLS_VARIABLE: " ".join(addresses[1:])}):
        with pytest.raises(ReceiverError, match=f"^address . of {URLS_VARIABLE} ") as raised:
            receiver.send("title", "text", c.ERROR, is_over=False)
        chain = [raised.value, raised.value.__cause__, raised.value.__context__]
        assert [error for error in chain if SECRET in repr(error)] == []
    assert SECRET not in caplog.text
    assert SECRET not in "".join(capfd.readouterr())
    assert shop.holds(SECRET) == []
    assert shop.holds("train") != [], "the search finds what is there"


def test_the_libraries_may_log_again_after_a_message(webhook):
    Receiver("address 1", receivers_of({URLS_VARIABLE: webhook.address()})[0].address).send(
        "a", "b", c.ERROR, is_over=True
    )
    assert not logging.getLogger("apprise").disabled


def test_a_busy_warehouse_does_not_make_a_message_go_out_twice(shop, webhook):
    """The message is out, the warehouse cannot be had: the book knows, and the row follows at the next look."""
    shop.look(judged("train"), NOON)
    with ExitStack() as others:
        webhook.on_message = lambda: others.enter_context(shop.warehouse.lease.shared())
        with pytest.raises(LeaseError):
            shop.look(judged("train"), NOON + MINUTE, webhook.address())
    webhook.on_message = lambda: None
    shop.look(judged("train"), NOON + 2 * MINUTE, webhook.address())
    assert len(webhook.messages) == 1
    assert shop.notified_at == [NOON + MINUTE]


LOOK = """
import sys
from datetime import datetime
from pathlib import Path
from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement, findings_of
from storecast.monitoring.watch import look
from storecast.settings import Settings
from storecast.warehouse import Warehouse

now = datetime(2026, 11, 20, 12)
rows = [(kind, "train", c.ERROR, "failed", "open the run", now, None) for kind in (c.RUN_FAILURE, c.BIAS)]
findings = findings_of([dict(zip(c.FINDING, row)) for row in rows])
settings = Settings(data_dir=Path(sys.argv[1]))
environment = {"STORECAST_ALERT_URLS": sys.argv[2]}
judgement = Judgement(findings, frozenset(c.INCIDENT_KINDS))
look(settings, Warehouse(settings.warehouse_path), judgement, environment, now, print)
"""


@pytest.mark.slow
def test_killed_while_it_tells_the_next_look_goes_on_with_what_was_not_told(shop, webhook):
    """Two messages, the process is killed while the second is being taken: that one alone comes again."""
    command = [sys.executable, "-c", LOOK, str(shop.settings.data_dir), webhook.address()]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)

    def kill_at_the_second() -> None:
        if len(webhook.messages) == 2:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    webhook.on_message = kill_at_the_second
    process.wait(timeout=300)
    assert process.returncode == -signal.SIGKILL
    webhook.on_message = lambda: None
    assert len(stored_alerts(shop.warehouse)) == 2
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    failure, bias = "Storecast error: run failure: train", "Storecast error: bias: train"
    assert webhook.titles == [failure, bias, bias]
    assert shop.notified_at == [NOON, NOON]


def test_the_book_keeps_what_was_told(tmp_path):
    book = Book(tmp_path / "alerts" / "told.sqlite")
    assert book.told() == {}
    incident = (c.BIAS, 'it\'s "P1"', NOON)
    book.write([incident], "log", NOON, is_over=False)
    book.write([incident], "log", NOON + DAY, is_over=False)
    book.write([incident], "address 1", NOON, is_over=True)
    assert book.told() == {(incident, "log", False): NOON + DAY, (incident, "address 1", True): NOON}
