"""The gate's answers on losses whose truth is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from storecast.registry import contracts as c
from storecast.registry.gate import PROMOTION, ROLLBACK, Costs, Looks, judge

SAME = {side: Costs(1e6, 1.0) for side in c.SIDES}
PRODUCTS, SERIES_SOLD = 40, 100.0


def pairs_of(gain: float, *, days: int = 56, seed: int = 0, noise: float = 0.02, **columns: object) -> pd.DataFrame:
    """Losses of 40 products of two classes; the challenger's differ by `gain`, and by noise of days and products."""
    rng = np.random.default_rng(seed)
    shape = (PRODUCTS, days)
    champion = rng.gamma(20.0, 1.0, shape) * rng.gamma(5.0, 1.0, (PRODUCTS, 1))
    shifts = rng.normal(0.0, noise, (PRODUCTS, 1)) + rng.normal(0.0, noise, (1, days))
    challenger = champion * (1 - gain + shifts)
    table = pd.DataFrame(
        {
            c.DATE: np.tile(pd.date_range("2026-01-01", periods=days), PRODUCTS),
            c.CLUSTER: np.repeat([f"P-{number}" for number in range(PRODUCTS)], days),
            c.DEMAND_CLASS: np.repeat(np.where(np.arange(PRODUCTS) % 4, "smooth", "lumpy"), days),
            c.CHAMPION_LOSS: champion.ravel(),
            c.CHALLENGER_LOSS: challenger.ravel(),
            c.UNITS: SERIES_SOLD,
            c.FORECASTS: 10.0,
            "champion_units": SERIES_SOLD * 1.01,
            "challenger_units": SERIES_SOLD * 0.99,
            "champion_inside": 9.2,
            "challenger_inside": 8.9,
        }
    )
    return table.assign(**columns)


def test_a_much_better_challenger_is_promoted_at_the_first_look():
    verdict = judge(pairs_of(0.1, days=14), SAME, Looks())
    assert verdict.answer == "promote"
    assert verdict.gain == pytest.approx(0.1, abs=0.02)
    assert 0 < verdict.bound < verdict.gain
    assert verdict.alpha_spent == pytest.approx(PROMOTION.alpha / 16)
    assert verdict.window == (pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-14"))
    assert set(verdict.by_class) == {"smooth", "lumpy"}
    assert all(rail.holds for rail in verdict.guard_rails)


def test_one_that_is_no_better_waits_and_is_kept_out_when_its_time_is_over():
    assert judge(pairs_of(0.0, days=14), SAME, Looks()).answer == "wait"
    assert judge(pairs_of(0.0), SAME, Looks()).answer == "keep"


def test_a_gain_too_small_to_be_worth_it_is_none_however_sure():
    verdict = judge(pairs_of(0.003, noise=0.0), SAME, Looks())
    assert verdict.bound > 0
    assert verdict.answer == "keep"


def test_the_same_days_decide_nothing_twice():
    pairs = pairs_of(0.1, days=27)
    seen = Looks(pd.Timestamp("2026-01-14"), 0.003)
    with pytest.raises(ValueError, match="decide nothing twice"):
        judge(pairs, SAME, seen)
    assert judge(pairs_of(0.1, days=28), SAME, seen).answer == "promote"


def test_all_looks_together_spend_no_more_than_alpha():
    looks, spent = Looks(), []
    for days in (14, 31, 45, 60):
        verdict = judge(pairs_of(0.0, days=days), SAME, looks)
        spent.append(verdict.alpha_spent - looks.alpha_spent)
        looks = Looks(verdict.window[1], verdict.alpha_spent)
    assert min(spent) > 0
    assert sum(spent) == pytest.approx(PROMOTION.alpha)
    over = judge(pairs_of(0.3, days=90), SAME, looks)
    assert (over.answer, over.alpha_spent) == ("keep", pytest.approx(PROMOTION.alpha))
    assert over.bound == float("-inf"), "nothing is left to spend: not even a great gain is one now"


@pytest.mark.parametrize(
    ("rail", "columns"),
    [
        ("bias", {"challenger_units": SERIES_SOLD * 1.04}),
        ("miscoverage", {"challenger_inside": 8.3}),
        ("miscoverage", {c.FORECASTS: 0.0}),
    ],
)
def test_a_better_one_that_breaks_a_guard_rail_is_not_promoted(rail, columns):
    verdict = judge(pairs_of(0.1, **columns), SAME, Looks())
    assert verdict.answer == "keep"
    assert [kept.name for kept in verdict.guard_rails if not kept.holds] == [rail]
    assert rail in verdict.reason


def test_no_class_may_be_more_than_two_per_cent_worse():
    pairs = pairs_of(0.1, noise=0.0)
    is_lumpy = pairs[c.DEMAND_CLASS] == "lumpy"
    for worse, answer in ((1.015, "promote"), (1.025, "keep")):
        loss = np.where(is_lumpy, pairs[c.CHAMPION_LOSS] * worse, pairs[c.CHALLENGER_LOSS])
        assert judge(pairs.assign(challenger_loss=loss), SAME, Looks()).answer == answer


@pytest.mark.parametrize(
    ("costs", "name"),
    [
        (Costs(1e9, 1.0), "size_bytes"),
        (Costs(1e6, 60.0), "seconds"),
        (Costs(1e6, float("nan")), "seconds"),
    ],
)
def test_what_is_too_large_too_slow_or_was_not_timed_is_not_promoted(costs, name):
    verdict = judge(pairs_of(0.1), {**SAME, c.CHALLENGER_ALIAS: costs}, Looks())
    assert verdict.answer == "keep"
    assert [rail.name for rail in verdict.guard_rails if not rail.holds] == [name]


def test_a_predecessor_takes_less_to_come_back():
    pairs = pairs_of(0.02, days=14, noise=0.03, seed=5)
    assert judge(pairs, SAME, Looks(), PROMOTION).answer == "wait"
    assert judge(pairs, SAME, Looks(), ROLLBACK).answer == "promote"


def test_the_evidence_is_json_and_says_what_is_not_known():
    verdict = judge(pairs_of(0.1), {**SAME, c.CHALLENGER_ALIAS: Costs(1e6, float("nan"))}, Looks())
    evidence = json.loads(json.dumps(verdict.evidence(), allow_nan=False))
    assert evidence["days"] == 56
    assert evidence["clusters"] == PRODUCTS
    [seconds] = [rail for rail in evidence["guard_rails"] if rail["name"] == "seconds"]
    assert seconds == {"name": "seconds", "figure": None, "bound": 10.0, "holds": False}


def test_the_same_evidence_gives_the_same_verdict():
    first, second = (judge(pairs_of(0.01), SAME, Looks(), seed=7) for _ in range(2))
    assert first == second
    assert replace(first, bound=0.0) != second
