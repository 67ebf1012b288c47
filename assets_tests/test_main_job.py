"""The main job from end to end: `storecast run` as a process of its own on a small shop with hostile product ids."""

import csv
import hashlib
import json
import re
import signal
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks import same_rows
from storecast.automation import JOBS
from storecast.last_run import LAST_RUN
from storecast.run import STAGE_TITLES
from storecast.simulation.catalogue import HOSTILE_PRODUCT_IDS

pytestmark = pytest.mark.slow

HORIZON = 28
FIRST_ORIGIN, NEXT_ORIGIN = pd.Timestamp("2026-03-30"), pd.Timestamp("2026-04-06")
LEVELS = ["product_channel", "product", "category", "channel", "total"]
QUANTILES = [f"p{share:02d}_units" for share in (5, 10, 25, 50, 75, 90, 95)]
COLUMN_OF_KIND = {
    "currency_usd": "currency",
    "date_1970": "ordered_at",
    "date_2099": "ordered_at",
    "date_unparseable": "ordered_at",
    "price_list_zero": "unit_price",
    "price_negative": "unit_price",
    "quantity_empty": "quantity",
    "quantity_text": "quantity",
    "quantity_zero": "quantity",
    "sku_missing": "product_id",
}
KILLED_AFTER = {
    "bronze.order_lines": 0.0,
    "ops.quarantine": 5.0,  # dbt builds
    "selection": 1.5,  # MLflow logs and registers
    "gold.demand_forecasts": 0.1,
    "ops.drift": 0.2,  # the copy is made
}
"""A line of progress, and how many seconds after it the run is killed."""


def entity_of(path: str) -> str:
    """Return the entity that a file of the shop holds, apart from the orders' headers."""
    folder, _, name = path.rpartition("/")
    return {"orders": "order_lines", "marketplaces": "order_lines", "inventory": "inventory_levels"}.get(
        folder, folder or Path(name).stem
    )


def counted(file: Path) -> int:
    """Count a file's rows without the pipeline's readers; for orders the lines within them."""
    if file.suffix == ".parquet":
        return pq.read_metadata(file).num_rows
    with file.open(encoding="utf-8", newline="") as opened:
        if file.suffix == ".jsonl":
            return sum(len(json.loads(order)["lines"]) for order in opened)
        return sum(1 for _ in csv.reader(opened)) - 1


def order_of_line(file: Path) -> list[int]:
    """Return for each order line of a JSON lines file the number of its order, both from 1 (index 0 is unused)."""
    with file.open(encoding="utf-8") as orders:
        return [0, *(number for number, order in enumerate(orders, 1) for _ in json.loads(order)["lines"])]


