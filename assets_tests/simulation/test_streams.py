"""What the stable past rests on: a longer draw begins with the shorter one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.simulation.streams import Streams

DRAWS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "random": lambda generator, days: generator.random((days, 7)),
    "normal": lambda generator, days: generator.standard_normal((days, 7)),
    "poisson": lambda generator, days: generator.poisson(np.linspace(0.1, 40, 7) * np.ones((days, 1))),
    "gamma": lambda generator, days: generator.standard_gamma(np.linspace(0.5, 9, 7) * np.ones((days, 1))),
}


@pytest.mark.parametrize("law", DRAWS)
@given(seed=st.integers(0, 2**32), days=st.integers(1, 40), more=st.integers(1, 40))
def test_more_days_begin_with_fewer(law: str, seed: int, days: int, more: int) -> None:
    short, long = (DRAWS[law](Streams(seed).of("x"), count) for count in (days, days + more))
    np.testing.assert_array_equal(short, long[:days])


def test_purposes_and_seeds_have_numbers_of_their_own() -> None:
    drawn = {Streams(seed).of(purpose).random() for seed in (1, 2) for purpose in ("a", "b")}
    assert len(drawn) == 4
