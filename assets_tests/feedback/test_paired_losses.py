"""Paired losses against a loop over the rows, by hand; what the gate makes of them."""

import pandas as pd
import pytest

from assets_tests.feedback.daily_shop import SERIES, Shop, sales
from storecast.feedback import assets
from storecast.forecasting.shadow_contracts import ShadowForecasts
from storecast.monitoring.contracts import ProductDrift
from storecast.registry.contracts import CHALLENGER_ALIAS, CHAMPION_ALIAS, PAIR_COLUMNS
from storecast.registry.gate import ROLLBACK, Costs, Looks, judge
from storecast.warehouse.contracts import sql_types

HISTORY = sales(75)
ORIGINS, HORIZON = (60, 61, 65), 7
CHAMPION, CANARY, PREDECESSOR, FORMER = "4", "5", "3", "2"
CANARYS = ["lamp"]
SHADOW = list(ShadowForecasts.to_schema().columns)


def said_by(version: str, rows: pd.DataFrame) -> pd.DataFrame:
    """What a version says of the series and days of some forecasts: the same, times something of its own."""
    times = 1 + 0.1 * int(version) + 0.02 * rows["horizon_day"]
    scaled = {name: rows[name] * times for name in rows if name.endswith("_units")}
    return rows.assign(**scaled, model_version=version)


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """Three origins: the canary published the lamp, the champion all else, each shadowed the other; two more shadow."""
    shop = Shop(tmp_path_factory.mktemp("pairs"), horizon=HORIZON)
    shadows = []
    for days in ORIGINS:
        shop.demand = HISTORY[HISTORY["date"] < HISTORY["date"].min() + pd.Timedelta(days=days)]
        rows = shop.forecasts()
        is_canarys = rows["product_id"].isin(CANARYS)
        champion, canary = said_by(CHAMPION, rows), said_by(CANARY, rows)
        shop.write(said_by(FORMER, rows))
        shop.run(only=[assets.publications])  # an edition that is replaced on the same day
        shop.write(pd.concat([champion[~is_canarys], canary[is_canarys]]))
        shop.run(only=[assets.publications])
        shadows += [champion[is_canarys], canary[~is_canarys], said_by(PREDECESSOR, rows), said_by(FORMER, rows)]
        if days == ORIGINS[1]:  # the champion's shadow of the day before it published them: what it published counts
            shadows.append(said_by(CHAMPION, rows[rows["product_id"] == "chair"]).assign(mean_units=999.0))
    shop.demand = HISTORY.assign(is_in_stock=~((HISTORY["product_id"] == "bulb") & (HISTORY["date"].dt.day == 10)))
    shop.write()
    opened = shop.warehouse
    opened.replace_table("ops.shadow_forecasts", pd.concat(shadows)[SHADOW], sql_types(ShadowForecasts))
    aliases = {CHAMPION: "champion", CANARY: "canary", PREDECESSOR: "predecessor", FORMER: None}
    versions = pd.DataFrame({"training_id": [f"t{v}" for v in aliases], "model_version": map(int, aliases)})
    opened.replace_table("ops.registered_models", versions.assign(alias=list(aliases.values())))
    classes = SERIES[["product_id", "channel", "demand_class"]]
    champions = [
        classes.head(3).assign(training_id=f"t{CHAMPION}"),
        classes.assign(training_id=f"t{CANARY}", demand_class="x"),
    ]
    opened.replace_table("ops.champions", pd.concat(champions))
    shop.run(only=[assets.paired_losses])
    return shop


@pytest.fixture(scope="module")
def pairs(shop) -> pd.DataFrame:
    return shop.read("select * from ops.paired_losses order by all")


def losses_by_hand(shop: Shop) -> dict[tuple[str, str, pd.Timestamp, str], dict[str, float]]:
    """The sums of each pair, day and product, a row at a time."""
    published = shop.read("select * from ops.published_forecasts").sort_values("edition")
    published = published.drop_duplicates(["origin_date", "product_id", "channel", "date"], keep="last")
    said = {}
    for rows in (shop.read("select * from ops.shadow_forecasts"), published):
        for row in rows.itertuples():
            said[row.model_version, row.origin_date, row.product_id, row.channel, row.date] = row
    sold = {(row.product_id, row.channel, row.date): row for row in shop.demand.itertuples()}
    sums: dict[tuple[str, str, pd.Timestamp, str], dict[str, float]] = {}
    for (version, origin, product, channel, date), ours in said.items():
        day, theirs = sold.get((product, channel, date)), said.get((CHAMPION, origin, product, channel, date))
        if version not in {CANARY, PREDECESSOR} or day is None or theirs is None or not day.is_in_stock:
            continue
        own = sums.setdefault((CHAMPION, version, date, product), dict.fromkeys(PAIR_COLUMNS[3:], 0.0))
        own["units"] += day.units
        own["forecasts"] += 1
        for side, row in (("champion", theirs), ("challenger", ours)):
            own[f"{side}_loss"] += abs(row.mean_units - day.units)
            own[f"{side}_units"] += row.mean_units
            own[f"{side}_inside"] += row.p05_units <= day.units <= row.p95_units
    return sums


