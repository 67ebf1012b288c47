"""Days that were not delivered, built small: what a channel's silence means beside the rhythm it had."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.slow

DAYS = pd.date_range("2026-03-02", "2026-11-28")
WORKDAYS = DAYS[DAYS.dayofweek < 6]
SEPTEMBER = pd.date_range("2026-09-01", "2026-09-30")
AUGUST = pd.date_range("2026-08-03", "2026-08-16")
LAST_TEN = DAYS[-10:]


def orders(channel: str, days: Iterable[pd.Timestamp], hours: Iterable[int] = (9, 15, 20)) -> list[dict[str, object]]:
    """One order at each of the hours of each day."""
    return [
        {
            "order_id": f"{channel}-{day:%Y%m%d}-{hour}",
            "line_number": 1,
            "ordered_at": f"{day:%Y-%m-%d} {hour:02d}:30:00",
            "channel": channel,
            "product_id": "lamp",
            "quantity": 2,
            "unit_price": 5,
        }
        for day in days
        for hour in hours
    ]


def some_days(share: float) -> pd.DatetimeIndex:
    """A random share of all days, with the first and the last."""
    chosen = np.random.default_rng(5).random(len(DAYS)) < share
    chosen[[0, -1]] = True
    return DAYS[chosen]


@pytest.fixture(scope="module")
def build(new_shop) -> Callable[..., object]:
    def make(name: str, *lines: list[dict[str, object]]):
        shop = new_shop(name)
        shop.load("order_lines", [line for part in lines for line in part], file="lines", day=29)
        shop.dbt("build", "--exclude-resource-type", "unit_test")
        return shop

    return make


def unrecorded(shop) -> list[tuple[str, str, str, int]]:
    return shop.rows(
        "SELECT channel, CAST(min(date) AS VARCHAR), CAST(max(date) AS VARCHAR), count(*) FROM gold.daily_demand "
        "WHERE NOT is_recorded GROUP BY channel ORDER BY channel"
    )


@pytest.fixture(scope="module")
def shop(build):
    """Seven channels, of which three lack days, and one order of the last day came before seven."""
    return build(
        "seven",
        orders("every day", DAYS),
        orders("but Sundays", WORKDAYS),
        orders("now and then", some_days(0.4)),
        orders("late", DAYS.difference(LAST_TEN)),
        orders("hole", DAYS.difference(SEPTEMBER)),
        orders("ended", DAYS[:100]),
        orders("cut", DAYS[:-1], range(1, 24)) + orders("cut", DAYS[-1:], (5, 6)),
    )


def test_days_that_a_channel_did_not_deliver_are_not_recorded_and_all_others_are(shop):
    assert unrecorded(shop) == [
        ("cut", "2026-11-28", "2026-11-28", 1),
        ("hole", "2026-09-01", "2026-09-30", 30),
        ("late", "2026-11-19", "2026-11-28", 10),
    ]


def test_the_table_has_no_gap_and_loses_no_sale(shop):
    rows = shop.rows("SELECT channel, count(*) FROM gold.daily_demand GROUP BY channel")
    assert {days for _, days in rows} == {len(DAYS)}
    [(units,)] = shop.rows("SELECT sum(units) FROM gold.daily_demand")
    assert units == shop.rows("SELECT sum(quantity) FROM silver.order_lines")[0][0]


def test_a_channel_silent_for_more_than_eight_weeks_to_the_end_has_ended(shop):
    assert shop.rows("SELECT channel, gap_kind FROM silver.sales_gaps WHERE gap_kind <> 'not_recorded'") == [
        ("ended", "ended")
    ]


def test_the_only_channel_s_missing_month_is_not_recorded_but_its_two_weeks_off_are(build):
    only = build("only", orders("shop", WORKDAYS.difference(SEPTEMBER).difference(AUGUST)))
    assert unrecorded(only) == [("shop", "2026-09-01", "2026-09-30", 30)]
    gaps = only.rows("SELECT CAST(first_date AS VARCHAR), silent_days, gap_kind FROM silver.sales_gaps ORDER BY 1")
    assert gaps == [("2026-08-02", 15, "closed"), ("2026-09-01", 30, "not_recorded")]


def test_the_horizon_begins_after_the_last_whole_day_until_the_cut_one_is_complete(build):
    morning = orders("shop", DAYS[:-1], range(1, 24)) + orders("shop", DAYS[-1:], (5, 6))
    cut = build("morning", morning)
    last_day = "SELECT CAST(max(date) AS VARCHAR) FROM gold.daily_demand"
    first_planned = "SELECT CAST(min(date) AS VARCHAR) FROM gold.planned_drivers"
    assert (cut.rows(last_day), cut.rows(first_planned)) == ([("2026-11-27",)], [("2026-11-28",)])
    assert cut.rows("SELECT count(*) FROM silver.order_lines WHERE order_date = DATE '2026-11-28'") == [(2,)]
    cut.load("order_lines", orders("shop", DAYS[-1:], range(7, 24)), file="rest", day=30)
    cut.dbt("build", "--exclude-resource-type", "unit_test")
    assert (cut.rows(last_day), unrecorded(cut)) == ([("2026-11-28",)], [])
