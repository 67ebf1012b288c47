"""What can be decided on a version, by whom, and which version has which alias after it. Pure: nothing moves here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.gate import Verdict

Aliases = Mapping[str, str]
"""The version of each alias that leads somewhere."""
Differences = Mapping[str, tuple[str, str]]
"""Settings of the champion's training and of a new one, where they differ."""


@dataclass(frozen=True)
class Decision:
    """A row of ops.promotions before it is written, and the aliases as they are to be after it."""

    kind: str
    champion_version: str | None
    challenger_version: str
    reason: str
    decided_by: str
    aliases: Aliases
    last_day: pd.Timestamp | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The decision as people read it.

        >>> Decision("promotion", "1", "2", "better", "gate", {"champion": "2"}).sentence
        'promotion of version 2 by gate: better'
        """
        return f"{self.kind} of version {self.challenger_version} by {self.decided_by}: {self.reason}"

    def row(self, decided_at: pd.Timestamp) -> pd.DataFrame:
        """The row of ops.promotions, not applied yet."""
        empty = dict.fromkeys((c.ANSWER, c.GAIN, c.BOUND, c.ALPHA_SPENT, c.FIRST_DATE, c.APPLIED_AT))
        told = {
            c.DECIDED_AT: decided_at,
            c.KIND: self.kind,
            c.CHAMPION_VERSION: self.champion_version,
            c.CHALLENGER_VERSION: self.challenger_version,
            c.REASON: self.reason,
            c.LAST_DATE: self.last_day,
            c.EVIDENCE: json.dumps({**self.evidence, "aliases": self.aliases}, allow_nan=False, sort_keys=True),
            c.DECIDED_BY: self.decided_by,
        }
        return pd.DataFrame([{**empty, **told, **self.figures}], columns=list(c.Promotions.to_schema().columns))


def figures_of(verdict: Verdict) -> dict[str, Any]:
    """A look's own columns of ops.promotions; a number that is not finite has no place in a table."""
    numbers = {c.GAIN: verdict.gain, c.BOUND: verdict.bound, c.ALPHA_SPENT: verdict.alpha_spent}
    known = {name: value if abs(value) < float("inf") else None for name, value in numbers.items()}
    return {c.ANSWER: verdict.answer, c.FIRST_DATE: verdict.window[0], **known}


def one_alias_each(aliases: Aliases) -> dict[str, str]:
    """The aliases of this room, a version's first one only; MLflow lets people give a version several.

    >>> one_alias_each({"challenger": "2", "champion": "2", "predecessor": "1", "mine": "1"})
    {'champion': '2', 'predecessor': '1'}
    """
    kept: dict[str, str] = {}
    for alias in c.ALIASES:
        if alias in aliases and aliases[alias] not in kept.values():
            kept[alias] = aliases[alias]
    return kept


def without(aliases: Aliases, version: str) -> dict[str, str]:
    """The aliases after a version has lost its own."""
    return {alias: own for alias, own in aliases.items() if own != version}


def after_promotion(aliases: Aliases, version: str) -> dict[str, str]:
    """The aliases after a version became champion.

    The former champion is predecessor. A canary was better than the former champion, which says nothing of this one.

    >>> after_promotion({"champion": "1", "canary": "2", "challenger": "3", "predecessor": "0"}, "2")
    {'champion': '2', 'challenger': '3', 'predecessor': '1'}
    """
    return one_alias_each(
        {
            **{alias: own for alias, own in aliases.items() if alias == c.CHALLENGER_ALIAS},
            c.CHAMPION_ALIAS: version,
            **({c.PREDECESSOR_ALIAS: aliases[c.CHAMPION_ALIAS]} if c.CHAMPION_ALIAS in aliases else {}),
        }
    )


def after_rollback(aliases: Aliases, version: str) -> dict[str, str]:
    """The aliases after a version became champion again; the one that it replaces is nothing any more.

    >>> after_rollback({"champion": "2", "challenger": "3", "predecessor": "1"}, "1")
    {'champion': '1', 'challenger': '3'}
    """
    after = after_promotion(aliases, version)
    after.pop(c.PREDECESSOR_ALIAS, None)
    return after


def entry(aliases: Aliases, version: str, differences: Differences, last_day: pd.Timestamp | None) -> Decision:
    """What becomes of a training that was registered just now: challenger, or champion where nothing compares."""
    champion, former = aliases.get(c.CHAMPION_ALIAS), aliases.get(c.CHALLENGER_ALIAS)
    if champion is None:
        kind, reason, after = c.FIRST, "there was no champion", {**aliases, c.CHAMPION_ALIAS: version}
    elif differences:
        changes = ", ".join(f"{name} {before} is {now} now" for name, (before, now) in sorted(differences.items()))
        kind, reason, after = c.SETTINGS_CHANGED, changes, {c.CHAMPION_ALIAS: version}
    else:
        replaced = f"; it replaces challenger {former}, on which nothing was decided" if former is not None else ""
        kind, reason = c.ENTERED, f"it shadows champion {champion} until the gate decides{replaced}"
        after = {**aliases, c.CHALLENGER_ALIAS: version}
    return Decision(kind, champion, version, reason, c.GATE, one_alias_each(after), last_day)


