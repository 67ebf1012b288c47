"""The way of a challenger through the gate, day by day, on losses whose truth is known."""

import json

import numpy as np
import pandas as pd
import pytest

from storecast.registry import contracts as c
from storecast.registry.decisions import promotion_by, veto_by
from storecast.registry.gate import PROMOTION, ROLLBACK
from storecast.registry.rollout import Canary, Known, decide

FIRST_DAY = pd.Timestamp("2026-01-01")
PRODUCTS = [f"P-{number}" for number in range(40)]
CANARY = Canary(share=0.1, days=7)
OWN = frozenset(PRODUCTS[:4])


def pairs_of(champion: str, challenger: str, gain: float, days: int, *, start: int = 0, own_gain: float | None = None):
    """The challenger's losses are lower by `gain`, but for noise that tells all products and days apart."""
    rng = np.random.default_rng(int(challenger))
    loss = rng.gamma(20.0, 1.0, (len(PRODUCTS), days))
    gains = np.full((len(PRODUCTS), 1), gain)
    gains[: len(OWN)] = gain if own_gain is None else own_gain
    noise = rng.normal(0.0, 0.01, (len(PRODUCTS), 1)) + rng.normal(0.0, 0.01, (1, days))
    return pd.DataFrame(
        {
            c.CHAMPION_VERSION: champion,
            c.CHALLENGER_VERSION: challenger,
            c.DATE: np.tile(pd.date_range(FIRST_DAY + pd.Timedelta(days=start), periods=days), len(PRODUCTS)),
            c.CLUSTER: np.repeat(PRODUCTS, days),
            c.DEMAND_CLASS: np.repeat(np.where(np.arange(len(PRODUCTS)) % 4, "smooth", "lumpy"), days),
            c.CHAMPION_LOSS: loss.ravel(),
            c.CHALLENGER_LOSS: (loss * (1 - gains + noise)).ravel(),
            c.UNITS: 100.0,
            c.FORECASTS: 10.0,
            "champion_units": 101.0,
            "challenger_units": 99.0,
            "champion_inside": 9.2,
            "challenger_inside": 8.9,
        }
    )


class Shop:
    """Days go by, the gate looks each day, and what it decides happens."""

    def __init__(self, aliases: dict[str, str], pairs: pd.DataFrame) -> None:
        self.aliases, self.pairs = dict(aliases), pairs
        self.history = pd.DataFrame(columns=list(c.Promotions.to_schema().columns))

    def take(self, decision, day: pd.Timestamp) -> None:
        self.aliases = dict(decision.aliases)
        self.history = pd.DataFrame(
            [*self.history.to_dict("records"), *decision.row(day).to_dict("records")], columns=self.history.columns
        )

    def day(self, number: int, canary: Canary = CANARY) -> None:
        """The gate's work on the day after `number` days of data, started anew until nothing is due, as after kills."""
        last_day = FIRST_DAY + pd.Timedelta(days=number - 1)
        costs = pd.DataFrame({"model_version": list("123"), "origin_date": FIRST_DAY, "size_bytes": 1e6, "seconds": 1})
        pairs = self.pairs[self.pairs[c.DATE] <= last_day]
        decided_on: set[str] = set()
        while decision := decide(Known(self.aliases, self.history, pairs, costs, OWN, last_day), canary, seed=0):
            assert decision.challenger_version not in decided_on, f"decided twice: {decision.sentence}"
            decided_on.add(decision.challenger_version)
            self.take(decision, last_day)

    def days(self, first: int, last: int, canary: Canary = CANARY) -> None:
        for number in range(first, last + 1):
            self.day(number, canary)

    @property
    def kinds(self) -> list[str]:
        return self.history[c.KIND].tolist()


def test_a_clearly_better_challenger_is_canary_after_two_weeks_champion_a_week_later_and_settles_the_predecessor():
    ours, theirs = pairs_of("1", "2", 0.1, 30), pairs_of("2", "1", -0.1, 90, start=0)
    shop = Shop({"champion": "1", "challenger": "2"}, pd.concat([ours, theirs]))
    shop.days(1, 14)
    assert (shop.kinds, shop.aliases) == (["canary"], {"champion": "1", "canary": "2"})
    shop.days(15, 20)
    assert shop.aliases["champion"] == "1"
    shop.day(21)
    assert shop.aliases == {"champion": "2", "predecessor": "1"}
    shop.days(22, 60)
    assert shop.kinds == ["canary", "promotion", "look", "look", "look", "settled"]
    assert shop.aliases == {"champion": "2"}
    days = shop.history[c.LAST_DATE].map(lambda day: (day - FIRST_DAY).days + 1).tolist()
    assert days == [14, 21, 28, 35, 42, 49], "each look brings a week that none saw before"


def test_without_a_canary_share_it_is_champion_at_once():
    shop = Shop({"champion": "1", "challenger": "2"}, pairs_of("1", "2", 0.1, 14))
    shop.days(1, 14, Canary(share=0.0, days=7))
    assert (shop.kinds, shop.aliases) == (["promotion"], {"champion": "2", "predecessor": "1"})


