"""`storecast what-if` as people call it, on the small shop whose product ids are hostile."""

import re

import pytest

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


def test_an_unknown_product_is_an_error_with_one_line_and_no_traceback(small_shop):
    asked = small_shop.run("what-if", "--product", "'; drop table x; --", "--price", "3")
    assert asked.returncode == 1
    assert 'error: product "\'; drop table x; --" has no forecast' in asked.stderr
    assert "Traceback" not in asked.stderr


def test_before_the_first_run_it_says_what_to_do(small_shop, tmp_path):
    asked = small_shop.run("what-if", "--product", "p", "--price", "3", "--data-dir", str(tmp_path / "empty"))
    assert asked.returncode == 1
    assert "run `storecast run` first" in asked.stderr
