"""A small demo shop from source files to champions, as `storecast run` makes it: what no change may make worse.

It needs no data but its own. Champions and intervals are chosen on older origins; the figures are means over the newer
ones. The bounds leave room for what chance does from shop to shop, not for a model or an interval that broke.
"""

from typing import Final

import pandas as pd

from benchmarks.demo_shop import shop_after
from benchmarks.measuring import measure
from benchmarks.rows import Row
from storecast.settings import Settings
from storecast.warehouse import Warehouse

SIZE: Final = {"demo_products": 60, "demo_days": 420, "evaluation_origins": 4}
ACCURACY_SQL: Final = """
    select level, model, avg(wape) as wape, avg(coverage_90) as coverage_90
    from ops.backtest_accuracy where demand_class = 'all' group by all
"""
SERIES, CHAMPION, NAIVE = "product_channel", "champion", "seasonal_naive"
MOST_OF_NAIVE: Final = {SERIES: 0.88, "total": 1.0}
LEAST_COVERED, MOST_COVERED = 90.0, 99.0


def run(*, is_short: bool) -> list[Row]:  # noqa: ARG001 - it is short as it is
    """Errors of the champions over seasonal naive's, how often the 90 % interval holds what was sold, and the time."""
    measured = measure(accuracy, Settings().seed)
    found: pd.DataFrame = measured.result
    champion, naive = (100 * found.xs(model, level="model") for model in (CHAMPION, NAIVE))
    covered = champion["coverage_90"][SERIES]
    inside = "days of a series inside the 90 % interval"
    rows = [
        Row(f"WAPE by day, level {level}", "%", champion["wape"][level], naive["wape"][level], bound, "ratio")
        for level, bound in MOST_OF_NAIVE.items()
    ]
    return [
        *rows,
        Row(inside, "%", covered, bound=LEAST_COVERED, is_floor=True),
        Row(inside, "%", covered, bound=MOST_COVERED),
        Row("source files to champions", "s", measured.wall_seconds),
    ]


def accuracy(seed: int) -> pd.DataFrame:
    """Mean accuracy over the evaluation origins by level and model."""
    with shop_after(["refresh", "train"], seed=seed, **SIZE) as settings:
        return Warehouse(settings.warehouse_path).read(ACCURACY_SQL).set_index(["level", "model"])
