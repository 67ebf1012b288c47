import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.sampled_rows import SampledRows

FIRST_DAY = np.random.default_rng(0).integers(0, 60, 500)
KNOWN = range(20, 60)


def drawn(most: int, seed: int) -> SampledRows:
    return SampledRows.drawn(FIRST_DAY, list(KNOWN), most, np.random.default_rng(seed))


def test_about_so_many_rows_are_drawn_and_none_of_a_series_that_has_not_begun():
    sampled = drawn(2_000, 1)
    assert abs(len(sampled) - 2_000) < 5 * np.sqrt(2_000)
    assert all((FIRST_DAY[series] < known).all() for known, series in zip(KNOWN, sampled.series, strict=True))


def test_where_there_are_few_all_are_drawn():
    assert len(drawn(10**9, 1)) == sum(int((known > FIRST_DAY).sum()) for known in KNOWN)


@given(st.integers(1, 500), st.integers(0, 2**32 - 1))
def test_however_series_are_cut_into_chunks_each_row_is_filled_once_with_the_same(size: int, seed: int):
    sampled = drawn(3_000, seed)
    filled = np.full((len(sampled), 2), -1)
    for start in range(0, len(FIRST_DAY), size):
        for place, series, rows in sampled.among(slice(start, min(start + size, len(FIRST_DAY)))):
            assert (filled[rows] == -1).all()
            filled[rows, 0], filled[rows, 1] = place, series + start
    expected = [(place, own) for place, series in enumerate(sampled.series) for own in series]
    np.testing.assert_array_equal(filled, expected)