def fingerprints(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def runs_of(shop) -> list[str]:
    """Return the Dagster runs of a data folder, as the UI lists them."""
    with dg.DagsterInstance.from_config(str(shop.settings().dagster_home)) as instance:
        return [f"{run.job_name}: {run.status.value}" for run in instance.get_runs()]


def differences(shop, other) -> list[str]:
    """Return the published tables of two folders that are not equal row for row."""
    return same_rows.differences(*(one.settings().published_path for one in (shop, other)))


def assert_demand_is_what_was_sold(shop) -> None:
    truth = pd.read_parquet(shop.truth / "demand.parquet").astype({"date": "datetime64[us]"})
    ours = shop.published("select product_id, channel, date, units from gold.daily_demand")
    both = truth.merge(ours, how="outer", on=["product_id", "channel", "date"])
    assert both["sold_units"].notna().all(), "demand on a day when nothing was on offer"
    assert (both["units"].fillna(0) == both["sold_units"]).all()
    assert ours["units"].sum() == truth["sold_units"].sum() > 0


def test_a_run_shows_its_progress_and_sums_up(small_shop):
    log = small_shop.log
    places = [log.index(title) for title in STAGE_TITLES.values()]
    assert places == sorted(places)
    for table in ("ops.landed_files", "bronze.order_lines", "dbt", "ops.registered_models", "published.storecast"):
        assert re.search(rf"✓ {re.escape(table)} +\d+\.\d s", log), table
    totals = small_shop.published(
        "select sum(rows_in) as a, sum(rows_silver) as b, sum(rows_quarantined) as c, sum(rows_duplicate) as d "
        "from ops.reconciliation"
    ).iloc[0]
    assert (
        f"Rows in {totals.a:,.0f}: kept {totals.b:,.0f}, quarantined {totals.c:,.0f}, duplicates {totals.d:,.0f}."
        in log
    )
    assert "Forecast 16 products in 31 series, 2026-03-31 to 2026-04-27; " in log
    assert "Models: champion is version 1, trained to 2026-03-30." in log
    assert "Accuracy on 2 origins that had no part in any choice, 2026-02-03 to 2026-03-30:" in log
    assert re.findall(r"^  (\w+) +[\d.]+% +[\d.]+% +-?[\d.]+% +-?[\d.]+% +[\d.]+%$", log, re.MULTILINE) == LEVELS
    assert f"query {small_shop.settings().published_path} read-only with DuckDB" in log
    assert "Training: no training was finished yet." in log
    assert "Traceback" not in log
    assert "Warning" not in log
    assert runs_of(small_shop) == [f"{stage}: SUCCESS" for stage in reversed(JOBS)]


def test_all_that_a_run_writes_lies_below_its_data_folder(small_shop):
    assert list(small_shop.elsewhere.iterdir()) == []


def test_every_row_of_every_file_is_kept_or_in_quarantine_or_a_duplicate(small_shop):
    files = {str(file.relative_to(small_shop.source)): file for file in small_shop.source.rglob("*.*")}
    expected = {(entity_of(path), path): counted(file) for path, file in files.items()}
    headers = {("orders", path): order_of_line(file)[-1] for path, file in files.items() if file.suffix == ".jsonl"}
    accounts = small_shop.published(
        "select entity, path, rows_in, rows_silver + rows_quarantined + rows_duplicate as rows_out, is_balanced "
        "from ops.reconciliation join (select distinct file_sha256, path from ops.landed_files) using (file_sha256)"
    )
    assert {(row.entity, row.path): row.rows_in for row in accounts.itertuples()} == expected | headers
    assert accounts["is_balanced"].all()
    assert (accounts["rows_in"] == accounts["rows_out"]).all()


def test_exactly_the_dirty_rows_are_in_quarantine_with_a_reason_that_names_the_column(small_shop):
    dirty = pd.read_parquet(small_shop.truth / "dirty_rows.parquet").query("expected == 'quarantine'")
    expected = {(entity_of(row.file), row.file, row.row_number): COLUMN_OF_KIND[row.kind] for row in dirty.itertuples()}
    orders = {file: order_of_line(small_shop.source / file) for file in dirty["file"] if file.endswith(".jsonl")}
    expected |= {  # an order's moment is on its header too
        ("orders", row.file, orders[row.file][row.row_number]): "ordered_at"
        for row in dirty.itertuples()
        if row.file in orders and row.kind.startswith("date_")
    }
    found = small_shop.published(
        "select entity, path, row_number, reasons, raw from ops.quarantine "
        "join (select distinct file_sha256, path from ops.landed_files) using (file_sha256)"
    )
    reasons = {(row.entity, row.path, row.row_number): row.reasons.split(":")[0] for row in found.itertuples()}
    assert reasons == expected
    assert set(dirty["kind"]) == set(COLUMN_OF_KIND)
    assert found["raw"].map(json.loads).map(bool).all()


def test_exactly_the_repeated_rows_are_duplicates_of_the_rows_that_they_repeat(small_shop):
    dirty = pd.read_parquet(small_shop.truth / "dirty_rows.parquet").query("expected == 'duplicate'")
    found = small_shop.published(
        "select path, row_number, kept_row_number from ops.duplicates "
        "join (select distinct file_sha256, path from ops.landed_files) using (file_sha256) "
        "where file_sha256 = kept_file_sha256"
    )
    assert sorted(found.itertuples(index=False, name=None)) == sorted(
        dirty[["file", "row_number", "kept_row_number"]]
        .astype({"kept_row_number": int})
        .itertuples(index=False, name=None)
    )
    assert len(found) == len(small_shop.published("select * from ops.duplicates")) > 0


def test_demand_is_what_was_sold_by_product_channel_and_day(small_shop):
    assert_demand_is_what_was_sold(small_shop)


def test_every_product_has_a_forecast_for_28_days_that_makes_sense(small_shop):
    forecasts = small_shop.published("select * from gold.demand_forecasts")
    sold = pd.read_parquet(small_shop.truth / "demand.parquet").query("sold_units > 0")
    series = set(sold[["product_id", "channel"]].itertuples(index=False, name=None))
    days = forecasts.groupby(["product_id", "channel"])["date"].agg(["min", "max", "nunique", "size"])
    assert set(days.index) == series
    assert (
        days == [FIRST_ORIGIN + pd.Timedelta(days=1), FIRST_ORIGIN + pd.Timedelta(days=HORIZON), HORIZON, HORIZON]
    ).all(axis=None)
    assert (forecasts["origin_date"] == FIRST_ORIGIN).all()
    assert ((forecasts["date"] - FIRST_ORIGIN).dt.days == forecasts["horizon_day"]).all()
    numbers = forecasts[["mean_units", *QUANTILES]].to_numpy()
    assert np.isfinite(numbers).all()
    assert (numbers >= 0).all()
    assert all((forecasts[low] <= forecasts[high]).all() for low, high in pairwise(QUANTILES))
    revenue = small_shop.published("select * from gold.revenue_forecasts")
    assert len(revenue) == len(forecasts)
    assert forecasts["model_version"].unique().tolist() == ["1"]


def test_every_hostile_product_id_is_itself_from_the_source_to_mlflow(small_shop):
    hostile = set(HOSTILE_PRODUCT_IDS)
    tables = {
        name: set(small_shop.published(f"select distinct product_id from {name}")["product_id"])
        for name in ("silver.products", "gold.demand_forecasts", "gold.revenue_forecasts", "ops.product_partitions")
    }
    listed = set(pd.read_csv(small_shop.source / "products.csv", dtype=str)["sku"])
    assert hostile < listed
    assert set(map(frozenset, tables.values())) == {frozenset(listed)}
    artifacts = list((small_shop.data_dir / "mlflow" / "artifacts").rglob("*.parquet"))
    for name in ("champions", "model_scores"):
        [path] = [path for path in artifacts if path.stem == name]
        assert set(pd.read_parquet(path)["product_id"]) == listed, name
    partitions = small_shop.published("select product_id, partition_key from ops.product_partitions")
    with dg.DagsterInstance.from_config(str(small_shop.settings().dagster_home)) as instance:
        assert Counter(instance.get_dynamic_partitions("product")) == Counter(partitions["partition_key"])
    forecasts = small_shop.published("select distinct product_id, partition_key from gold.demand_forecasts")
    pairs = [set(frame.itertuples(index=False, name=None)) for frame in (partitions, forecasts)]
    assert pairs[0] == pairs[1]


def test_no_file_is_called_after_a_product(small_shop):
    telling = {product_id for product_id in HOSTILE_PRODUCT_IDS if not product_id.isdigit()}
    names = {path.relative_to(small_shop.data_dir).as_posix() for path in small_shop.data_dir.rglob("*")}
    for product_id in telling:
        for spelled in (product_id, quote(product_id, safe=""), product_id[:100]):
            assert [name for name in names if spelled in name] == []
    parts = {unquote(part) for name in names for part in (*Path(name).parts, Path(name).stem)}
    assert parts & set(HOSTILE_PRODUCT_IDS) == set()


def test_a_second_run_does_nothing_for_nothing_is_new(small_shop):
    runs, before = runs_of(small_shop), fingerprints(small_shop.data_dir)
    again = small_shop.run()
    assert (again.returncode, again.stderr) == (0, "")
    first, second, *_ = again.stdout.splitlines()
    assert first == "Looking for what is new …"
    assert second.startswith(f"Nothing is new in {small_shop.source}: ")
    assert [title for title in STAGE_TITLES.values() if title in again.stdout] == []
    assert small_shop.log[small_shop.log.index("Rows in") :].split("Done in")[0] in again.stdout
    assert runs_of(small_shop) == runs
    changed = {name for name, content in fingerprints(small_shop.data_dir).items() if before.get(name) != content}
    assert {name for name in changed if not name.startswith("dagster/")} == set()


def test_a_run_that_is_forced_publishes_the_very_same(small_shop, tmp_path):
    shop = small_shop.copy(tmp_path / "shop")
    (shop.data_dir / LAST_RUN).unlink()
    original = fingerprints(small_shop.data_dir)
    again = shop.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert differences(shop, small_shop) == []
    pointers = [one.settings().published_path.readlink() for one in (shop, small_shop)]
    assert pointers[0] == pointers[1]
    assert fingerprints(small_shop.data_dir) == original, "a copy of a data folder wrote into the original"


@pytest.mark.timeout(1800)  # six runs, five of which do not end
def test_a_run_killed_again_and_again_ends_with_what_an_undisturbed_run_gives(small_shop, tmp_path):
    shop = type(small_shop)(tmp_path / "shop")
    shop.write(days=210)
    shop.elsewhere.mkdir()
    for line, pause_seconds in KILLED_AFTER.items():
        kill_after(shop, line, pause_seconds)
    last = shop.run()
    assert last.returncode == 0, last.stdout + last.stderr
    assert differences(shop, small_shop) == []
    statuses = Counter(status.split(": ")[1] for status in runs_of(shop))
    assert set(statuses) == {"SUCCESS", "FAILURE"}, "a killed run is told as failed, not as running for ever"
    assert statuses["FAILURE"] == len(KILLED_AFTER)


def kill_after(shop, line: str, pause_seconds: float) -> None:
    """Start the run, wait for a line of its progress, and kill it a moment later without any warning."""
    with subprocess.Popen(
        shop.command(),
        cwd=shop.elsewhere,
        env=shop.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        seen = []
        for printed in process.stdout:
            seen.append(printed)
            if line in printed:
                break
        try:
            process.wait(pause_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode == -signal.SIGKILL, f"ended before it was killed after {line!r}:\n{''.join(seen)}"


def test_new_days_load_the_changed_files_only_and_keep_the_former_forecasts(small_shop, tmp_path):
    shop = small_shop.copy(tmp_path / "shop")
    former_files = fingerprints(shop.source)
    former = shop.published("select * from gold.demand_forecasts order by all")
    began = shop.published("select max(loaded_at) as at from ops.loads")["at"].item()
    shop.write(days=217)
    done = shop.run()
    assert done.returncode == 0, done.stdout + done.stderr

    changed = {path for path, content in fingerprints(shop.source).items() if former_files.get(path) != content}
    assert 0 < len(changed) < len(former_files) / 2
    loaded = shop.published(
        "select distinct path from ops.loads join ops.landed_files using (feed, file_sha256) where loaded_at > ?",
        [began],
    )
    assert set(loaded["path"]) == changed
    assert_demand_is_what_was_sold(shop)

    forecasts = shop.published("select * from gold.demand_forecasts order by all")
    assert forecasts["origin_date"].unique().tolist() == [FIRST_ORIGIN, NEXT_ORIGIN]
    kept = forecasts[forecasts["origin_date"] == FIRST_ORIGIN].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, former)
    new = forecasts[forecasts["origin_date"] == NEXT_ORIGIN]
    series = shop.published("select distinct product_id, channel from gold.daily_demand")
    assert len(new) == len(series) * HORIZON
    assert new["date"].agg(["min", "max"]).tolist() == [NEXT_ORIGIN + pd.Timedelta(days=day) for day in (1, HORIZON)]
    models = shop.published("select model_version, alias from ops.registered_models order by all")
    assert models["alias"].tolist() == ["champion"]
    assert set(new["model_version"]) == {"1"}
    assert "No training: the newest training is 7 days of data old, fewer than 28." in done.stdout
    assert STAGE_TITLES["train"] not in done.stdout
    assert_the_former_forecasts_are_kept_and_scored(shop, former)
    assert "Published forecasts against the sales since, 2026-03-31 to 2026-04-06, from 1 origin(s):" in done.stdout


def assert_the_former_forecasts_are_kept_and_scored(shop, former: pd.DataFrame) -> None:
    """Check the second run's scores of the first run's forecasts against the shop's truth."""
    kept = shop.published("select * from ops.published_forecasts order by origin_date, product_id, channel, date")
    assert (kept["edition"] == 1).all()
    columns = [name for name in former if name in kept]
    first = kept.loc[kept["origin_date"] == FIRST_ORIGIN, columns].reset_index(drop=True)
    expected = former.sort_values(["product_id", "channel", "date"], ignore_index=True)[columns]
    pd.testing.assert_frame_equal(first, expected, check_exact=True)

    truth = pd.read_parquet(shop.truth / "demand.parquet").astype({"date": "datetime64[us]"})
    in_stock = shop.published("select product_id, channel, date from gold.daily_demand where is_in_stock")
    keys = ["product_id", "channel", "date"]
    week = former.merge(truth.merge(in_stock, on=keys), on=keys)
    assert 0 < len(week) <= 7 * former[["product_id", "channel"]].drop_duplicates().shape[0]
    missed = week["mean_units"] - week["sold_units"]
    scores = shop.published("select * from gold.forecast_accuracy where split = 'live' and horizon = 'week 1'")
    scores = scores[scores["demand_class"] == "all"].set_index("level")
    assert set(scores.index) == {*LEVELS, "seller"}
    sold = week["sold_units"].sum()
    assert scores["units"].to_numpy() == pytest.approx(sold)
    assert scores["bias"].to_numpy() == pytest.approx(missed.sum() / sold)
    assert scores.loc["product_channel", "wape"] == pytest.approx(missed.abs().sum() / sold)
    total = week.assign(missed=missed).groupby("date")["missed"].sum().abs().sum() / sold
    assert scores.loc["total", "wape"] == pytest.approx(total)
    assert scores[["pinball", "coverage_90", "rmsse", "mase"]].notna().all(axis=None)
    assert scores["edition"].eq(1).all()
    signals = shop.published("select * from ops.tracking_signals")
    assert set(signals["level"]) == {*LEVELS, "seller"}
    assert not signals["is_biased"].any(), "one origin says nothing"
