"""The benchmark on launches is honest: what is sold later decides nothing, and no scored item is in a training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import m5_data, new_products

pytestmark = pytest.mark.slow
ORIGIN = new_products.SCORED_FROM - m5_data.FIRST_DAY
ITEMS, EVERY, DEVIATION = 150, 5, 0.3
LATER_UNITS = 50.0


@pytest.fixture(scope="module")
def panel(shared_data: Path):
    if not (shared_data / "m5").exists():
        pytest.skip("no M5 data here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(m5_data, "FOLDER", shared_data / "m5")
        return m5_data.m5_panel(items=ITEMS)


def of_first_weeks(panel):
    rows = new_products.scored_launches(panel)
    first = panel.first_day[rows]
    return rows[(first >= ORIGIN) & (first < ORIGIN + new_products.STEP_DAYS)]


def test_settings_are_chosen_without_a_day_from_the_first_scored_one_on(panel):
    changed = panel.units.copy()
    changed[:, ORIGIN:] = np.where(np.isnan(changed[:, ORIGIN:]), np.nan, LATER_UNITS)
    chosen = [new_products.chosen_launch_deviation(which, EVERY) for which in (panel, panel.with_units(changed))]
    assert chosen[0] == chosen[1]
    known = [
        new_products.forecaster(DEVIATION).fit_panel(new_products.training_panel(which, ORIGIN, [], EVERY)).to_payload()
        for which in (panel, panel.with_units(changed))
    ]
    assert known[0] == known[1]


def test_no_day_after_those_seen_decides_a_forecast(panel):
    own = of_first_weeks(panel)
    assert len(own) > 10
    before = new_products.scored_from(panel, own, ORIGIN, EVERY, DEVIATION, with_boosted=False)
    for seen in new_products.STAGES:
        changed = panel.units.copy()
        for row in own:
            changed[row, panel.first_day[row] + seen + (seen == 0) :] = LATER_UNITS
        after = new_products.scored_from(panel.with_units(changed), own, ORIGIN, EVERY, DEVIATION, with_boosted=False)
        key = (new_products.OURS, seen)
        np.testing.assert_array_equal(before.forecasts[key], after.forecasts[key])
        np.testing.assert_array_equal(before.totals[seen], after.totals[seen])


def test_no_scored_item_is_in_its_training_in_any_store(panel):
    own = of_first_weeks(panel)
    items = panel.keys.get_level_values(0)
    known = new_products.training_panel(panel, ORIGIN, items[own].unique(), EVERY)
    assert not known.keys.get_level_values(0).isin(items[own]).any()
    assert known.days == ORIGIN


def test_a_scored_series_is_forecast_without_the_items_other_stores(panel):
    rows = np.arange(10)
    apart = new_products.named_apart(new_products.known_on(panel, rows, ORIGIN))
    assert apart.keys.get_level_values(0).is_unique
    assert replace(apart, keys=panel.keys[rows]).units.shape == (10, min(ORIGIN, new_products.KNOWN_DAYS))
