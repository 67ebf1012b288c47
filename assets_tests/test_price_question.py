"""`storecast what-if` as people call it, on the small shop whose product ids are hostile."""

import re
import shutil

import duckdb
import pytest

from storecast.warehouse import Lease

pytestmark = pytest.mark.slow


def test_a_planner_asks_for_a_promotion_and_reads_units_and_revenue(small_shop):
    product = small_shop.published(
        "select product_id from gold.demand_forecasts group by 1 order by sum(mean_units) desc limit 1"
    )["product_id"].item()
    asked = small_shop.run("what-if", "--product", product, "--promotion", "0.3", "--from", "2026-04-02")
    assert asked.returncode == 0, asked.stderr
    days, units, changed = re.search(
        r"On (\d+) days: ([\d.,]+) units become ([\d.,]+), revenue [\d.,]+ becomes [\d.,]+ \([+-][\d.]+%\)\.",
        asked.stdout,
    ).groups()
    assert int(days) == 26  # 2 to 27 April
    assert float(changed.replace(",", "")) >= float(units.replace(",", "")) > 0
    shown = re.findall(r"2026-\d\d-\d\d", asked.stdout)
    assert min(shown) == "2026-04-02"  # only days that change are printed
    assert len(set(shown)) == 26


def test_an_unknown_product_is_an_error_with_one_line_and_no_traceback(small_shop):
    asked = small_shop.run("what-if", "--product", "'; drop table x; --", "--price", "3")
    assert asked.returncode == 1
    assert 'error: product "\'; drop table x; --" has no forecast' in asked.stderr
    assert "Traceback" not in asked.stderr


def test_before_the_first_run_it_says_what_to_do(small_shop, tmp_path):
    asked = small_shop.run("what-if", "--product", "p", "--price", "3", "--data-dir", str(tmp_path / "empty"))
    assert asked.returncode == 1
    assert "run `storecast run` first" in asked.stderr


def test_no_run_in_progress_is_waited_for(small_shop):
    product = small_shop.published("select min(product_id) as product from gold.demand_forecasts")["product"].item()
    with (
        Lease(small_shop.settings().warehouse_path).exclusive(),
        Lease(small_shop.settings().published_path).exclusive(),
    ):
        asked = small_shop.run("what-if", "--product", product, "--price", "3")
    assert asked.returncode == 0, asked.stderr


def test_a_copy_that_an_older_version_published_is_named_with_what_to_do(small_shop, tmp_path):
    product = small_shop.published("select min(product_id) as product from gold.demand_forecasts")["product"].item()
    older = tmp_path / "older" / "published" / "storecast.duckdb"
    older.parent.mkdir(parents=True)
    shutil.copy(small_shop.settings().published_path, older)
    with duckdb.connect(str(older)) as connection:
        connection.execute("drop table ops.price_responses")
    asked = small_shop.run("what-if", "--product", product, "--price", "3", "--data-dir", str(tmp_path / "older"))
    assert asked.returncode == 1
    assert "does not hold how units follow prices: run `storecast run`" in asked.stderr
    assert "Traceback" not in asked.stderr


def test_what_is_wrong_with_the_question_is_said_before_the_data_are_opened(small_shop, tmp_path):
    nowhere = ("--data-dir", str(tmp_path / "empty"))
    asked = small_shop.run("what-if", "--product", "p", "--price", "-3", *nowhere)
    assert "price is -3.0" in asked.stderr
    asked = small_shop.run(
        "what-if", "--product", "p", "--price", "3", "--from", "2026-05-02", "--to", "2026-05-01", *nowhere
    )
    assert "from is 2026-05-02, after to, 2026-05-01" in asked.stderr
