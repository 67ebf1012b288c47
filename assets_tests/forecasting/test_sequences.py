import numpy as np
import pandas as pd
import pytest

from storecast.forecasting.features import encoders_of
from storecast.forecasting.panel import EVENT_CODE, Panel
from storecast.forecasting.sequences import (
    FUTURE_FEATURES,
    LOWEST_LEVEL,
    PAST_FEATURES,
    Sequences,
    sequences_at_end,
)

STEPS, CONTEXT = 14, 56


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    return panel.until(panel.days, STEPS)


@pytest.fixture(scope="module")
def sequences(known: Panel) -> Sequences:
    return sequences_at_end(known, STEPS, CONTEXT, encoders_of(known))


def past(sequences, known, key, name):
    return sequences.past[known.keys.get_loc(key), :, PAST_FEATURES.index(name)]


def future(sequences, known, key, name):
    return sequences.future[known.keys.get_loc(key), :, FUTURE_FEATURES.index(name)]


def test_a_row_has_the_context_and_the_days_ahead(sequences, known):
    rows = len(known.keys)
    assert sequences.past.shape == (rows, CONTEXT, len(PAST_FEATURES))
    assert sequences.future.shape == (rows, STEPS, len(FUTURE_FEATURES))
    assert all(np.isfinite(array).all() for array in sequences.arrays)


def test_units_are_relative_to_the_level_of_late(sequences, known):
    units = known.units[known.keys.get_loc(("fast", "shop"))]
    level = (units[-28:].mean() + units[-91:].mean()) / 2
    assert sequences.levels[known.keys.get_loc(("fast", "shop"))] == pytest.approx(level)
    expected = np.log1p(units[-CONTEXT:] / level)
    np.testing.assert_allclose(past(sequences, known, ("fast", "shop"), "log_units_to_level"), expected, rtol=1e-6)


def test_a_series_that_no_longer_sells_keeps_a_level_above_nothing(sequences, known):
    assert sequences.levels[known.keys.get_loc(("dead", "shop"))] == pytest.approx(LOWEST_LEVEL)


def test_the_days_before_a_series_began_are_empty(sequences, known):
    begun = past(sequences, known, ("young", "shop"), "has_begun")
    assert begun.tolist() == [0.0] * (CONTEXT - 40) + [1.0] * 40
    assert not past(sequences, known, ("young", "shop"), "log_units_to_level")[: CONTEXT - 40].any()


def test_a_panel_shorter_than_the_context_is_filled_up_with_nothing(known):
    short = known.until(20, STEPS)
    sequences = sequences_at_end(short, STEPS, CONTEXT, encoders_of(known))
    assert not sequences.past[:, : CONTEXT - 20].any()
    assert past(sequences, short, ("fast", "shop"), "has_begun")[-20:].all()


def test_days_ahead_know_weekday_promotion_and_event(sequences, known, planned_drivers):
    plan = planned_drivers[(planned_drivers["product_id"] == "fast") & (planned_drivers["channel"] == "shop")]
    plan = plan.sort_values("date").head(STEPS)
    weekdays = np.stack([future(sequences, known, ("fast", "shop"), f"is_weekday_{day}") for day in range(7)])
    assert weekdays.argmax(axis=0).tolist() == plan["date"].dt.dayofweek.tolist()
    promotion = future(sequences, known, ("fast", "shop"), "is_on_promotion")
    assert promotion.tolist() == plan["is_on_promotion"].astype(float).tolist()
    events = sequences.events[known.keys.get_loc(("fast", "shop"))]
    assert events.tolist() == plan["has_event"].astype(int).tolist()  # one event is known: its code is 1


def test_the_price_is_relative_to_its_mean_of_late(sequences, known):
    row = known.keys.get_loc(("fast", "shop"))
    price = known.drivers["unit_price"][row]
    expected = np.log(price[known.days :] / price[known.days - 91 : known.days].mean())
    np.testing.assert_allclose(future(sequences, known, ("fast", "shop"), "log_price_to_mean"), expected, rtol=1e-5)


def test_a_price_that_was_not_planned_is_not_seen(panel):
    secret = {**panel.drivers, "is_price_planned": np.zeros_like(panel.drivers["is_price_planned"])}
    for drivers in (
        secret,
        {**secret, "unit_price": secret["unit_price"] * np.r_[np.ones(panel.days), np.full(90, 9)]},
    ):
        changed = Panel(panel.keys, panel.times, panel.units, drivers, panel.statics, panel.event_names)
        sequences = sequences_at_end(changed, STEPS, CONTEXT, encoders_of(panel))
        assert not future(sequences, panel, ("fast", "shop"), "is_on_promotion").any()
        assert np.ptp(future(sequences, panel, ("fast", "shop"), "log_price_to_mean")) == 0


def test_a_row_does_not_depend_on_the_others(sequences, known):
    for row in range(len(known.keys)):
        alone = sequences_at_end(known.take(np.array([row])), STEPS, CONTEXT, encoders_of(known))
        for array, of_all in zip(alone.arrays, sequences.arrays, strict=True):
            np.testing.assert_array_equal(array[0], of_all[row])


def test_what_training_never_saw_has_the_code_0(known):
    encoders = {"category": {"a": 0}, "channel": {}, EVENT_CODE: {}}
    sequences = sequences_at_end(known, STEPS, CONTEXT, encoders)
    codes = dict(zip(known.keys, sequences.statics.tolist(), strict=True))
    assert codes[("fast", "shop")] == [1, 0]
    assert codes[("slow", "shop")] == [0, 0]
    assert not sequences.events.any()


def test_without_drivers_and_dates_there_are_still_weekdays(known):
    bare = Panel(known.keys, pd.RangeIndex(known.days), known.units)
    sequences = sequences_at_end(bare, STEPS, CONTEXT, encoders_of(bare))
    weekdays = sequences.future[0, :, [FUTURE_FEATURES.index(f"is_weekday_{day}") for day in range(7)]]
    assert weekdays.argmax(axis=0).tolist() == [(known.days + step) % 7 for step in range(STEPS)]
    assert all(np.isfinite(array).all() for array in sequences.arrays)


def test_rows_of_two_origins_are_joined_below_each_other(known):
    parts = [sequences_at_end(known.until(days, STEPS), STEPS, CONTEXT, encoders_of(known)) for days in (150, 160)]
    joined = Sequences.joined(parts)
    assert len(joined.levels) == sum(len(part.levels) for part in parts)
    np.testing.assert_array_equal(joined.past[-1], parts[1].past[-1])
