"""Dirty rows: every one that the truth lists is dirty, and no other is."""

import datetime as dt

import pandas as pd

from storecast.simulation.dirt import KINDS


def _moment(text: str) -> dt.datetime | None:
    for pattern in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%d.%m.%Y %H:%M:%S"):
        try:
            return dt.datetime.strptime(text, pattern)
        except ValueError:
            continue
    return None


def _fault(row: pd.Series) -> str | None:
    moment = _moment(row["moment"])
    faults = {
        "quantity_text": row["quantity"] == "abc",
        "quantity_empty": row["quantity"] == "",
        "quantity_zero": row["quantity"] == "0",
        "price_negative": float(row["price"]) < 0,
        "sku_missing": row["sku"] == "",
        "currency_usd": row["currency"] == "USD",
        "date_unparseable": moment is None,
        "date_2099": moment is not None and moment.year == 2099,
        "date_1970": moment is not None and moment.year == 1970,
    }
    found = [name for name, is_so in faults.items() if is_so]
    assert len(found) <= 1, row
    return found[0] if found else None


def test_the_listed_rows_are_dirty_in_the_listed_way_and_no_others(shop) -> None:
    rows = shop.order_rows()
    rows["fault"] = rows.apply(_fault, axis=1)
    words = [column for column in rows if column not in ("file", "row_number", "fault")]
    rows.loc[rows.duplicated(words, keep="last"), "fault"] = "duplicate_line"
    found = rows.dropna(subset="fault").set_index(["file", "row_number"])["fault"].sort_index()
    listed = shop.table("dirty_rows")
    listed = listed[listed["file"] != "prices.csv"].set_index(["file", "row_number"])["kind"].sort_index()
    pd.testing.assert_series_equal(found, listed, check_names=False)


def test_about_one_order_row_in_a_hundred_is_dirty_and_every_kind_occurs(shop) -> None:
    dirty = shop.table("dirty_rows")
    assert 0.006 < (dirty["file"] != "prices.csv").sum() / len(shop.order_rows()) < 0.014
    assert set(dirty["kind"]) == {kind.name for kind in KINDS} | {"price_list_zero"}
    assert (dirty["expected"] == "duplicate").equals(dirty["kind"] == "duplicate_line")


def test_a_duplicate_names_the_later_row_that_it_repeats(shop) -> None:
    rows = shop.order_rows().set_index(["file", "row_number"])
    duplicates = shop.table("dirty_rows").query("expected == 'duplicate'")
    assert len(duplicates) > 5
    for item in duplicates.itertuples():
        assert item.kept_row_number > item.row_number
        assert rows.loc[(item.file, item.row_number)].equals(rows.loc[(item.file, int(item.kept_row_number))])


def test_prices_of_zero_are_listed_with_their_row(shop) -> None:
    prices = shop.csv("prices.csv")
    zero = [number for number, price in enumerate(prices["price"], start=1) if float(price) == 0]
    dirty = shop.table("dirty_rows")
    assert dirty.loc[dirty["file"] == "prices.csv", "row_number"].tolist() == zero
    assert zero
    assert not prices.duplicated(["sku", "channel", "valid_from"]).any()
