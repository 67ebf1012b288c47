"""`storecast explain` as people call it, on the small shop whose product ids are hostile."""

import re

import pytest

pytestmark = pytest.mark.slow
PARTS = ("level_units", "season_units", "price_units", "promotion_units", "event_units", "reconciliation_units")


def test_a_planner_reads_the_days_and_one_sentence_that_adds_up(small_shop):
    best = "select product_id from gold.demand_forecasts group by 1 order by sum(mean_units) desc limit 1"
    product = small_shop.published(best)["product_id"].item()
    asked = small_shop.run("explain", "--product", product)
    assert asked.returncode == 0, asked.stderr
    table, _, sentence = asked.stdout.rpartition("\n\n")
    published = small_shop.published(
        "select * from gold.demand_forecasts where product_id = ? order by channel, date", [product]
    )
    assert len(table.splitlines()) == 1 + len(published)
    assert table.splitlines()[0].split() == ["channel", "date", *PARTS, "mean_units"]
    for row, mean in zip(table.splitlines()[1:], published["mean_units"], strict=True):
        *parts, units = (float(number.replace(",", "")) for number in row.split()[-7:])
        assert sum(parts) == pytest.approx(units, abs=0.04)
        assert units == pytest.approx(mean, abs=0.006)
    days, units = re.match(r"In (\d+) days ([\d.,]+) units: [\d.,]+ by level and season", sentence).groups()
    assert int(days) == 28
    assert float(units.replace(",", "")) == pytest.approx(published["mean_units"].sum(), abs=0.06)
    changes = [
        float(number.replace(",", "")) for number in re.findall(r"[ ]([+-]?[\d.,]+\d)(?: \([^)]*\))? by ", sentence)
    ]
    assert sum(changes) == pytest.approx(float(units.replace(",", "")), abs=0.3)


def test_the_picture_is_written_where_it_is_asked_for(small_shop, tmp_path):
    product = small_shop.published("select min(product_id) as id from gold.forecast_explanations")["id"].item()
    asked = small_shop.run("explain", "--product", product, "--picture", str(tmp_path / "parts.png"))
    assert asked.returncode == 0, asked.stderr
    assert (tmp_path / "parts.png").read_bytes().startswith(b"\x89PNG")


def test_every_published_forecast_is_explained_to_the_millionth(small_shop):
    rest = small_shop.published(
        f"select max(abs({' + '.join(PARTS)} - explained.mean_units)) as rest, count(*) as rows, "
        "max(abs(explained.mean_units - forecasts.mean_units)) as gap, sum(abs(promotion_units)) as promotion, "
        "sum(abs(event_units)) as event from gold.demand_forecasts as forecasts "
        "join gold.forecast_explanations as explained using (origin_date, product_id, channel, date)"
    ).iloc[0]
    assert rest["rows"] == small_shop.published("select count(*) as n from gold.demand_forecasts")["n"].item()
    assert rest["gap"] == 0
    assert rest["rest"] <= 1e-6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--product", "'; drop table x; --"], 'error: product "\'; drop table x; --" has no forecast'),
        (["--product", "007", "--channel", "kiosk"], "error: channel 'kiosk' does not sell '007': choose ["),
    ],
)
def test_what_is_not_forecast_is_an_error_with_one_line_and_no_traceback(small_shop, arguments, message):
    asked = small_shop.run("explain", *arguments)
    assert asked.returncode == 1
    assert message in asked.stderr
    assert "Traceback" not in asked.stderr


def test_before_the_first_run_it_says_what_to_do(small_shop, tmp_path):
    asked = small_shop.run("explain", "--product", "p", "--data-dir", str(tmp_path / "empty"))
    assert asked.returncode == 1
    assert "run `storecast run` first" in asked.stderr
