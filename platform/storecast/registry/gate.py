"""The gate: whether a challenger takes the champion's place, from paired losses on the same series, origins and days.

A challenger is looked at every two weeks of new days, at most for eight. Each look takes all days so far and spends a
part of the chance of a false promotion that it alone may use (Lan and DeMets 1983, Biometrika 70; the power family of
Kim and DeMets 1987, Biometrika 74). The parts add up to `alpha` and each look keeps to its own, so whatever the looks
have to do with each other, a challenger no better than the champion is promoted with a chance of at most `alpha` in
all its time. A look that adds too few days is refused: the same data decide nothing twice.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from storecast.registry import contracts as c
from storecast.registry.bootstrap import FloatArray, Gain, Resampling

Answer = Literal["promote", "wait", "keep"]
NINETY: Final = 0.9
SPENDING_POWER: Final = 2.0
LEAST_CLASS_SHARE: Final = 0.01
"""A class with less of the champion's loss than this says nothing alone."""


@dataclass(frozen=True)
class Patience:
    """How long a challenger is looked at, and how sure one must be. Days are days with known outcome.

    `least_gain` is what the estimate must reach, beside a bound above 0.
    """

    look_days: int = 14
    most_days: int = 56
    alpha: float = 0.05
    least_gain: float = 0.005
    block_days: float = 7.0

    def spent(self, days: int) -> float:
        """What of `alpha` may be spent by a day.

        >>> [round(Patience().spent(days), 6) for days in (14, 28, 56, 100)]
        [0.003125, 0.0125, 0.05, 0.05]
        """
        return self.alpha * min(days / self.most_days, 1.0) ** SPENDING_POWER


PROMOTION: Final = Patience()
ROLLBACK: Final = Patience(look_days=7, most_days=28, alpha=0.2, least_gain=0.005, block_days=3.5)
"""Of a predecessor over the model that took its place: it was trusted before, so less is asked of it."""


@dataclass(frozen=True)
class Limits:
    """What a challenger may not exceed, however much it gains."""

    more_bias: float = 0.02
    more_miscoverage: float = 0.02
    worse_class: float = 0.02
    times_size: float = 2.0
    least_size_bytes: float = 64e6
    times_seconds: float = 2.0
    least_seconds: float = 10.0


@dataclass(frozen=True)
class Costs:
    """Bytes of a training's tables, and seconds it took for a forecast of the same products; NaN where not known."""

    size_bytes: float
    seconds: float


