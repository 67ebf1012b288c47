"""Small exports of the shapes that shops have, each against what was truly sold; the numbers stand in their TRUTH.md.

An export is read right, or refused with a reason that names the file: never anything else.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.exports.playing import Played, read, refresh
from storecast.run import shop_settings
from storecast.shop import StageError
from storecast.warehouse import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FIRST, LAST, NEXT = "2026-09-30", "2026-11-28", "2026-11-29"
SOLD = "select channel, product_id, sum(units) as units from silver.sold_days group by all order by all"


@dataclass
class Case:
    """A copy of a case: its files, its mapping, and a data folder of its own."""

    folder: Path
    data_dir: Path
    parsed: Path

    @property
    def mapping(self) -> Path:
        return self.folder / "shop.toml"

    def rewrite(self, old: str, new: str) -> None:
        """Change the mapping where the right answer needs a way to say something."""
        text = self.mapping.read_text(encoding="utf-8")
        assert old in text
        self.mapping.write_text(text.replace(old, new, 1), encoding="utf-8")

    def without_feed(self, name: str) -> None:
        """Take a feed out of the mapping."""
        head, *feeds = self.mapping.read_text(encoding="utf-8").split("[[feeds]]")
        kept = [feed for feed in feeds if f'name = "{name}"' not in feed]
        assert len(kept) == len(feeds) - 1
        self.mapping.write_text("[[feeds]]".join([head, *kept]), encoding="utf-8")

    def refresh(self) -> Played:
        """Bring the files to gold as `storecast run` does, and return what came of them."""
        settings = shop_settings({"data_dir": self.data_dir, "source": "files", "source_config": self.mapping}, print)
        known = self.parsed / settings.country
        if known.exists() and not settings.dbt_dir.exists():
            shutil.copytree(known, settings.dbt_dir)
        refresh(settings)
        for made in settings.dbt_dir.glob("parsed-*"):
            shutil.copytree(made, known / made.name, dirs_exist_ok=True)
        return read(Warehouse(settings.warehouse_path))

    def query(self, sql: str) -> pd.DataFrame:
        return Warehouse(self.data_dir / "warehouse.duckdb").read(sql)

    def refresh_or_refusal(self) -> Played | str:
        """The same, or why the run stopped."""
        try:
            return self.refresh()
        except (StageError, ValueError) as error:
            return str(error)


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where dbt's parsed project is kept for the next case."""
    return tmp_path_factory.mktemp("parsed")