@pytest.mark.parametrize("gain", [-0.1, 0.0])
def test_a_challenger_that_is_worse_or_no_different_is_out_after_eight_weeks(gain):
    shop = Shop({"champion": "1", "challenger": "2"}, pairs_of("1", "2", gain, 70))
    shop.days(1, 70)
    assert shop.kinds == ["look"] * 4
    assert shop.history[c.ANSWER].tolist() == ["wait", "wait", "wait", "keep"]
    assert shop.aliases == {"champion": "1"}
    assert shop.history[c.ALPHA_SPENT].is_monotonic_increasing
    assert shop.history[c.ALPHA_SPENT].max() == pytest.approx(PROMOTION.alpha)


def test_a_canary_that_is_plainly_wrong_on_its_own_products_is_withdrawn():
    pairs = pd.concat([pairs_of("1", "2", 0.1, 14), pairs_of("1", "2", 0.1, 7, start=14, own_gain=-0.5)])
    shop = Shop({"champion": "1", "challenger": "2"}, pairs)
    shop.days(1, 30)
    assert shop.kinds == ["canary", "look"]
    assert shop.aliases == {"champion": "1"}
    last = shop.history.iloc[-1]
    assert (last[c.ANSWER], last[c.GAIN]) == ("keep", pytest.approx(-0.5, abs=0.05))
    broken = [rail["name"] for rail in json.loads(last[c.EVIDENCE])["guard_rails"] if not rail["holds"]]
    assert broken == ["loss of the worst class"]


def test_a_canary_whose_share_holds_no_product_is_promoted_and_the_row_says_so():
    pairs = pairs_of("1", "2", 0.1, 21)
    shop = Shop({"champion": "1", "challenger": "2"}, pairs[~pairs[c.CLUSTER].isin(OWN)])
    shop.days(1, 21)
    assert shop.aliases["champion"] == "2"
    assert "no product of the canary's share" in shop.history[c.REASON].iloc[-1]


def test_a_bad_promotion_forced_by_a_person_is_taken_back_on_days_that_it_did_not_know_of():
    pairs = pairs_of("2", "1", 0.1, 40)
    shop = Shop({"champion": "1", "challenger": "2"}, pairs)
    shop.take(promotion_by(shop.aliases, None, "eva", FIRST_DAY + pd.Timedelta(days=9)), FIRST_DAY)
    shop.days(10, 16)
    assert shop.aliases["champion"] == "2", "only six days are new"
    shop.days(17, 40)
    assert shop.kinds[:2] == ["promotion", "look"] or shop.kinds[1] == "rollback"
    back = shop.history[shop.history[c.KIND] == "rollback"].iloc[0]
    assert back[c.FIRST_DATE] == FIRST_DAY + pd.Timedelta(days=10)
    assert back[c.ALPHA_SPENT] <= ROLLBACK.alpha
    assert shop.aliases == {"champion": "1"}


def test_a_predecessor_that_nothing_compares_to_settles_all_the_same():
    shop = Shop({"champion": "1", "challenger": "2"}, pairs_of("1", "2", 0.0, 0))
    shop.take(promotion_by(shop.aliases, None, "eva", FIRST_DAY), FIRST_DAY)
    shop.days(1, 28)
    assert shop.aliases == {"champion": "2", "predecessor": "1"}
    shop.day(29)
    assert (shop.kinds[-1], shop.aliases) == ("settled", {"champion": "2"})


def test_a_challenger_waits_while_a_predecessor_watches_and_loses_none_of_its_days():
    pairs = pd.concat([pairs_of("2", "1", -0.1, 60), pairs_of("2", "3", 0.1, 60)])
    shop = Shop({"champion": "1", "challenger": "2"}, pairs)
    shop.take(promotion_by(shop.aliases, None, "eva", FIRST_DAY), FIRST_DAY)
    shop.aliases["challenger"] = "3"
    shop.days(1, 28)
    assert set(shop.history[c.CHALLENGER_VERSION]) == {"1", "2"}
    shop.day(29)
    settled, canary = (row for _, row in shop.history.iloc[-2:].iterrows())
    assert (settled[c.KIND], settled[c.CHALLENGER_VERSION]) == ("settled", "1")
    assert (canary[c.KIND], canary[c.CHALLENGER_VERSION], canary[c.FIRST_DATE]) == ("canary", "3", FIRST_DAY)
    assert json.loads(canary[c.EVIDENCE])["days"] == 29


def test_a_vetoed_challenger_is_never_promoted_however_good_it_is():
    shop = Shop({"champion": "1", "challenger": "2"}, pairs_of("1", "2", 0.3, 80))
    shop.days(1, 10)
    shop.take(veto_by(shop.aliases, None, "eva", FIRST_DAY + pd.Timedelta(days=9)), FIRST_DAY)
    shop.days(11, 80)
    assert (shop.kinds, shop.aliases) == (["veto"], {"champion": "1"})


def test_however_irregularly_the_gate_looks_it_never_spends_more_than_alpha():
    rng = np.random.default_rng(4)
    for _ in range(5):
        shop = Shop({"champion": "1", "challenger": "2"}, pairs_of("1", "2", 0.0, 120))
        for number in np.unique(rng.integers(1, 121, 12)):
            shop.day(int(number))
        spent = shop.history[c.ALPHA_SPENT].astype(float)
        assert spent.max() <= PROMOTION.alpha + 1e-12
        assert spent.is_monotonic_increasing
        for evidence in shop.history[c.EVIDENCE]:
            json.loads(evidence, parse_constant=pytest.fail)


def test_without_a_champion_nothing_is_decided():
    shop = Shop({"challenger": "2"}, pairs_of("1", "2", 0.3, 80))
    shop.days(1, 80)
    assert shop.kinds == []
