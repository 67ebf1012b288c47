"""Units a day from what a product is: a gamma–Poisson regression on attributes and price, for settled and new series.

log E[units / exposure] = intercept + an effect of each attribute's value + a slope in the log of price over its
category's; series within their first weeks have deviations from all of these, so that what thousands of settled series
say of attributes also speaks for the few launches. Effects are normal around 0 (a ridge), so that a value seen rarely
keeps near the others. Weights are those of a negative binomial: a series counts by its units, but not beyond the
shape (McCullagh and Nelder, Generalized Linear Models, 2nd ed., 2.5 and 11.2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from storecast.forecasting.panel import BoolArray, FloatArray

ROUNDS: Final = 12
LARGEST_LOG: Final = 12.0
LARGEST_PRICE_LOG: Final = 2.0
INTERCEPT, LAUNCH = "intercept", "launch"
JOIN: Final = " = "
FREE: Final = 10.0
"""Standard deviation of the logs that nothing is said of beforehand."""
FEWEST_UNITS: Final = 0.5

TextArray = npt.NDArray[np.str_]


@dataclass(frozen=True, eq=False)
class Attributes:
    """What is known of series: texts by attribute, numbers by name, and whether each is within its first weeks."""

    texts: Mapping[str, TextArray]
    numbers: Mapping[str, FloatArray]
    is_launch: BoolArray

    def take(self, rows: Any) -> "Attributes":
        """Those of some series."""
        return Attributes(
            {name: values[rows] for name, values in self.texts.items()},
            {name: values[rows] for name, values in self.numbers.items()},
            self.is_launch[rows],
        )

    def columns(self, effects: Sequence[str]) -> dict[str, FloatArray]:
        """The regression's column of each effect; a text not among the effects has none."""
        launch = self.is_launch.astype(np.float64)
        found = {INTERCEPT: np.ones(len(launch)), LAUNCH: launch}
        for effect in effects:
            name, _, text = effect.partition(JOIN)
            found[effect] = (self.texts[name] == text).astype(np.float64) if text else self.numbers[name]
            found[_on_launch(effect)] = found[effect] * launch
        return found


@dataclass(frozen=True, eq=False)
class AttributeLevels:
    """A fitted regression: the effects by name, as JSON holds them."""

    effects: tuple[str, ...]
    values: Mapping[str, float]

    @classmethod
    def fit(
        cls,
        attributes: Attributes,
        units: FloatArray,
        exposure: FloatArray,
        *,
        shape: float,
        deviation: float,
        launch_deviation: float,
    ) -> Self:
        """Fit on units over exposures, one a series; effects deviate from 0 by so much, a launch's from them by so."""
        effects = tuple(_effects(attributes))
        columns = attributes.columns(effects)
        design = np.stack(list(columns.values()), axis=1)
        spread = np.array([_spread_of(name, deviation, launch_deviation) for name in columns])
        beta: FloatArray = np.zeros(len(columns))
        beta[0] = np.log(max(float(units.sum()), FEWEST_UNITS) / max(float(exposure.sum()), 1.0))
        for _ in range(ROUNDS):
            linear = np.clip(design @ beta, -LARGEST_LOG, LARGEST_LOG)
            mean = np.maximum(exposure * np.exp(linear), 1e-6)
            weight = mean / (1 + mean / shape)
            answer = linear + (units - mean) / mean
            weighted = design * weight[:, None]
            beta = np.asarray(
                np.linalg.solve(design.T @ weighted + np.diag(spread**-2), weighted.T @ answer), np.float64
            )
        return cls(effects, dict(zip(columns, beta.tolist(), strict=True)))

    def per_day(self, attributes: Attributes) -> FloatArray:
        """Units a plain day of each series; summed effect by effect, so that it does not depend on other series."""
        total = np.zeros(len(attributes.is_launch))
        for name, column in attributes.columns(self.effects).items():
            total += self.values[name] * column
        return np.exp(np.clip(total, -LARGEST_LOG, LARGEST_LOG))


def _effects(attributes: Attributes) -> list[str]:
    texts = [f"{name}{JOIN}{text}" for name, values in attributes.texts.items() for text in np.unique(values)]
    return [*texts, *attributes.numbers]


def _on_launch(effect: str) -> str:
    return f"{LAUNCH} × {effect}"


def _spread_of(name: str, deviation: float, launch_deviation: float) -> float:
    if name in (INTERCEPT, LAUNCH):
        return FREE
    return launch_deviation if name.startswith(LAUNCH) else deviation
