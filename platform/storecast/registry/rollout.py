"""How a challenger comes in, and out again: shadow, canary, champion watched by its predecessor. Rows in, a row out.

One change at a time: while a predecessor watches, or a canary is out, no look at a challenger is taken; its days count
all the same once there is one.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.decisions import Aliases, Decision, after_promotion, after_rollback, figures_of, without
from storecast.registry.gate import (
    PROMOTION,
    ROLLBACK,
    Costs,
    Limits,
    Looks,
    Patience,
    Verdict,
    guard_rails,
    is_due,
    json_values,
    judge,
)

CANARY_LIMITS: Final = Limits(more_bias=0.1, more_miscoverage=0.1, worse_class=0.1)
"""Of few products and days only what is plainly wrong stops a canary; that it is better was shown before."""
WHOLE: Final = "all"


@dataclass(frozen=True)
class Canary:
    """How far a challenger goes before all products are its own: a share of the products, for days of data."""

    share: float
    days: int


@dataclass(frozen=True, eq=False)
class Known:
    """All that a decision hangs on.

    `history` are the rows of ops.promotions, `pairs` those of ops.paired_losses, `costs` those of ops.model_costs,
    `canary_products` what the canary forecasts, `last_day` the newest day of demand.
    """

    aliases: Aliases
    history: pd.DataFrame
    pairs: pd.DataFrame
    costs: pd.DataFrame
    canary_products: frozenset[str]
    last_day: pd.Timestamp


def decide(known: Known, canary: Canary, *, seed: int) -> Decision | None:
    """Decide once, or look once; None where nothing is due. The same rows decide nothing twice."""
    if c.CHAMPION_ALIAS not in known.aliases:
        return None
    predecessor, canary_version, challenger = (
        known.aliases.get(alias) for alias in (c.PREDECESSOR_ALIAS, c.CANARY_ALIAS, c.CHALLENGER_ALIAS)
    )
    if predecessor is not None:
        return _of_predecessor(known, predecessor, seed)
    if canary_version is not None:
        return _of_canary(known, canary_version, canary)
    return None if challenger is None else _of_challenger(known, challenger, canary, seed)


def _of_predecessor(known: Known, version: str, seed: int) -> Decision | None:
    """Whether the predecessor would have done better since: only days count that the promotion did not know of."""
    since = _since(known, c.NEW_CHAMPION, known.aliases[c.CHAMPION_ALIAS])
    verdict = _look(known, version, ROLLBACK, since, seed)
    settled = without(known.aliases, version)
    if verdict is None:
        if since is None or known.last_day < since + pd.Timedelta(days=ROLLBACK.most_days):
            return None
        reason = f"{ROLLBACK.most_days} days after the promotion there are too few to compare it by"
        return _decision(known, c.SETTLED, version, reason, settled)
    if verdict.answer == "promote":
        after = after_rollback(known.aliases, version)
        return _seen(known, c.ROLLBACK, version, verdict, after)
    if verdict.answer == "keep":
        return _seen(known, c.SETTLED, version, verdict, settled)
    return _seen(known, c.LOOK, version, verdict, known.aliases)


def _of_challenger(known: Known, version: str, canary: Canary, seed: int) -> Decision | None:
    """Whether a challenger is better: then it is canary, or champion at once where no product is to go first."""
    verdict = _look(known, version, PROMOTION, None, seed)
    if verdict is None:
        return None
    if verdict.answer == "wait":
        return _seen(known, c.LOOK, version, verdict, known.aliases)
    if verdict.answer == "keep":
        return _seen(known, c.LOOK, version, verdict, without(known.aliases, version))
    if canary.share > 0 and canary.days > 0:
        return _seen(known, c.CANARY, version, verdict, {**without(known.aliases, version), c.CANARY_ALIAS: version})
    return _seen(known, c.PROMOTION, version, verdict, after_promotion(known.aliases, version))


def _of_canary(known: Known, version: str, canary: Canary) -> Decision | None:
    """Whether a canary did nothing plainly wrong on its own products; then it is champion.

    Where none of them had a day that both forecast, there is nothing that speaks against it, and the reason says so.
    """
    since = _since(known, (c.CANARY,), version)
    if since is None or known.last_day < since + pd.Timedelta(days=canary.days):
        return None
    pairs = _pairs(known, version, since)
    own = pairs[pairs[c.CLUSTER].isin(known.canary_products)].assign(**{c.DEMAND_CLASS: WHOLE})
    promoted = after_promotion(known.aliases, version)
    if own.empty:
        reason = f"in {canary.days} days no product of the canary's share had a day to compare it by"
        return _decision(known, c.PROMOTION, version, reason, promoted)
    products, days, lost = own[c.CLUSTER].nunique(), own[c.DATE].nunique(), own[list(c.LOSSES)].sum()
    gain = float(1 - lost[c.CHALLENGER_LOSS] / lost[c.CHAMPION_LOSS]) if lost[c.CHAMPION_LOSS] > 0 else float("nan")
    rails = guard_rails(own, {WHOLE: gain}, _costs(known, version), CANARY_LIMITS)
    broken = ", ".join(f"{rail.name} {rail.figure:.4g} over {rail.bound:.4g}" for rail in rails if not rail.holds)
    evidence = json_values({"days": days, "clusters": products, "guard_rails": [rail.told() for rail in rails]})
    seen = f"gain {gain:+.2%} on {products} products in {days} days"
    kind, reason, after = c.PROMOTION, f"the canary broke no guard-rail: {seen}", promoted
    if broken:
        kind, after = c.LOOK, without(known.aliases, version)
        reason = f"the canary broke guard-rails: {broken}; {seen}"
    figures = {c.ANSWER: "keep" if broken else "promote", c.GAIN: gain, c.FIRST_DATE: own[c.DATE].min()}
    return replace(_decision(known, kind, version, reason, after), figures=figures, evidence=evidence)


def _look(known: Known, version: str, patience: Patience, since: pd.Timestamp | None, seed: int) -> Verdict | None:
    """Look at a version against the champion, on the days after `since`; None where no look is due."""
    pairs = _pairs(known, version, since)
    looks = _looks(known, version, since)
    if not is_due(pd.DatetimeIndex(np.unique(pairs[c.DATE])), looks, patience):
        return None
    return judge(pairs, _costs(known, version), looks, patience, seed=seed)


def _pairs(known: Known, version: str, since: pd.Timestamp | None) -> pd.DataFrame:
    is_pair = _is_pair(known, known.pairs, version)
    return known.pairs[is_pair if since is None else is_pair & (known.pairs[c.DATE] > since)]


def _looks(known: Known, version: str, since: pd.Timestamp | None) -> Looks:
    """What earlier looks at the pair used up, since a promotion those after it."""
    rows = known.history[_is_pair(known, known.history, version) & known.history[c.ALPHA_SPENT].notna()]
    rows = rows if since is None else rows[rows[c.LAST_DATE] > since]
    return Looks(rows[c.LAST_DATE].max(), float(rows[c.ALPHA_SPENT].max())) if len(rows) else Looks()


def _is_pair(known: Known, rows: pd.DataFrame, version: str) -> pd.Series:
    champion = known.aliases[c.CHAMPION_ALIAS]
    return (rows[c.CHAMPION_VERSION] == champion) & (rows[c.CHALLENGER_VERSION] == version)


def _costs(known: Known, version: str) -> dict[str, Costs]:
    """The newest costs of champion and version; NaN where they were never measured."""
    found = {}
    for side, own in zip(c.SIDES, (known.aliases[c.CHAMPION_ALIAS], version), strict=True):
        rows = known.costs[known.costs[c.MODEL_VERSION] == own].sort_values(c.ORIGIN_DATE)
        size, seconds = rows[["size_bytes", "seconds"]].iloc[-1] if len(rows) else (float("nan"), float("nan"))
        found[side] = Costs(float(size), float(seconds))
    return found


def _since(known: Known, kinds: tuple[str, ...], version: str) -> pd.Timestamp | None:
    """The newest day that the last decision of some kinds on a version knew of."""
    rows = known.history[known.history[c.KIND].isin(kinds) & (known.history[c.CHALLENGER_VERSION] == version)]
    last = rows.sort_values(c.DECIDED_AT)[c.LAST_DATE].iloc[-1] if len(rows) else pd.NaT
    return None if pd.isna(last) else last


def _seen(known: Known, kind: str, version: str, verdict: Verdict, after: Aliases) -> Decision:
    """A decision that a look came to."""
    decision = _decision(known, kind, version, verdict.reason, after)
    return replace(decision, last_day=verdict.window[1], figures=figures_of(verdict), evidence=verdict.evidence())


def _decision(known: Known, kind: str, version: str, reason: str, after: Aliases) -> Decision:
    return Decision(kind, known.aliases[c.CHAMPION_ALIAS], version, reason, c.GATE, after, known.last_day)