@dataclass(frozen=True)
class GuardRail:
    """A figure of the challenger that must not be above its bound; one that is not known does not hold."""

    name: str
    figure: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the figure is known and at most the bound."""
        return bool(self.figure <= self.bound)

    def told(self) -> dict[str, Any]:
        """All of it that JSON can hold."""
        return json_values({**asdict(self), "holds": self.holds})


@dataclass(frozen=True)
class Verdict:
    """What a look came to, and on what evidence; `by_class` holds gain and bound of each demand class."""

    answer: Answer
    reason: str
    gain: float
    bound: float
    alpha_spent: float
    days: int
    clusters: int
    window: tuple[pd.Timestamp, pd.Timestamp]
    by_class: Mapping[str, Mapping[str, float]]
    guard_rails: tuple[GuardRail, ...]

    def evidence(self) -> dict[str, Any]:
        """All that JSON can hold of it; what is not known is null."""
        rails = [rail.told() for rail in self.guard_rails]
        figures = {"alpha_spent": self.alpha_spent, "days": self.days, "clusters": self.clusters}
        return json_values({"answer": self.answer, **figures, "by_class": self.by_class, "guard_rails": rails})


@dataclass(frozen=True)
class Looks:
    """What earlier looks at the same pair used up: the last day they saw, and the part of alpha."""

    last_day: pd.Timestamp | None = None
    alpha_spent: float = 0.0


def is_due(days: pd.DatetimeIndex, looks: Looks, patience: Patience = PROMOTION) -> bool:
    """Whether so many days came since the last look that another may be taken.

    >>> days = pd.date_range("2026-01-01", periods=20)
    >>> is_due(days, Looks()), is_due(days, Looks(days[6])), is_due(days, Looks(days[5]))
    (True, False, True)
    """
    return int((days > looks.last_day).sum() if looks.last_day is not None else len(days)) >= patience.look_days


def judge(
    pairs: pd.DataFrame,
    costs: Mapping[str, Costs],
    looks: Looks,
    patience: Patience = PROMOTION,
    limits: Limits = Limits(),
    *,
    seed: int = 0,
) -> Verdict:
    """Look at a challenger once: promote it, wait for more days, or keep the champion for good.

    `pairs` has the columns `PAIR_COLUMNS` of the contracts, one row a day, product and demand class: sums over the same
    series and origins on both sides. `costs` are those of `challenger` and `champion`. Raises `ValueError` where
    `pairs` brings too few days since the last look.
    """
    days = pd.DatetimeIndex(np.unique(pairs[c.DATE]))
    if not is_due(days, looks, patience):
        raise ValueError(
            f"pairs has {len(days)} days up to {days.max()}, of which fewer than {patience.look_days} came after the "
            f"last look ({looks.last_day}): the same data decide nothing twice; wait for more days"
        )
    clusters = pd.Index(pairs[c.CLUSTER].unique())
    resampling = Resampling.of(len(clusters), len(days), block_days=patience.block_days, seed=seed)
    alpha = max(patience.spent(len(days)) - looks.alpha_spent, 0.0)
    whole = resampling.gain(*(_losses(pairs, name, clusters, days) for name in c.LOSSES))
    gains = {
        str(name): resampling.gain(*(_losses(own, loss, clusters, days) for loss in c.LOSSES))
        for name, own in pairs.groupby(c.DEMAND_CLASS)
    }
    rails = guard_rails(pairs, {name: gain.estimate for name, gain in gains.items()}, costs, limits)
    answer, reason = _answer(whole, alpha, rails, patience, is_last=len(days) >= patience.most_days)
    return Verdict(
        answer=answer,
        reason=reason,
        gain=whole.estimate,
        bound=whole.lower_bound(alpha),
        alpha_spent=looks.alpha_spent + alpha,
        days=len(days),
        clusters=len(clusters),
        window=(days.min(), days.max()),
        by_class={name: {"gain": gain.estimate, "bound": gain.lower_bound(alpha)} for name, gain in gains.items()},
        guard_rails=rails,
    )


def guard_rails(
    pairs: pd.DataFrame, class_gains: Mapping[str, float], costs: Mapping[str, Costs], limits: Limits
) -> tuple[GuardRail, ...]:
    """The challenger's bias, miscoverage, worst class, size and seconds, each with what it may be at most.

    Bias is forecast less sold over sold, without its sign; miscoverage the distance of the 90 % interval's share of
    days from 0.9; both may be the champion's and a little more. Size and seconds may be twice the champion's, or what
    is small anyway.
    """
    sums = pairs[list(c.PAIR_SUMS)].sum()
    theirs, ours = costs[c.CHAMPION_ALIAS], costs[c.CHALLENGER_ALIAS]
    bias = {side: abs(_ratio(sums[f"{side}_units"] - sums[c.UNITS], sums[c.UNITS])) for side in c.SIDES}
    missed = {side: abs(_ratio(sums[f"{side}_inside"], sums[c.FORECASTS]) - NINETY) for side in c.SIDES}
    shares = pairs.groupby(c.DEMAND_CLASS)[c.CHAMPION_LOSS].sum() / sums[c.CHAMPION_LOSS]
    held = [-gain for name, gain in class_gains.items() if shares[name] >= LEAST_CLASS_SHARE]
    size = max(limits.times_size * theirs.size_bytes, limits.least_size_bytes)
    seconds = max(limits.times_seconds * theirs.seconds, limits.least_seconds)
    return (
        GuardRail("bias", bias[c.CHALLENGER_ALIAS], bias[c.CHAMPION_ALIAS] + limits.more_bias),
        GuardRail("miscoverage", missed[c.CHALLENGER_ALIAS], missed[c.CHAMPION_ALIAS] + limits.more_miscoverage),
        GuardRail("loss of the worst class", max(held, default=float("nan")), limits.worse_class),
        GuardRail("size_bytes", ours.size_bytes, size),
        GuardRail("seconds", ours.seconds, seconds),
    )


def json_values(value: Any) -> Any:
    """The value with None for each number that is not finite, which JSON has no word for.

    >>> json_values({"figure": float("nan"), "bounds": (0.02, float("inf"))})
    {'figure': None, 'bounds': [0.02, None]}
    """
    if isinstance(value, Mapping):
        return {name: json_values(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [json_values(own) for own in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _answer(
    gain: Gain, alpha: float, rails: tuple[GuardRail, ...], patience: Patience, *, is_last: bool
) -> tuple[Answer, str]:
    """The answer and its reason in words."""
    bound = gain.lower_bound(alpha)
    seen = f"gain {gain.estimate:+.2%}, at least {bound:+.2%} but for a chance of {alpha:.2%}"
    broken = ", ".join(f"{rail.name} {rail.figure:.4g} over {rail.bound:.4g}" for rail in rails if not rail.holds)
    is_better = bound > 0 and gain.estimate >= patience.least_gain
    if is_better and not broken:
        return "promote", f"better: {seen}"
    why = f"guard-rails broken: {broken}; {seen}" if is_better else f"not shown to be better: {seen}"
    return ("keep", f"{why}; no look is left") if is_last else ("wait", f"{why}; it goes on shadowing")


def _losses(pairs: pd.DataFrame, column: str, clusters: pd.Index, days: pd.DatetimeIndex) -> FloatArray:
    """The sums of a column as (clusters, days), 0 where there is none."""
    values = np.zeros((len(clusters), len(days)))
    places = (clusters.get_indexer(pairs[c.CLUSTER]), days.get_indexer(pd.DatetimeIndex(pairs[c.DATE])))
    np.add.at(values, places, pairs[column].to_numpy(np.float64))
    return values


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")
