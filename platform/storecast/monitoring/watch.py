"""One look at the shop: judge it, keep ops.alerts, tell who is to be told; killed at any moment, the next goes on."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement, Limits, findings_of, judge_tables
from storecast.monitoring.incidents import COLUMNS, due_notices, no_alerts, update_alerts, with_notified
from storecast.monitoring.notification import LOG, Book, Say, deliver, receivers_of
from storecast.settings import Settings
from storecast.warehouse import Lease, Warehouse
from storecast.warehouse.contracts import sql_types

ALERTS = "ops.alerts"
OTHERS_SECONDS = 5.0
"""How long a look waits for another one that is telling people just now: there will be a next one."""
PIPELINE_SECONDS = 120.0
"""How long a run waits for one, which is longer than any takes."""


@dataclass(frozen=True)
class Look:
    """What a look has found: ops.alerts as it is now, and how many messages were taken."""

    alerts: pd.DataFrame
    messages: int

    @property
    def open_incidents(self) -> int:
        """How many incidents are open."""
        return int(self.alerts[c.RESOLVED_AT].isna().sum())


def look(
    settings: Settings,
    warehouse: Warehouse,
    judged_before: Judgement,
    environment: Mapping[str, str],
    now: datetime,
    say: Say,
) -> Look:
    """Judge tables, add what was judged before (runs, checks), keep ops.alerts, and tell the receivers.

    `environment` names the receivers, `now` is UTC without zone, `say` writes a line to the log. Raises `LeaseError`
    where the warehouse, or another look, is busy for longer than the warehouse's patience: the next look catches up.
    """
    receivers = receivers_of(environment)
    names = [LOG, *(receiver.name for receiver in receivers)]
    book = Book(settings.alerts_dir / "told.sqlite")
    with _alone(settings, OTHERS_SECONDS):
        alerts = _keep(settings, warehouse, judged_before, now)
        notices = due_notices(alerts, book.told(), names, now, timedelta(hours=settings.alert_repeat_hours))
        messages = deliver(notices, receivers, book, now, say)
        notified = with_notified(alerts, book.told(), names)
        if not notified.equals(alerts):
            _store(warehouse, notified)
    return Look(notified, messages)


def keep_alerts(settings: Settings, warehouse: Warehouse, now: datetime) -> pd.DataFrame:
    """Make ops.alerts, or bring it up to date with what the tables say, and return it; nobody is told."""
    with _alone(settings, PIPELINE_SECONDS):
        alerts = _keep(settings, warehouse, Judgement(findings_of([]), frozenset()), now)
        if not warehouse.exists(ALERTS):
            _store(warehouse, alerts)
        return alerts


def _alone(settings: Settings, timeout_seconds: float) -> AbstractContextManager[None]:
    return Lease(settings.alerts_dir / "look", timeout_seconds).exclusive()


def _keep(settings: Settings, warehouse: Warehouse, judged_before: Judgement, now: datetime) -> pd.DataFrame:
    """Write ops.alerts where a look changes it, and only then: a calm shop without a table needs none."""
    judgement = judged_before | judge_tables(warehouse.read, warehouse.exists, Limits.of(settings), now)
    before = stored_alerts(warehouse)
    after = update_alerts(before, judgement, now)
    if not after.equals(before):
        _store(warehouse, after)
    return after


def stored_alerts(warehouse: Warehouse) -> pd.DataFrame:
    """Return ops.alerts in the order in which incidents opened, no row where there is no table yet."""
    if not warehouse.exists(ALERTS):
        return no_alerts()
    columns = ", ".join(COLUMNS)
    alerts = warehouse.read(f"select {columns} from {ALERTS} order by {c.OPENED_AT}, {c.KIND}, {c.SUBJECT}")
    return alerts.astype(no_alerts().dtypes.to_dict())


def _store(warehouse: Warehouse, alerts: pd.DataFrame) -> None:
    ordered = alerts.sort_values([c.OPENED_AT, c.KIND, c.SUBJECT], ignore_index=True)
    warehouse.replace_table(ALERTS, ordered, sql_types(c.Alerts))
