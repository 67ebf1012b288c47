"""What can be decided, and which version has which alias after it."""

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.registry import contracts as c
from storecast.registry.decisions import (
    after_promotion,
    after_rollback,
    entry,
    moved_by_hand,
    one_alias_each,
    promotion_by,
    repeated,
    rollback_by,
    veto_by,
    without,
)

DAY = pd.Timestamp("2026-03-01")
ALIASES = st.dictionaries(st.sampled_from(c.ALIASES), st.sampled_from(["1", "2", "3", "4"]))
VERSIONS = st.sampled_from(["1", "2", "3", "4", "5"])


def test_the_first_training_is_champion_and_the_next_one_challenger():
    first = entry({}, "1", {}, DAY)
    assert (first.kind, first.champion_version, dict(first.aliases)) == ("first", None, {"champion": "1"})
    second = entry(first.aliases, "2", {}, DAY)
    assert (second.kind, dict(second.aliases)) == ("challenger", {"champion": "1", "challenger": "2"})


def test_a_newer_challenger_replaces_an_undecided_one_and_the_row_says_so():
    third = entry({"champion": "1", "challenger": "2"}, "3", {}, DAY)
    assert dict(third.aliases) == {"champion": "1", "challenger": "3"}
    assert "replaces challenger 2" in third.reason


def test_a_training_with_other_settings_is_champion_at_once_and_alone():
    aliases = {"champion": "1", "canary": "2", "challenger": "3"}
    changed = entry(aliases, "4", {"horizon_days": ("28", "14")}, DAY)
    assert (changed.kind, dict(changed.aliases)) == ("settings_changed", {"champion": "4"})
    assert changed.reason == "horizon_days 28 is 14 now"


def test_a_person_promotes_the_canary_before_the_challenger_and_the_champion_becomes_predecessor():
    aliases = {"champion": "1", "canary": "2", "challenger": "3"}
    assert dict(promotion_by(aliases, None, "eva", DAY).aliases) == {
        "champion": "2",
        "challenger": "3",
        "predecessor": "1",
    }
    assert dict(promotion_by(aliases, "3", "eva", DAY).aliases) == {"champion": "3", "predecessor": "1"}


def test_a_rollback_by_a_person_leaves_the_promoted_version_without_an_alias():
    aliases = {"champion": "2", "challenger": "3", "predecessor": "1"}
    back = rollback_by(aliases, None, "eva", DAY)
    assert (back.kind, back.challenger_version, back.decided_by) == ("rollback", "1", "eva")
    assert dict(back.aliases) == {"champion": "1", "challenger": "3"}


def test_a_veto_takes_a_challenger_or_a_canary_out():
    aliases = {"champion": "1", "canary": "2", "challenger": "3"}
    assert dict(veto_by(aliases, None, "eva", DAY).aliases) == {"champion": "1", "challenger": "3"}
    assert dict(veto_by(aliases, "3", "eva", DAY).aliases) == {"champion": "1", "canary": "2"}


@pytest.mark.parametrize(
    ("decide", "version", "told"),
    [
        (promotion_by, None, "there is no challenger"),
        (promotion_by, "1", "version 1 is champion already"),
        (veto_by, None, "there is no challenger"),
        (veto_by, "7", "version 7 is neither challenger nor canary"),
        (rollback_by, None, "there is no predecessor"),
        (rollback_by, "1", "version 1 is champion already"),
    ],
)
def test_where_there_is_nothing_to_decide_the_error_says_which_version_has_which_alias(decide, version, told):
    with pytest.raises(ValueError, match=rf"{told}.*champion: version 1"):
        decide({"champion": "1"}, version, "eva", DAY)


def test_the_last_decision_asked_for_again_is_that_decision_and_no_other_is():
    before = {"champion": "1", "challenger": "2"}
    promotion = promotion_by(before, None, "eva", DAY)
    [last] = promotion.row(pd.Timestamp("2026-07-02 10:30")).to_dict("records")
    again = repeated(last, promotion.aliases, promotion_by, None, "eva")
    assert again == repeated(last, promotion.aliases, promotion_by, "2", "eva")
    assert (again.kind, again.champion_version, again.challenger_version) == ("promotion", "1", "2")
    assert again.reason == "eva made it champion, at 2026-07-02 10:30 UTC already"
    others = [
        (promotion.aliases, promotion_by, "1", "eva"),
        (promotion.aliases, promotion_by, None, "max"),
        (promotion.aliases, rollback_by, None, "eva"),
        ({**promotion.aliases, "challenger": "3"}, promotion_by, None, "eva"),
    ]
    assert [repeated(last, *other) for other in others] == [None] * len(others)


@pytest.mark.parametrize(
    ("known", "aliases", "kind", "version"),
    [
        ({"champion": "1"}, {"champion": "2"}, "promotion", "2"),
        ({"champion": "1"}, {"champion": "1", "canary": "2"}, "canary", "2"),
        ({"champion": "1", "canary": "2"}, {"champion": "1"}, "veto", "2"),
    ],
)
def test_what_somebody_moved_in_mlflow_is_a_row_too(known, aliases, kind, version):
    moved = moved_by_hand(known, aliases, DAY)
    assert (moved.kind, moved.challenger_version, moved.decided_by) == (kind, version, "MLflow")
    assert moved_by_hand(moved.aliases, aliases, DAY) is None


@given(ALIASES, VERSIONS)
def test_a_version_has_one_alias_at_most_whatever_was_decided(aliases, version):
    held = one_alias_each(aliases)
    for after in (
        after_promotion(held, version),
        after_rollback(held, version),
        without(held, version),
        entry(held, version, {}, DAY).aliases,
    ):
        assert len(set(after.values())) == len(after)
        assert set(after) <= set(c.ALIASES)


def test_a_decision_is_a_row_of_the_contract():
    decision = entry({"champion": "1"}, "2", {}, DAY)
    row = decision.row(pd.Timestamp("2026-03-02"))
    checked = row.astype({"gain": float, "bound": float, "alpha_spent": float})
    moments = [name for name in row if name.endswith(("_at", "_date"))]
    c.Promotions.validate(checked.astype(dict.fromkeys(moments, "datetime64[ns]")))
    assert json.loads(row["evidence"].item()) == {"aliases": {"champion": "1", "challenger": "2"}}
