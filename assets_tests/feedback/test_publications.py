"""What was published can be read again exactly as it was, whatever came after, and nothing is kept twice."""

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from assets_tests.feedback.daily_shop import SERIES, Shop, sales
from storecast.feedback.assets import publications
from storecast.feedback.publications import plan_sql
from storecast.forecasting import contracts as c
from storecast.forecasting import metrics
from storecast.forecasting.baselines import SeasonalNaive
from storecast.forecasting.panel import panel_from_tables
from storecast.forecasting.unconstraining import unconstrained

HISTORY = sales(120, seed=3)
FORECASTS, LEVELS, ACCURACY = "ops.published_forecasts", "ops.published_level_forecasts", "gold.forecast_accuracy"
KEPT = (FORECASTS, LEVELS, ACCURACY)
PLANNED = ["unit_price", "is_on_promotion", "discount_share", "has_event", "event_name"]


def until(days: int) -> pd.DataFrame:
    return HISTORY[HISTORY["date"] < HISTORY["date"].min() + pd.Timedelta(days=days)].reset_index(drop=True)


def kept_rows(shop: Shop) -> dict[str, pd.DataFrame]:
    return {name: shop.read(f"select * from {name} order by all") for name in KEPT}


def moments_of(shop: Shop) -> datetime:
    """The moment after all that is kept was kept."""
    newest = max(shop.read(f"select max(published_at) as at from {name}")["at"].item() for name in (FORECASTS, LEVELS))
    scored = shop.read(f"select max(scored_at) as at from {ACCURACY}")["at"].item()
    return max(newest, scored) if pd.notna(scored) else newest


def assert_equal(tables: dict[str, pd.DataFrame], others: dict[str, pd.DataFrame]) -> None:
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, others[name], check_exact=True)


@pytest.mark.slow
def test_a_past_plan_and_its_score_come_out_as_they_were_known_then(tmp_path):
    """History is corrected, the price list changes, another model forecasts: the former plan and score are the same."""
    shop = Shop(tmp_path, demand=until(60), unit_price=5.0)
    shop.publish()
    origin = shop.origin
    forecasts = shop.forecasts()
    shop.next_days(HISTORY, 7)
    shop.publish()
    known_at = moments_of(shop)
    plan, level_plan = (
        shop.read(f"{plan_sql(name)} order by all", {"origin_date": origin, "known_at": known_at})
        for name in (FORECASTS, LEVELS)
    )
    score_sql = f"select * from {ACCURACY} where split = 'live' and scored_at <= ? order by all"
    scores = shop.read(score_sql, [known_at])

    is_late = shop.demand["date"].between(origin, origin + pd.Timedelta(days=3)) & (shop.demand["product_id"] == "lamp")
    shop.demand = shop.demand.assign(units=shop.demand["units"].where(~is_late, shop.demand["units"] + 6))
    shop.unit_price, shop.model_version, shop.lift = 99.0, "2", 2.0
    shop.publish()  # the same last day once more, and with other plans

    then = {"origin_date": origin, "known_at": known_at}
    pd.testing.assert_frame_equal(shop.read(f"{plan_sql(FORECASTS)} order by all", then), plan, check_exact=True)
    pd.testing.assert_frame_equal(shop.read(f"{plan_sql(LEVELS)} order by all", then), level_plan, check_exact=True)
    pd.testing.assert_frame_equal(shop.read(score_sql, [known_at]), scores, check_exact=True)

    assert set(plan["unit_price"]) == {5.0}
    assert set(plan["model_version"]) == {"1"}
    keys = ["product_id", "channel", "horizon_day"]
    pd.testing.assert_frame_equal(
        plan.sort_values(keys, ignore_index=True)[["mean_units", *c.UNIT_QUANTILES]],
        forecasts.sort_values(keys, ignore_index=True)[["mean_units", *c.UNIT_QUANTILES]],
        check_exact=True,
    )
    newest = shop.read(
        f"{plan_sql(FORECASTS)} order by all", {"origin_date": shop.origin, "known_at": moments_of(shop)}
    )
    assert newest["edition"].unique().tolist() == [2]
    assert (set(newest["unit_price"]), set(newest["model_version"])) == ({99.0}, {"2"})

    total = shop.live(level="total", horizon="week 1", origin_date=origin)
    assert total["edition"].tolist() == [1, 2]
    assert total["units"].diff().iloc[-1] == 2 * 3 * 6
    untouched = shop.live(level="product", demand_class="all", horizon="day 7", origin_date=origin)
    assert untouched["edition"].tolist() == [1], "a score that no correction changed is not kept twice"


@pytest.mark.slow
def test_started_again_after_a_kill_a_run_keeps_what_an_undisturbed_one_keeps_and_nothing_twice(tmp_path):
    calm, killed = Shop(tmp_path / "calm", demand=until(60)), Shop(tmp_path / "killed", demand=until(60))
    calm.publish()
    calm.next_days(HISTORY, 7)
    calm.publish()
    killed.publish()
    killed.run()
    killed.next_days(HISTORY, 7)
    killed.write()
    killed.run(only=[publications])  # here it is killed: kept, but not scored
    killed.run()
    first = kept_rows(killed)
    killed.run()
    assert_equal(kept_rows(killed), first)
    for name, table in kept_rows(calm).items():
        columns = [column for column in table if column not in {"published_at", "scored_at"}]
        other = first[name][columns].sort_values(columns, ignore_index=True)
        pd.testing.assert_frame_equal(other, table[columns].sort_values(columns, ignore_index=True), check_exact=True)