def test_the_sums_are_those_of_a_loop_over_the_rows(shop, pairs):
    expected = losses_by_hand(shop)
    keys = ["champion_version", "challenger_version", "date", "product_id"]
    found = pairs.set_index(keys)[list(PAIR_COLUMNS[3:])].to_dict("index")
    assert found.keys() == expected.keys()
    for key, own in expected.items():
        assert found[key] == pytest.approx(own, abs=1e-6)
    assert {(key[1], key[3]) for key in expected} == {
        (v, p) for v in (CANARY, PREDECESSOR) for p in ("lamp", "bulb", "chair")
    }


def test_classes_are_those_of_the_champions_training_and_new_where_it_knew_none(pairs):
    classes = pairs.drop_duplicates(["product_id", "demand_class"])[["product_id", "demand_class"]]
    assert sorted(map(tuple, classes.to_numpy())) == [("bulb", "intermittent"), ("chair", "new"), ("lamp", "smooth")]


def test_a_day_that_ended_sold_out_is_left_out(shop, pairs):
    sold_out = shop.demand.loc[~shop.demand["is_in_stock"], "date"]
    bulb = pairs.loc[pairs["product_id"] == "bulb", "date"]
    assert pairs["date"].isin(sold_out).any()
    assert not bulb.isin(sold_out).any()


def test_the_gate_reads_them(pairs):
    own = pairs.loc[pairs["challenger_version"] == PREDECESSOR, list(PAIR_COLUMNS)]
    costs = dict.fromkeys((CHAMPION_ALIAS, CHALLENGER_ALIAS), Costs(1.0, 1.0))
    verdict = judge(own, costs, Looks(), ROLLBACK, seed=1)
    assert verdict.gain == pytest.approx(1 - own["challenger_loss"].sum() / own["champion_loss"].sum())
    assert verdict.days == len({day for origin in ORIGINS for day in range(origin, origin + HORIZON)})


def test_forecasts_whose_interval_was_dropped_count_for_the_loss_and_not_for_the_intervals(shop, pairs):
    with shop.warehouse.writing() as connection:
        connection.execute("update ops.published_forecasts set p05_units = null, p95_units = null")
    shop.run(only=[assets.paired_losses])
    closed = shop.read("select * from ops.paired_losses order by all")
    of_canary = closed["challenger_version"] == CANARY
    pd.testing.assert_frame_equal(closed.filter(like="loss"), pairs.filter(like="loss"))
    assert (closed.loc[of_canary, ["forecasts", "champion_inside", "challenger_inside"]] == 0).all(axis=None)
    both_shadow = ~of_canary & (closed["product_id"] == "lamp")
    assert closed.loc[both_shadow, "forecasts"].equals(pairs.loc[both_shadow, "forecasts"])


def test_days_of_a_feed_that_had_stopped_are_left_out(shop, pairs):
    stopped = pairs["date"].drop_duplicates().sort_values().iloc[3:6]
    row = {"scope": "channel", "product_id": "all", "channel": "shop", "kind": "data_fault", "is_drifted": True}
    known = [
        {**row, "change_date": stopped.min(), "report_date": stopped.max()},
        {**row, "change_date": pairs["date"].min(), "report_date": pairs["date"].max(), "is_drifted": False},
    ]
    types = sql_types(ProductDrift)
    shop.warehouse.replace_table("ops.product_drift", pd.DataFrame(known).reindex(columns=list(types)), types)
    shop.run(only=[assets.paired_losses])
    found = shop.read("select * from ops.paired_losses order by all")
    left_out = pairs["date"].isin(stopped) & (pairs["product_id"] != "lamp")  # the lamp is sold in the market too
    keys = ["challenger_version", "date", "product_id"]
    assert set(map(tuple, found[keys].to_numpy())) == set(map(tuple, pairs.loc[~left_out, keys].to_numpy()))
    lamp = [table[(table["product_id"] == "lamp") & table["date"].isin(stopped)] for table in (found, pairs)]
    assert 0 < lamp[0]["units"].sum() < lamp[1]["units"].sum()


def test_a_champion_alone_is_compared_with_nothing(tmp_path):
    shop = Shop(tmp_path)
    shop.publish()
    assert shop.read("select * from ops.paired_losses").empty