@pytest.fixture
def open_case(tmp_path: Path, parsed: Path) -> Callable[[str], Case]:
    """Copies a case by its name; skipped where there are none."""
    default = Path(__file__).parents[3] / "shared" / "cases"
    cases = Path(os.environ.get("STORECAST_TEST_CASES", default))
    if not cases.is_dir():
        pytest.skip(f"cases not here: set STORECAST_TEST_CASES (looked in {cases})")

    def copied(name: str) -> Case:
        folder = tmp_path / name
        for path in sorted((cases / name).rglob("*")):  # not the modes, which may forbid writing
            if path.is_file():
                target = folder / path.relative_to(cases / name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
        return Case(folder, tmp_path / "data", parsed)

    return copied


def units(played: Played) -> float:
    return float(played.sales["sold_units"].sum())


def gross(played: Played) -> float:
    return round(float(played.sales["gross_revenue"].sum()), 2)


def net(played: Played) -> float:
    return round(float(played.sales["net_revenue"].sum()), 2)


def by_channel(played: Played) -> dict[str, tuple[float, float, str, str]]:
    """Units, revenue, first and last day of sale, of each channel."""
    sold = played.sales[played.sales["sold_units"] > 0]
    return {
        str(channel): (
            round(float(rows["sold_units"].sum()), 6),
            round(float(rows["gross_revenue"].sum()), 2),
            f"{rows['date'].min():%Y-%m-%d}",
            f"{rows['date'].max():%Y-%m-%d}",
        )
        for channel, rows in sold.groupby("channel")
    }


def assert_units_or_refusal(found: Played | str, expected: float, file: str) -> None:
    """Rows that cannot be told apart are added up, or the run stops and names the file."""
    if isinstance(found, str):
        assert file in found
        assert "row" in found
    else:
        assert units(found) == expected


def test_the_state_on_an_order_s_first_row_voids_all_its_lines(open_case):
    found = open_case("shopify-blank-status").refresh()
    assert units(found) == 1131
    assert found.quarantine.empty


def test_the_newest_state_of_a_marketplace_s_order_replaces_the_older_ones(open_case):
    found = open_case("marketplace-overlapping-reports").refresh()
    assert (units(found), gross(found)) == (434, 2170)
    assert found.quarantine.empty


def test_hours_of_a_day_are_added_up(open_case):
    assert_units_or_refusal(open_case("hourly-sales").refresh_or_refusal(), 3528, "hourly.csv")


def test_stores_of_one_channel_are_added_up(open_case):
    assert_units_or_refusal(open_case("several-stores-one-channel").refresh_or_refusal(), 21432, "train.csv")


def test_a_state_of_return_lowers_revenue_and_not_demand(open_case):
    found = open_case("refunded-orders").refresh()
    assert (units(found), gross(found), net(found)) == (377 + 91, 9360, 7540)


def test_a_price_column_may_hold_the_line_s_total(open_case):
    case = open_case("line-total-prices")
    case.rewrite('delimiter = "\\t"', 'delimiter = "\\t"\nprice_is = "line_total"')
    found = case.refresh()
    assert (units(found), gross(found)) == (600, 3000)


def test_a_half_is_no_five_hundred_beside_prices_with_a_comma(open_case):
    assert units(open_case("goods-by-weight").refresh()) == 60


def test_a_file_that_is_written_over_is_its_newest_version(open_case):
    case = open_case("corrected-export")
    assert units(case.refresh()) == 820
    (case.folder / "v2" / "orders-2026.csv").replace(case.folder / "orders-2026.csv")
    found = case.refresh()
    assert (units(found), gross(found)) == (676, 6598)
    assert case.query("select count(*) as rows from ops.withdrawn_rows")["rows"].item() > 0


def test_a_file_that_does_not_fit_and_is_taken_away_keeps_nothing_from_working(open_case):
    case = open_case("file-taken-away")
    first = case.refresh_or_refusal()
    assert "notes.csv" in (first if isinstance(first, str) else first.said)
    (case.folder / "notes.csv").unlink()
    assert units(case.refresh()) == 240


def test_whole_numbers_in_a_column_of_doubles_are_the_same_ids_as_text(open_case):
    case = open_case("ids-as-floats")
    found = case.refresh()
    assert units(found) == 119 * 4
    assert set(found.sales["product_id"]) == {"4711"}
    assert len(found.quarantine) == 1
    categories = case.query("select product_id, category from silver.products")
    assert categories.to_numpy().tolist() == [["4711", "tools"]]


def test_a_zone_s_abbreviation_is_that_of_the_shop_s_own_zone(open_case):
    found = open_case("zone-abbreviations").refresh()
    daily = found.sales.groupby("date")["sold_units"].sum()
    assert f"{daily.index.min():%Y-%m-%d}" == "2026-06-01"
    assert {(day.weekday() == 0, float(sold)) for day, sold in daily.items()} == {(True, 5.0), (False, 3.0)}


def test_sums_of_weeks_are_kept(open_case):
    case = open_case("weekly-totals")
    rows = pd.read_csv(case.folder / "weekly.csv")
    assert units(case.refresh()) == rows["sold"].sum()


def test_each_of_five_slips_is_said(open_case):
    case = open_case("five-slips")
    case.rewrite('country = "DE"', 'country = "DE"\nnon_products = ["SHIPPING"]')
    found = case.refresh()
    sold = case.query(SOLD)
    assert set(sold["channel"]) == {"web"}
    assert "markt-*.csv" in found.said
    totals = dict(zip(sold["product_id"], sold["units"], strict=True))
    if totals == {"TEE-RED": 180, "CAP": 270}:
        assert "web-09.CSV" in found.said
    else:
        assert totals == {"TEE-RED": 240, "CAP": 360}
    old = case.query("select raw, reasons from ops.quarantine")
    assert ["2006" in raw and "2006" in reasons for raw, reasons in old.to_numpy().tolist()] == [True]


def test_one_product_is_one_in_every_format(open_case):
    case = open_case("one-product-many-formats")
    found = case.refresh_or_refusal()
    for feed, file in (("k_same_header", "k.csv"), ("f_json_first", "f.jsonl")):
        if isinstance(found, str):  # two columns of one name, and the first of two items: both may be refused
            assert file in found
            case.without_feed(feed)
            shutil.rmtree(case.data_dir)
            found = case.refresh_or_refusal()
    assert not isinstance(found, str), found
    sold = case.query(SOLD)
    single = ("a_csv", "b_xlsx_padded", "g_newline", "i_twice_same", "j_headers", "k_same_header")
    expected = {channel: {"00420": 120.0} for channel in single}
    expected |= {channel: {"00420": 120.0, "00777": 300.0} for channel in ("f_json_first", "l_json_star")}
    expected["c_xlsx_serial"] = {"1E5": 120.0}  # text in the workbook, and no number
    expected["e_parquet_float"] = {"420": 118.0}  # a double has no zeros in front
    totals = {
        str(channel): dict(zip(rows["product_id"], rows["units"], strict=True))
        for channel, rows in sold.groupby("channel")
    }
    refused = {channel for channel in ("k_same_header", "f_json_first") if channel not in totals}
    assert totals == {channel: sums for channel, sums in expected.items() if channel not in refused}
    assert {1200.0, 2400.0, 1180.0} == {revenue for _, revenue, *_ in by_channel(found).values()}


def test_moments_and_numbers_are_read_as_they_are_meant_or_refused_by_name(open_case):
    case = open_case("moments-and-numbers")
    said = []
    found = case.refresh_or_refusal()
    while isinstance(found, str):
        named = [feed for feed in ("n_dotqty", "p_wrongorder", "u_bst") if f"{feed}.csv" in found]
        assert named, found
        said.append(found)
        for feed in named:
            case.without_feed(feed)
        shutil.rmtree(case.data_dir)
        found = case.refresh_or_refusal()
    told = "\n".join([*said, found.said])
    plain = "a_noseconds_z b_utc_word d_dayfirst e_offset4 g_epoch h_millis o_utf16tab q_excelserial r_bom s_short_year"
    dear = "i_dollar j_euro k_thousand l_nbsp m_swiss"
    expected = {
        **dict.fromkeys([*plain.split(), "t_dst_gap"], (120, 1200, FIRST, LAST)),
        **dict.fromkeys(dear.split(), (120, 155880, FIRST, LAST)),
        **dict.fromkeys(("c_ampm_pst", "f_shopify", "f2_shopify_plain"), (120, 1200, "2026-10-01", NEXT)),
        "v_halfkilo": (30, 300, FIRST, LAST),
    }
    sold = by_channel(found)
    in_london = sold.pop("u_bst", None)
    assert in_london in (None, (120, 1200, FIRST, LAST))
    assert in_london or "BST" in told
    assert sold.pop("n_dotqty", None) in (None, (90, 900, FIRST, LAST))
    assert sold == expected
    assert "p_wrongorder" in told
    assert "60" in told


def test_a_last_day_that_is_not_over_is_no_day_without_sales(open_case):
    case = open_case("last-day-cut")
    case.refresh()
    known = case.query(
        "select date, sum(units) as units from gold.daily_demand where is_recorded group by date order by date"
    )
    assert f"{known['date'].max():%Y-%m-%d}" == "2026-11-27"
    assert set(known["units"]) == {40.0}


def test_days_that_one_channel_did_not_deliver_are_no_days_without_sales(open_case):
    case = open_case("late-channel")
    found = case.refresh()
    days = case.query("select channel, date, is_recorded, sum(units) as units from gold.daily_demand group by all")
    days["date"] = pd.to_datetime(days["date"])
    unknown = days[~days["is_recorded"]]
    market, web = (unknown[unknown["channel"] == channel]["date"] for channel in ("market", "web"))
    assert (str(market.min().date()), str(market.max().date()), len(market)) == ("2026-11-19", "2026-11-28", 10)
    assert (str(web.min().date()), str(web.max().date()), len(web)) == ("2026-09-01", "2026-09-30", 30)
    assert set(days[days["is_recorded"]]["units"]) == {20.0}
    assert "market" in found.said


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [("late-channel", 280, 0.01), ("last-day-cut", 560, 0.01), ("weekly-totals", 280, 0.25)],  # one week, repeated
)
def test_four_weeks_ahead_are_as_many_as_the_days_that_are_known_say(open_case, name, expected, tolerance, monkeypatch):
    from click.testing import CliRunner

    from storecast.cli import main

    case = open_case(name)
    for variable, value in (("MODELS", "seasonal_naive"), ("SELECTION_ORIGINS", "1"), ("EVALUATION_ORIGINS", "1")):
        monkeypatch.setenv(f"STORECAST_{variable}", value)
    arguments = ["run", "--source", "files", "--config", str(case.mapping), "--data-dir", str(case.data_dir)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output[-4000:]
    ahead = case.query(
        "select product_id, channel, sum(mean_units) as units, bool_and(mean_units > p05_units - 0.5) as is_above "
        "from gold.demand_forecasts where horizon_day <= 28 group by all"
    )
    assert ahead["units"].tolist() == pytest.approx([expected] * len(ahead), rel=tolerance)
    assert ahead["is_above"].all(), "quantiles are whole units, the mean is not"