@pytest.mark.slow
def test_a_series_published_anew_for_the_same_origin_is_an_edition_more_and_the_others_are_not(tmp_path):
    shop = Shop(tmp_path, demand=until(60))
    shop.publish()
    before = kept_rows(shop)
    forecasts = shop.forecasts()
    is_chair = forecasts["product_id"] == "chair"
    forecasts.loc[is_chair & (forecasts["horizon_day"] == 9), "mean_units"] += 0.5
    shop.write(forecasts)
    shop.run()
    after = shop.read(f"select * from {FORECASTS} order by all")
    former = after[after["edition"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(former, before[FORECASTS], check_exact=True)
    anew = after[after["edition"] == 2]
    assert anew[["product_id", "channel"]].drop_duplicates().to_numpy().tolist() == [["chair", "shop"]]
    assert anew["horizon_day"].tolist() == list(range(1, shop.horizon + 1))
    nodes = shop.read(f"select distinct level, node from {LEVELS} where edition = 2 order by all").to_numpy().tolist()
    assert nodes == [["category", "seats"], ["channel", "shop"], ["product", "chair"], ["seller", "own"], ["total"] * 2]


@pytest.mark.slow
def test_quantiles_are_dropped_once_a_forecast_is_closed_and_all_else_stays(tmp_path):
    shop = Shop(tmp_path, demand=until(60), correction_days=5)
    shop.publish()
    origin, before = shop.origin, kept_rows(shop)
    shop.next_days(HISTORY, 14 + 5)
    shop.publish()
    quantiles = list(c.UNIT_QUANTILES)
    of_first = "where origin_date = ? order by all"
    for name in (FORECASTS, LEVELS):
        pd.testing.assert_frame_equal(shop.read(f"select * from {name} {of_first}", [origin]), before[name])
    scores = shop.live(origin_date=origin)
    assert set(scores["horizon"]) == {*(f"day {day}" for day in range(1, 15)), "week 1", "week 2", "all"}
    shop.next_days(HISTORY, 1)
    shop.demand["units"] += 1.0  # too late: scores are final
    for _ in range(2):
        shop.publish()
        for name in (FORECASTS, LEVELS):
            now = shop.read(f"select * from {name} {of_first}", [origin])
            assert now[quantiles].isna().all(axis=None)
            rest = [column for column in now if column not in quantiles]
            pd.testing.assert_frame_equal(now[rest], before[name][rest], check_exact=True)
    pd.testing.assert_frame_equal(shop.live(origin_date=origin), scores, check_exact=True)


@pytest.mark.slow
def test_scales_and_naive_forecasts_are_those_of_the_metrics_from_demand_as_known_then(tmp_path):
    demand = until(60)
    age = (demand["date"] - demand["date"].min()).dt.days
    young = (demand["product_id"] == "chair") & (age < 56)  # began four days ago: a part of its week is missing
    demand = demand[~young].reset_index(drop=True)
    is_out = (demand["product_id"] == "lamp") & (demand["date"].dt.day == 3)
    demand = demand.assign(is_in_stock=~is_out, units=demand["units"].where(~is_out, 1.0))
    shop = Shop(tmp_path, demand=demand)
    shop.publish()
    panel = unconstrained(panel_from_tables(demand))
    assert (panel.units != panel_from_tables(demand).units).sum() > 2
    kept = shop.read(f"select * from {FORECASTS} order by product_id, channel, horizon_day")
    by_series = kept.groupby(["product_id", "channel"])
    assert list(by_series.groups) == panel.keys.tolist()
    naive = SeasonalNaive().fit_panel(panel).predict_panel(shop.horizon)
    np.testing.assert_allclose(kept["naive_units"].to_numpy().reshape(naive.shape), naive, atol=1e-9)
    scales = {
        "rmsse_scale": metrics.naive_scales(panel.units, 1, power=2),
        "mase_scale": metrics.naive_scales(panel.units, 7),
    }
    for name, expected in scales.items():
        np.testing.assert_allclose(by_series[name].first(), expected, rtol=1e-8)
    total = np.nansum(panel.units, axis=0)[None]
    [node] = shop.read(f"select distinct rmsse_scale, mase_scale from {LEVELS} where level = 'total'").to_numpy()
    np.testing.assert_allclose(node, [metrics.naive_scales(total, 1, power=2)[0], metrics.naive_scales(total, 7)[0]])
    plans = shop.read("select * from gold.planned_drivers order by product_id, channel, date")
    planned = [table[PLANNED].astype({"event_name": object}).fillna({"event_name": ""}) for table in (kept, plans)]
    pd.testing.assert_frame_equal(*planned)
    members = kept[["product_id", "channel", "category", "seller_id", "demand_class"]].drop_duplicates(
        ignore_index=True
    )
    expected = SERIES.sort_values(["product_id", "channel"], ignore_index=True)
    pd.testing.assert_frame_equal(members, expected[members.columns])


@pytest.mark.slow
def test_forecasts_whose_plans_have_made_way_for_newer_ones_are_not_kept_with_the_wrong_plans(tmp_path):
    shop = Shop(tmp_path, demand=until(60))
    shop.write()
    newer = until(62)
    shop.warehouse.replace_table("gold.daily_demand", newer.assign(revenue=0.0, date=newer["date"].dt.date))
    shop.run()
    assert shop.read(f"select count(*) as rows from {FORECASTS}")["rows"].item() == 0
