from datetime import datetime, timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.monitoring import contracts as c
from storecast.monitoring.findings import Judgement, findings_of
from storecast.monitoring.incidents import (
    due_notices,
    incidents_of,
    no_alerts,
    update_alerts,
    with_notified,
)

NOON = datetime(2026, 11, 20, 12)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EVERY_KIND = frozenset(c.INCIDENT_KINDS)


def judged(*subjects: str, now: datetime, kind: str = c.STALE_FORECASTS, **more) -> Judgement:
    rows = [
        {
            c.KIND: kind,
            c.SUBJECT: subject,
            c.SEVERITY: c.ERROR,
            c.MESSAGE: "is old",
            c.NEXT_STEP: "look",
            c.OPENED_AT: now,
            **more,
        }
        for subject in subjects
    ]
    return Judgement(findings_of(rows), EVERY_KIND)


class Told(dict):
    """A book kept in memory, and a receiver that takes everything."""

    def take(self, notices, now):
        for notice in notices:
            for incident in incidents_of(notice):
                self[incident, notice.receiver, notice.is_over] = now


def due(alerts, told, now, receivers=("a",), repeat_after=DAY):
    return due_notices(alerts, told, receivers, now, repeat_after)


def test_an_incident_is_one_row_from_its_opening_until_it_is_over():
    opened = update_alerts(no_alerts(), judged("P1", now=NOON), NOON)
    later = NOON + 20 * MINUTE
    seen = update_alerts(opened, judged("P1", now=later), later)
    over = update_alerts(seen, judged(now=NOON + DAY), NOON + DAY)
    assert len(opened) == len(seen) == len(over) == 1
    assert seen[c.LAST_SEEN_AT].item() == later
    assert (over[c.OPENED_AT].item(), over[c.RESOLVED_AT].item()) == (NOON, NOON + DAY)
    again = update_alerts(over, judged("P1", now=NOON + 2 * DAY), NOON + 2 * DAY)
    assert again[c.OPENED_AT].tolist() == [NOON, NOON + 2 * DAY], "a new incident, and the old one stays"
    c.Alerts.validate(again)


def test_the_same_look_twice_changes_nothing_so_a_kill_between_does_no_harm():
    judgement = judged("P1", "P2", now=NOON)
    once = update_alerts(no_alerts(), judgement, NOON)
    pd.testing.assert_frame_equal(update_alerts(once, judgement, NOON), once)
    pd.testing.assert_frame_equal(update_alerts(once, judged("P1", "P2", now=NOON + MINUTE), NOON + MINUTE), once)


def test_what_was_not_judged_or_is_undecided_stays_as_it_is():
    opened = update_alerts(no_alerts(), judged("P1", now=NOON), NOON)
    other_kind = Judgement(findings_of([]), frozenset({c.BIAS}))
    undecided = Judgement(findings_of([]), EVERY_KIND, frozenset({(c.STALE_FORECASTS, "P1")}))
    for judgement in (other_kind, undecided):
        assert update_alerts(opened, judgement, NOON + DAY)[c.RESOLVED_AT].isna().all()


def test_a_streak_that_was_over_before_anyone_looked_is_kept_and_not_opened_twice():
    streak = judged("train", now=NOON - DAY, kind=c.RUN_FAILURE, ended_at=NOON - DAY + MINUTE)
    alerts = update_alerts(no_alerts(), streak, NOON)
    assert alerts[c.RESOLVED_AT].item() == NOON - DAY + MINUTE
    pd.testing.assert_frame_equal(update_alerts(alerts, streak, NOON + MINUTE), alerts)


def test_an_incident_goes_on_when_its_first_failure_is_out_of_sight():
    first = update_alerts(no_alerts(), judged("train", now=NOON, kind=c.RUN_FAILURE), NOON)
    week_later = NOON + 7 * DAY
    later = update_alerts(first, judged("train", now=NOON + 5 * DAY, kind=c.RUN_FAILURE), week_later)
    assert later[c.OPENED_AT].tolist() == [NOON]


