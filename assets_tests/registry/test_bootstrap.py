"""The gain's standard error against closed forms for noise whose kind is known."""

import numpy as np
import pytest

from storecast.registry.bootstrap import Gain, Resampling, stationary_days

CLUSTERS, DAYS = 60, 84


def gain_of(noise: np.ndarray, *, block_days: float = 1.0) -> Gain:
    """The gain where the champion loses 1 everywhere, and the challenger `noise` less."""
    champion = np.ones((CLUSTERS, DAYS))
    return Resampling.of(CLUSTERS, DAYS, block_days=block_days, seed=3, replicates=4000).gain(
        champion, champion - noise
    )


def test_noise_of_whole_days_counts_by_the_number_of_days():
    noise = np.repeat(np.random.default_rng(1).normal(0.02, 0.1, (1, DAYS)), CLUSTERS, axis=0)
    gain = gain_of(noise)
    assert gain.estimate == pytest.approx(noise.mean())
    assert gain.error == pytest.approx(noise[0].std(ddof=1) / np.sqrt(DAYS), rel=0.05)
    assert gain.freedom == pytest.approx(DAYS - 1, rel=0.1)


def test_noise_of_whole_products_counts_by_the_number_of_products():
    noise = np.repeat(np.random.default_rng(2).normal(0.02, 0.1, (CLUSTERS, 1)), DAYS, axis=1)
    gain = gain_of(noise)
    assert gain.error == pytest.approx(noise[:, 0].std(ddof=1) / np.sqrt(CLUSTERS), rel=0.05)
    assert gain.freedom == pytest.approx(CLUSTERS - 1, rel=0.1)


def test_noise_of_products_and_of_days_adds_up():
    rng = np.random.default_rng(6)
    products, days = rng.normal(0.0, 0.1, (CLUSTERS, 1)), rng.normal(0.0, 0.1, (1, DAYS))
    exact = np.sqrt(products.var(ddof=1) / CLUSTERS + days.var(ddof=1) / DAYS)
    assert gain_of(products + days).error == pytest.approx(exact, rel=0.05)


def test_noise_of_single_cells_is_counted_once():
    noise = np.random.default_rng(3).normal(0.02, 0.1, (CLUSTERS, DAYS))
    assert gain_of(noise).error == pytest.approx(noise.std() / np.sqrt(CLUSTERS * DAYS), rel=0.25)


def test_blocks_see_that_days_resemble_their_neighbours():
    """Each draw lasts a week: the mean of 12 weeks has the variance of 12 draws, not that of 84."""
    weeks = np.random.default_rng(4).normal(0.0, 0.1, DAYS // 7)
    noise = np.tile(np.repeat(weeks, 7), (CLUSTERS, 1))
    exact = weeks.std(ddof=1) / np.sqrt(len(weeks))
    assert gain_of(noise).error < 0.6 * exact
    assert gain_of(noise, block_days=14.0).error > 0.7 * exact


def test_blocks_are_as_long_as_asked_for_and_every_day_is_as_likely():
    days = stationary_days(np.random.default_rng(5), 4000, 56, 7.0)
    follows = (np.diff(days, axis=1) % 56 == 1).mean()
    assert follows == pytest.approx(6 / 7 + 1 / 7 / 56, abs=0.005)
    np.testing.assert_allclose(np.bincount(days.ravel()) / days.size, 1 / 56, rtol=0.1)


@pytest.mark.parametrize(("clusters", "days"), [(1, 56), (5, 13)])
def test_one_product_or_one_block_tells_nothing_of_chance(clusters, days):
    losses = np.ones((clusters, days))
    gain = Resampling.of(clusters, days, block_days=7.0, seed=0).gain(losses, losses * 0.5)
    assert gain.estimate == pytest.approx(0.5)
    assert gain.lower_bound(0.05) == float("-inf")
    with pytest.raises(ValueError, match="0 clusters"):
        Resampling.of(0, days, block_days=7.0, seed=0)


def test_a_champion_without_any_loss_is_beaten_by_nobody():
    gain = Resampling.of(2, 14, block_days=7.0, seed=0).gain(np.zeros((2, 14)), np.ones((2, 14)))
    assert gain.lower_bound(0.05) == float("-inf")
