import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from storecast.forecasting import contracts as c
from storecast.forecasting import intervals
from storecast.forecasting.origin_shifts import widening

DAYS = 28


def total_errors(rng, origins: int, shift: float):
    """Errors (origins, 1, days) of a total that misses by a shift of its own at each origin."""
    return rng.normal(0, shift, (origins, 1, 1)) + rng.normal(0, 1, (origins, 1, DAYS))


def covered(shift: float, origins: int, is_widened: bool, monkeypatch) -> float:
    """How often the days of an origin that was not back-tested lie within p05 and p95, over many shops."""
    if not is_widened:
        monkeypatch.setattr(
            "storecast.forecasting.intervals.widening", lambda _z, _origin, alphas: np.ones(len(alphas))
        )
    rng, mean, classes = (
        np.random.default_rng(0),
        np.full((origins, 1, DAYS), 100.0),
        np.full((origins, 1), "total", object),
    )
    inside = []
    for _ in range(300):
        actual, new = mean + total_errors(rng, origins, shift), 100.0 + total_errors(rng, 1, shift)[0]
        scales = intervals.fit_interval_scales(actual, mean, classes)
        low, high = scales.quantiles(mean[0], classes[0], scales.series_spreads)[..., [0, -1]].transpose(2, 0, 1)
        inside.append(((low <= new) & (new <= high)).mean())
    return float(np.mean(inside))


@pytest.mark.parametrize(("origins", "gain"), [(3, 0.08), (6, 0.01)])
def test_an_origin_with_a_shift_of_its_own_is_covered(origins, gain, monkeypatch):
    """Close to the 90 % that are meant: what is left is that so few shifts tell little of their own variance."""
    widened = covered(1.0, origins, True, monkeypatch)
    assert 0.84 < widened < 0.92
    assert covered(1.0, origins, False, monkeypatch) < widened - gain


def test_where_days_err_one_by_one_hardly_anything_is_widened():
    z, origin = np.random.default_rng(0).normal(size=3000), np.repeat(np.arange(3), 1000)
    assert_allclose(widening(z, origin, c.QUANTILES), 1.0, atol=0.01)


def test_it_does_not_matter_what_z_is_measured_in_or_which_origin_comes_first():
    origin = np.repeat(np.arange(4), DAYS)
    z = np.array([-2.0, 3.0, -1.0, 1.0])[origin] + np.random.default_rng(0).normal(size=len(origin))
    found = widening(z, origin, c.QUANTILES)
    assert (found[[0, -1]] > 1.2).all()
    assert (found >= 1).all()
    assert_allclose(widening(7 * z + 3, 9 - origin, c.QUANTILES), found)
    assert_allclose(found, found[::-1])  # as far below as above


@pytest.mark.parametrize("z", [np.arange(5.0), np.zeros(5)])
def test_from_one_origin_nothing_can_be_said(z):
    assert_array_equal(widening(z, np.full(5, 2), c.QUANTILES), np.ones(len(c.QUANTILES)))


def test_errors_that_are_all_the_same_are_left_as_they_are():
    assert_array_equal(widening(np.ones(6), np.repeat([0, 1], 3), c.QUANTILES), np.ones(len(c.QUANTILES)))


def test_the_median_stays():
    z = total_errors(np.random.default_rng(1), 3, 2.0).ravel()
    assert widening(z, np.repeat(np.arange(3), DAYS), (0.5,)).tolist() == [1.0]
