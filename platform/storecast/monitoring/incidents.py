"""Incidents: what is wrong stays one row from when it is first seen until it is over, and is told of once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import pandas as pd

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement

SEEN_EVERY = timedelta(minutes=15)
"""How exactly `last_seen_at` is kept: a finer step would write to the warehouse at every look."""
SHOWN = 10
COLUMNS = tuple(c.Alerts.to_schema().columns)
MOMENTS = (c.OPENED_AT, c.LAST_SEEN_AT, c.RESOLVED_AT, c.NOTIFIED_AT)

Incident = tuple[str, str, datetime]
"""Kind, subject and opening of an incident: `contracts.INCIDENT`."""
Told = Mapping[tuple[Incident, str, bool], datetime]
"""When a receiver was last told of an incident, by incident, receiver, and whether it was told that it is over."""


@dataclass(frozen=True)
class Notice:
    """One message that one receiver is to get: all incidents of a kind that opened, go on, or are over."""

    receiver: str
    kind: str
    is_over: bool
    severity: str
    incidents: tuple[dict[str, Any], ...]

    @property
    def title(self) -> str:
        """One line: what it is, and how often.

        A name from outside may hold line ends; here and in the text they become spaces.
        """
        words = self.kind.replace("_", " ")
        what = f"{len(self.incidents):,} × {words}" if len(self.incidents) > 1 else f"{words}: {self._subject(0)}"
        return f"Storecast: over: {what}" if self.is_over else f"Storecast {self.severity}: {what}"

    @property
    def text(self) -> str:
        """The first few incidents with what is wrong, how many more there are, and one next step."""
        lines = [self._line(number) for number in range(min(SHOWN, len(self.incidents)))]
        if len(self.incidents) > SHOWN:
            lines.append(f"… and {len(self.incidents) - SHOWN:,} more; ops.alerts has them all")
        if not self.is_over:
            lines.append(f"Next: {_one_line(self.incidents[0][c.NEXT_STEP])}")
        return "\n".join(lines)

    def _subject(self, number: int) -> str:
        return _one_line(self.incidents[number][c.SUBJECT])

    def _line(self, number: int) -> str:
        incident = self.incidents[number]
        since = f"since {incident[c.OPENED_AT]:%Y-%m-%d %H:%M}"
        until = f" until {incident[c.RESOLVED_AT]:%Y-%m-%d %H:%M}" if self.is_over else ""
        return f"{self._subject(number)}: {_one_line(incident[c.MESSAGE])} ({since}{until} UTC)"


def no_alerts() -> pd.DataFrame:
    """Return ops.alerts without a row."""
    return pd.DataFrame(columns=list(COLUMNS)).astype(dict.fromkeys(MOMENTS, "datetime64[ns]"))


def update_alerts(alerts: pd.DataFrame, judgement: Judgement, now: datetime) -> pd.DataFrame:
    """Return ops.alerts after a look at `now` (UTC, naive): incidents opened, seen again and resolved.

    A finding belongs to the incident of its kind and subject whose time overlaps its own; so the same look twice, or a
    look after a kill, changes nothing. What was judged and is not found is over.
    """
    rows: list[dict[str, Any]] = alerts.astype(object).where(alerts.notna(), None).to_dict("records")
    known: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        known.setdefault((row[c.KIND], row[c.SUBJECT]), []).append(row)
    seen: set[int] = set()
    for finding in judgement.findings.to_dict("records"):
        own = known.setdefault((finding[c.KIND], finding[c.SUBJECT]), [])
        incident = next((row for row in own if _is_same(row, finding)), None)
        if incident is None:
            incident = dict.fromkeys(COLUMNS) | {c.OPENED_AT: finding[c.OPENED_AT], c.LAST_SEEN_AT: now}
            own.append(incident)
            rows.append(incident)
        _see(incident, finding, now)
        seen.add(id(incident))
    for row in rows:
        is_judged = row[c.KIND] in judgement.kinds and (row[c.KIND], row[c.SUBJECT]) not in judgement.undecided
        if row[c.RESOLVED_AT] is None and is_judged and id(row) not in seen:
            row[c.RESOLVED_AT] = now
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(MOMENTS, "datetime64[ns]"))


def _is_same(row: Mapping[str, Any], finding: Mapping[Any, Any]) -> bool:
    """Tell whether an incident and a finding of one kind and subject overlap in time."""
    row_end = row[c.RESOLVED_AT] or datetime.max
    finding_end = datetime.max if pd.isna(finding[c.ENDED_AT]) else finding[c.ENDED_AT].to_pydatetime()
    return bool(row[c.OPENED_AT] <= finding_end and finding[c.OPENED_AT].to_pydatetime() <= row_end)


def _see(row: dict[str, Any], finding: Mapping[Any, Any], now: datetime) -> None:
    """Bring an incident up to date with a finding."""
    row.update({column: finding[column] for column in (c.KIND, c.SUBJECT, c.SEVERITY, c.MESSAGE, c.NEXT_STEP)})
    if not pd.isna(finding[c.ENDED_AT]):
        row[c.RESOLVED_AT] = row[c.RESOLVED_AT] or finding[c.ENDED_AT]
        return
    row[c.RESOLVED_AT] = None
    if now - row[c.LAST_SEEN_AT] >= SEEN_EVERY:
        row[c.LAST_SEEN_AT] = now


def with_notified(alerts: pd.DataFrame, told: Told, receivers: Sequence[str]) -> pd.DataFrame:
    """Return ops.alerts with `notified_at`: when the last of the receivers was told, null where one was not yet."""
    moments = []
    for row in alerts.to_dict("records"):
        latest = [_told_at(told, _key(row), receiver) for receiver in receivers]
        moments.append(max(moment for moment in latest if moment) if latest and all(latest) else pd.NaT)
    return alerts.assign(**{c.NOTIFIED_AT: pd.Series(moments, index=alerts.index, dtype="datetime64[ns]")})


def due_notices(
    alerts: pd.DataFrame, told: Told, receivers: Sequence[str], now: datetime, repeat_after: timedelta
) -> list[Notice]:
    """Return what each receiver is still to be told at `now`, one message a kind: openings, repeats, ends.

    An open incident is told once and again after `repeat_after`; between them there is silence. An end is told to who
    knew of the opening, and within `repeat_after` to everyone: it may have been over before anyone was told.
    """
    notices = []
    severities = list(c.SEVERITIES)
    for receiver in receivers:
        due = [
            row for row in alerts.to_dict("records") if _is_due(row, told, receiver, now=now, repeat_after=repeat_after)
        ]
        due.sort(key=lambda row: (c.INCIDENT_KINDS.index(row[c.KIND]), _is_over(row), row[c.SUBJECT], row[c.OPENED_AT]))
        for (kind, is_over), group in groupby(due, key=lambda row: (row[c.KIND], _is_over(row))):
            incidents = tuple(group)
            worst = max((row[c.SEVERITY] for row in incidents), key=severities.index)
            notices.append(Notice(receiver, kind, is_over, worst, incidents))
    return notices


def incidents_of(notice: Notice) -> list[Incident]:
    """Return the keys of a notice's incidents."""
    return [_key(row) for row in notice.incidents]


def _is_due(row: Mapping[Any, Any], told: Told, receiver: str, *, now: datetime, repeat_after: timedelta) -> bool:
    opening = told.get((_key(row), receiver, False))
    if not _is_over(row):
        return opening is None or now - opening >= repeat_after
    if (_key(row), receiver, True) in told:
        return False
    return opening is not None or now - row[c.RESOLVED_AT] < repeat_after


def _is_over(row: Mapping[Any, Any]) -> bool:
    return not pd.isna(row[c.RESOLVED_AT])


def _key(row: Mapping[Any, Any]) -> Incident:
    return row[c.KIND], row[c.SUBJECT], row[c.OPENED_AT].to_pydatetime()


def _told_at(told: Told, incident: Incident, receiver: str) -> datetime | None:
    moments = [told[incident, receiver, is_over] for is_over in (False, True) if (incident, receiver, is_over) in told]
    return max(moments, default=None)


def _one_line(text: str) -> str:
    return " ".join(str(text).split())