def promotion_by(aliases: Aliases, version: str | None, by: str, last_day: pd.Timestamp | None) -> Decision:
    """A person makes a version champion: the one named, else the canary, else the challenger.

    Raises `ValueError` where there is none, or it is champion already.
    """
    chosen = version or _candidate(aliases)
    champion = _other_than_champion(aliases, chosen)
    after = after_promotion(aliases, chosen)
    return Decision(c.PROMOTION, champion, chosen, f"{by} made it champion", by, after, last_day)


def veto_by(aliases: Aliases, version: str | None, by: str, last_day: pd.Timestamp | None) -> Decision:
    """A person takes a challenger, or the canary, out of the race: the gate never promotes it.

    Raises `ValueError` where there is none, or the version is neither.
    """
    chosen = version or _candidate(aliases)
    racing = {alias: aliases[alias] for alias in (c.CANARY_ALIAS, c.CHALLENGER_ALIAS) if alias in aliases}
    if chosen not in racing.values():
        raise ValueError(f"version {chosen} is neither challenger nor canary ({_told(aliases)}): nothing to veto")
    after = without(aliases, chosen)
    return Decision(c.VETO, aliases.get(c.CHAMPION_ALIAS), chosen, f"{by} vetoed it", by, after, last_day)


def rollback_by(aliases: Aliases, version: str | None, by: str, last_day: pd.Timestamp | None) -> Decision:
    """A person takes a promotion back: the predecessor, or the version named, is champion again.

    Raises `ValueError` where there is none, or it is champion already.
    """
    chosen = version or aliases.get(c.PREDECESSOR_ALIAS)
    if chosen is None:
        raise ValueError(f"there is no predecessor ({_told(aliases)}): name a version with `storecast rollback --to N`")
    champion = _other_than_champion(aliases, chosen)
    return Decision(
        c.ROLLBACK,
        champion,
        chosen,
        f"{by} took version {champion} back",
        by,
        after_rollback(aliases, chosen),
        last_day,
    )


Choose = Callable[[Aliases, str | None, str, pd.Timestamp | None], Decision]
KIND_OF: Mapping[Choose, str] = {promotion_by: c.PROMOTION, veto_by: c.VETO, rollback_by: c.ROLLBACK}
"""What people can decide, by the function that decides it."""


def repeated(
    last: Mapping[Any, Any], aliases: Aliases, choose: Choose, version: str | None, by: str
) -> Decision | None:
    """The last decision where the same person asks for it again and its aliases stand, else None.

    So does a command that was killed after it had decided, and was started again. `last` is a row of ops.promotions.
    """
    after = json.loads(last[c.EVIDENCE])["aliases"]
    asked = (KIND_OF[choose], by, version or last[c.CHALLENGER_VERSION], aliases)
    if asked != (last[c.KIND], last[c.DECIDED_BY], last[c.CHALLENGER_VERSION], after):
        return None
    reason = f"{last[c.REASON]}, at {last[c.DECIDED_AT]:%Y-%m-%d %H:%M} UTC already"
    champion, day = last[c.CHAMPION_VERSION], last[c.LAST_DATE]
    return Decision(last[c.KIND], champion, last[c.CHALLENGER_VERSION], reason, by, after, day)


def moved_by_hand(known: Aliases, aliases: Aliases, last_day: pd.Timestamp | None) -> Decision | None:
    """What somebody did who moved champion or canary in MLflow itself, None where nobody did.

    `known` are the aliases as this room left them. That there was no champion before is no move.
    """
    former, champion = known.get(c.CHAMPION_ALIAS), aliases.get(c.CHAMPION_ALIAS)
    if former is None or champion is None:
        return None
    was, canary = known.get(c.CANARY_ALIAS), aliases.get(c.CANARY_ALIAS)
    if champion != former:
        kind, version, reason = c.PROMOTION, champion, f"the alias champion was moved from version {former} by hand"
    elif canary is not None and canary != was:
        kind, version, reason = c.CANARY, canary, "the alias canary was moved by hand"
    elif was is not None and canary is None:
        kind, version, reason = c.VETO, was, "the alias canary was removed by hand"
    else:
        return None
    return Decision(kind, former, version, reason, c.BY_HAND, one_alias_each(aliases), last_day)


def _candidate(aliases: Aliases) -> str:
    found = aliases.get(c.CANARY_ALIAS) or aliases.get(c.CHALLENGER_ALIAS)
    if found is None:
        raise ValueError(
            f"there is no challenger ({_told(aliases)}): a training makes one, or name a version with --version N"
        )
    return found


def _other_than_champion(aliases: Aliases, version: str) -> str | None:
    champion = aliases.get(c.CHAMPION_ALIAS)
    if champion == version:
        raise ValueError(f"version {version} is champion already ({_told(aliases)})")
    return champion


def _told(aliases: Aliases) -> str:
    return ", ".join(f"{alias}: version {version}" for alias, version in aliases.items()) or "no version has an alias"
