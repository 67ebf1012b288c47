"""The shop's files as a whole: same bytes, stable past, and the truth they hold."""

import datetime as dt
import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from storecast.simulation.catalogue import HOSTILE_PRODUCT_IDS
from storecast.simulation.shop import write_demo_shop


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _write(folder: Path, days: int = 120, extra_days: int = 0, seed: int = 3) -> Path:
    end_date = dt.date(2025, 3, 12) + dt.timedelta(extra_days)
    write_demo_shop(
        folder / "source", folder / "truth", products=14, days=days + extra_days, end_date=end_date, seed=seed
    )
    return folder


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = _hashes(_write(tmp_path / "a")), _hashes(_write(tmp_path / "b"))
    assert first == second
    assert len(first) > 30
    assert not [name for name in first if name.endswith(".partial")]


def test_another_seed_gives_another_shop(tmp_path: Path) -> None:
    first, second = _hashes(_write(tmp_path / "a")), _hashes(_write(tmp_path / "b", seed=4))
    # The sellers are constants, and what the ads can do is a truth about campaigns, not about chance.
    assert {name for name, value in first.items() if second.get(name) == value} == {
        "source/sellers.csv",
        "truth/ad_response.parquet",
    }


@pytest.mark.parametrize("extra_days", [1, 9, 40])
def test_new_days_leave_the_past_alone(tmp_path: Path, extra_days: int) -> None:
    before, after = _write(tmp_path / "a") / "source", _write(tmp_path / "b", extra_days=extra_days) / "source"
    old, new = _hashes(before), _hashes(after)
    for name in old:
        is_monthly = re.search(r"-\d{4}-\d{2}\.", name) is not None
        if is_monthly and "2025-03" not in name:
            assert old[name] == new[name], name
        elif is_monthly and not name.endswith(".parquet"):
            assert (after / name).read_bytes().startswith((before / name).read_bytes()), name


def test_new_days_only_add_rows_to_the_files_that_are_not_monthly(tmp_path: Path) -> None:
    before, after = _write(tmp_path / "a") / "source", _write(tmp_path / "b", extra_days=40) / "source"
    for name in ("prices.csv", "promotions.csv", "customers.csv", "products.csv"):
        old, new = (pd.read_csv(folder / name, dtype=str, keep_default_na=False) for folder in (before, after))
        keys = [column for column in old if column != "discontinued"]
        assert len(old.merge(new.drop_duplicates(keys), on=keys)) == len(old), name
    for name in ("ad_spend.parquet", "sessions/sessions-2025-03.parquet"):
        old, new = (pd.read_parquet(folder / name) for folder in (before, after))
        pd.testing.assert_frame_equal(old, new.head(len(old)))


def test_new_days_leave_the_truth_about_the_past_alone(tmp_path: Path) -> None:
    before, after = _write(tmp_path / "a") / "truth", _write(tmp_path / "b", extra_days=40) / "truth"
    old, new = (pd.read_parquet(folder / "demand.parquet") for folder in (before, after))
    pd.testing.assert_frame_equal(old, new.head(len(old)))


def test_clean_order_rows_sum_to_the_units_sold(shop) -> None:
    rows = shop.clean_order_rows()
    keys = ["product_id", "channel", "date"]
    exported = rows[~rows["is_cancelled"]].rename(columns={"sku": "product_id"}).groupby(keys)["quantity"].sum()
    demand = shop.table("demand")
    sold = demand[demand["sold_units"] > 0].set_index(keys)["sold_units"].sort_index()
    pd.testing.assert_series_equal(exported, sold, check_names=False, check_dtype=False)
    assert set(HOSTILE_PRODUCT_IDS) <= set(rows["sku"])


def test_cancelled_orders_come_on_top_of_the_units_sold(shop) -> None:
    rows = shop.clean_order_rows()
    share = rows.loc[rows["is_cancelled"], "quantity"].sum() / rows["quantity"].sum()
    assert 0.01 < share < 0.04


def test_order_lines_have_a_key_of_their_own(shop) -> None:
    rows = shop.clean_order_rows()
    assert not rows.duplicated(["channel", "order_id", "line"]).any()
    assert rows.groupby(["channel", "order_id"])["customer"].nunique().max() == 1
    assert (rows["line"] != "1").mean() > 0.1, "no order has several lines"