@given(st.lists(st.sets(st.sampled_from(["P1", "P2", "P3"])), min_size=1, max_size=12))
def test_open_incidents_are_always_just_what_the_last_look_found(looks):
    alerts, told, now = no_alerts(), Told(), NOON
    openings: dict[str, int] = {}
    before: set[str] = set()
    for found in looks:
        now += MINUTE
        alerts = update_alerts(alerts, judged(*found, now=now), now)
        told.take(due(alerts, told, now), now)
        for subject in found - before:
            openings[subject] = openings.get(subject, 0) + 1
        before = found
        still_open = alerts[alerts[c.RESOLVED_AT].isna()]
        assert sorted(still_open[c.SUBJECT]) == sorted(found)
        assert due(alerts, told, now) == [], "silence while nothing changes"
    assert alerts[c.SUBJECT].value_counts().to_dict() == openings
    assert sum(not is_over for _, _, is_over in told) == len(alerts), "each was told when it opened"


def test_it_is_silent_while_open_then_told_again_and_told_once_when_it_is_over():
    told = Told()
    alerts = update_alerts(no_alerts(), judged("P1", now=NOON), NOON)
    [opening] = due(alerts, told, NOON)
    assert (opening.is_over, opening.severity) == (False, c.ERROR)
    assert opening.title == "Storecast error: stale forecasts: P1"
    told.take([opening], NOON)
    assert due(alerts, told, NOON + DAY - MINUTE) == []
    [repeat] = due(alerts, told, NOON + DAY)
    told.take([repeat], NOON + DAY)
    assert due(alerts, told, NOON + DAY + MINUTE) == []
    over_at = NOON + DAY + 2 * MINUTE
    over = update_alerts(alerts, judged(now=over_at), over_at)
    [end] = due(over, told, over_at)
    assert end.title == "Storecast: over: stale forecasts: P1"
    assert "since 2026-11-20 12:00 until 2026-11-21 12:02 UTC" in end.text
    told.take([end], over_at)
    assert due(over, told, over_at + 30 * DAY) == []


def test_what_was_over_before_anyone_could_be_told_is_told_still():
    streak = judged("train", now=NOON, kind=c.RUN_FAILURE, ended_at=NOON + MINUTE)
    alerts = update_alerts(no_alerts(), streak, NOON + 2 * MINUTE)
    assert [notice.is_over for notice in due(alerts, Told(), NOON + 2 * MINUTE)] == [True]
    assert due(alerts, Told(), NOON + 2 * DAY) == [], "a receiver added later hears nothing of the past"


def test_a_thousand_failing_products_are_one_message_for_each_receiver():
    alerts = update_alerts(no_alerts(), judged(*(f"P-{n:04d}" for n in range(1000)), now=NOON), NOON)
    notices = due(alerts, Told(), NOON, receivers=("a", "b"))
    assert [(notice.receiver, len(notice.incidents)) for notice in notices] == [("a", 1000), ("b", 1000)]
    assert notices[0].title == "Storecast error: 1,000 × stale forecasts"
    lines = notices[0].text.splitlines()
    assert lines[0].startswith("P-0000: is old (since 2026-11-20 12:00 UTC)")
    assert lines[10:] == ["… and 990 more; ops.alerts has them all", "Next: look"]


def test_kinds_are_told_apart_the_most_urgent_first_with_the_worst_severity_of_each():
    both = judged("P1", now=NOON) | judged("train", now=NOON, kind=c.RUN_FAILURE)
    mild = judged("P0", now=NOON, severity=c.WARNING)
    alerts = update_alerts(no_alerts(), both | mild, NOON)
    notices = due(alerts, Told(), NOON)
    assert [(notice.kind, notice.severity, len(notice.incidents)) for notice in notices] == [
        (c.RUN_FAILURE, c.ERROR, 1),
        (c.STALE_FORECASTS, c.ERROR, 2),
    ]


def test_a_name_with_line_ends_cannot_write_headers():
    alerts = update_alerts(no_alerts(), judged("P1\r\nBcc: all@example.org\n", now=NOON), NOON)
    [notice] = due(alerts, Told(), NOON)
    assert notice.title == "Storecast error: stale forecasts: P1 Bcc: all@example.org"
    assert len(notice.text.splitlines()) == 2


@pytest.mark.parametrize("receivers_told", [0, 1, 2])
def test_notified_at_is_when_the_last_receiver_was_told(receivers_told):
    alerts = update_alerts(no_alerts(), judged("P1", now=NOON), NOON)
    told = Told()
    for number, receiver in enumerate(("a", "b")[:receivers_told]):
        told.take(due(alerts, told, NOON, receivers=[receiver]), NOON + number * MINUTE)
    notified = with_notified(alerts, told, ("a", "b"))[c.NOTIFIED_AT].item()
    assert notified == NOON + MINUTE if receivers_told == 2 else pd.isna(notified)