def test_buyers_pay_the_list_price_less_the_promotion(shop) -> None:
    prices, promotions = shop.csv("prices.csv"), shop.csv("promotions.csv")
    prices = prices[prices["price"].astype(float) > 0]
    rows = shop.clean_order_rows().sample(400, random_state=1)
    for row in rows.itertuples():
        own = prices[(prices["sku"] == row.sku) & prices["channel"].isin(["", row.channel])]
        listed = float(own[own["valid_from"] <= str(row.date)].sort_values("valid_from")["price"].iloc[-1])
        here = promotions[(promotions["sku"] == row.sku) & promotions["channel"].isin(["", row.channel])]
        here = here[(here["start"] <= str(row.date)) & (here["end"] >= str(row.date))]
        discount = float(here["discount"].iloc[0]) if len(here) else 0.0
        assert row.price == pytest.approx(listed * (1 - discount), abs=0.00501)


def test_promotions_of_a_product_never_overlap(shop) -> None:
    promotions = shop.csv("promotions.csv").sort_values(["sku", "start"])
    same = promotions["sku"].eq(promotions["sku"].shift())
    assert len(promotions) > 20
    assert not (same & (promotions["start"] <= promotions["end"].shift())).any()


def test_returns_name_a_line_that_was_sold_a_week_before(shop) -> None:
    returns = pd.concat([shop.csv(f"orders/{path.name}") for path in (shop.source / "orders").glob("returns-*")])
    rows = shop.clean_order_rows().rename(columns={"quantity": "sold", "customer": "buyer"})
    joined = returns.merge(rows, on=["channel", "order_id", "line", "sku"], validate="one_to_one")
    assert len(joined) == len(returns) == len(shop.table("returns")) > 50
    assert (joined["qty"].astype(int) <= joined["sold"]).all()
    assert (joined["customer_id"] == joined["buyer"]).all()
    assert not joined["is_cancelled"].any()
    back = pd.to_datetime(joined["returned_at"]).dt.tz_convert("Europe/Berlin").dt.date
    late = pd.to_datetime(back) - pd.to_datetime(joined["date"])
    assert late.min() >= pd.Timedelta(days=8)
    assert back.max() <= shop.summary.end_date


def test_plans_reach_past_the_last_order_day(shop) -> None:
    assert shop.csv("promotions.csv")["start"].max() > str(shop.summary.end_date + dt.timedelta(45))
    assert shop.csv("prices.csv")["valid_from"].max() > str(shop.summary.end_date)


def test_the_summary_counts_what_is_in_the_files(shop) -> None:
    assert shop.summary.order_lines == len(shop.order_rows())
    assert shop.summary.products == len(shop.csv("products.csv"))
    assert shop.summary.dirty_rows == len(shop.table("dirty_rows"))
    events = sum(len(pd.read_parquet(path)) for path in (shop.source / "sessions").iterdir())
    assert shop.summary.session_events == events


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"days": 0}, "days is 0: give at least 1"),
        ({"seed": -1}, "seed is -1: give at least 0"),
        ({"products": 5, "hostile_ids": True}, "products is 5: give at least 13"),
    ],
)
def test_numbers_that_are_too_small_are_refused_by_name(tmp_path: Path, wrong: dict[str, int], message: str) -> None:
    arguments = {"products": 12, "days": 60, "seed": 1, **wrong}
    with pytest.raises(ValueError, match=message):
        write_demo_shop(tmp_path, tmp_path, end_date=dt.date(2025, 1, 1), **arguments)


def test_a_shop_of_one_product_and_one_day_can_be_written(tmp_path: Path) -> None:
    summary = write_demo_shop(
        tmp_path / "source", tmp_path / "truth", products=1, days=1, end_date=dt.date(2024, 2, 29), seed=1
    )
    assert summary.start_date == summary.end_date == dt.date(2024, 2, 29)


@pytest.mark.slow
def test_the_full_shop_has_the_promised_size(tmp_path: Path) -> None:
    summary = write_demo_shop(tmp_path / "source", tmp_path / "truth", end_date=dt.date(2025, 6, 17), seed=7)
    assert 200_000 <= summary.order_lines <= 300_000
    assert 250_000 <= summary.session_events <= 350_000
