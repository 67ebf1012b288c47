"""Sold-out days: forecasts from estimated demand against the same model's from sales, both against true demand.

The demo shop knows its true demand; real data on stocks there are none, so on M5 a stock is simulated on top of real
sales, which then are the truth. A series is affected at an origin where it was sold out on one of the 28 days before,
as long as the horizon; unaffected where it was never sold out. Only days on which a product was on offer are scored.
"""

from dataclasses import replace
from typing import Final

import click
import numpy as np
import pandas as pd

from benchmarks.demo_shop import DemoShop, demo_shop
from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import measure
from benchmarks.rows import Row
from storecast.forecasting.panel import BoolArray, FloatArray, Panel
from storecast.forecasting.registry import REGISTRY
from storecast.forecasting.unconstraining import unconstrained
from storecast.settings import Settings

SEEDS: Final = (Settings().seed, 1, 2)
"""The demo shop's own seed, and two more shops."""
ORIGINS: Final = 12
SHORT_ORIGINS: Final = 2
SHORT_SHOP: Final = (60, 420)
M5_ITEMS: Final = 50
SHORT_M5_ITEMS: Final = 3
WARM_UP_DAYS: Final = 56
LATEST_DELIVERY_DAYS: Final = 30
MODEL: Final = "lightgbm"
LOCAL_MODELS: Final = ("seasonal_naive", "window_average", "tsb")
OURS, SALES, TRUTH = "estimated demand", "sales", "true demand"
AFFECTED, EVER, UNAFFECTED = "sold out in the 28 days before", "ever sold out", "never sold out"
SUMS: Final = ["missed", "surplus", "wanted"]
MOST_BIAS_PERCENT: Final = 0.5
AFFECTED_RATIO: Final = 1 - 0.027
UNAFFECTED_RATIO: Final = 1 + 0.002


def run(*, is_short: bool) -> list[Row]:
    """Three demo shops of default size over twelve origins, and M5 with a simulated stock over four.

    The short form has one small shop and few origins: no target is held against it.
    """
    origins = SHORT_ORIGINS if is_short else ORIGINS
    size = SHORT_SHOP if is_short else (Settings().demo_products, Settings().demo_days)
    shops = {seed: measure(demo_shop, seed, *size).result for seed in (SEEDS[:1] if is_short else SEEDS)}
    scores = pd.concat(
        {
            seed: measure(scores_of, shop.panel, shop.demand, (MODEL, *LOCAL_MODELS), origins).result
            for seed, shop in shops.items()
        },
        names=["shop"],
    )
    click.echo(summary(scores).to_string())
    stocked, wanted = measure(stocked_m5, SHORT_M5_ITEMS if is_short else M5_ITEMS).result
    on_m5 = measure(scores_of, stocked, wanted, (MODEL, "seasonal_naive"), 1 if is_short else 4).result
    click.echo(summary(on_m5).to_string())
    rows = [
        *history_rows("demo shops", list(shops.values())),
        *target_rows(scores),
        *(row for seed in shops for row in part_rows(scores.loc[seed], f"shop {seed}", (MODEL,), (AFFECTED,))),
        *part_rows(scores, "demo shops", (MODEL,), (EVER,)),
        *part_rows(scores, "demo shops", LOCAL_MODELS, (AFFECTED,)),
        *history_rows("M5, stock simulated", [DemoShop(stocked, wanted)]),
        *part_rows(on_m5, "M5, stock simulated", (MODEL, "seasonal_naive"), (AFFECTED, UNAFFECTED)),
    ]
    return [replace(row, bound=None) for row in rows] if is_short else rows


def scores_of(panel: Panel, demand: FloatArray, models: tuple[str, ...], origins: int) -> pd.DataFrame:
    """Sums of errors against true demand, one row a model, group of series, contender and origin.

    Origins are a horizon apart, the last a horizon before the end.
    """
    is_sold_out, contenders = panel.is_sold_out, contenders_of(panel, demand)
    found = {}
    for origin in panel.days - HORIZON * np.arange(origins, 0, -1):
        rows = np.flatnonzero(panel.first_day < origin)
        wanted, groups = demand[rows, origin : origin + HORIZON], groups_of(is_sold_out[rows, :origin])
        for model in models:
            for contender, known in contenders.items():
                forecaster = REGISTRY[model].forecaster(0, 1, HORIZON).fit_panel(known.until(int(origin), HORIZON))
                missed = forecaster.predict_panel(HORIZON) - wanted
                for group, members in groups.items():
                    sums = np.nansum(np.abs(missed[members])), np.nansum(missed[members]), np.nansum(wanted[members])
                    found[model, group, contender, int(origin)] = sums
    names = ["model", "group", "contender", "origin"]
    return pd.DataFrame(found.values(), index=pd.MultiIndex.from_tuples(found, names=names), columns=SUMS)


def contenders_of(panel: Panel, demand: FloatArray) -> dict[str, Panel]:
    """What a model is fitted on: panels that differ in the units of sold-out days alone."""
    truth = np.where(np.isnan(panel.units) | np.isnan(demand), panel.units, demand)
    return {
        OURS: unconstrained(panel),
        SALES: replace(panel, is_in_stock=None),
        TRUTH: replace(panel, is_in_stock=None, units=truth),
    }


def groups_of(is_sold_out: BoolArray) -> dict[str, BoolArray]:
    """The series of each group, from the sold-out days before an origin."""
    recently, ever = (np.asarray(days.any(axis=1)) for days in (is_sold_out[:, -HORIZON:], is_sold_out))
    return {AFFECTED: recently, EVER: ever, UNAFFECTED: ~ever}


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """WAPE and bias in per cent by model, group and contender, over all shops and origins."""
    sums = scores.groupby(["model", "group", "contender"], sort=False)[SUMS].sum()
    return pd.DataFrame({"wape": sums["missed"] / sums["wanted"], "bias": sums["surplus"] / sums["wanted"]}) * 100


def target_rows(scores: pd.DataFrame) -> list[Row]:
    """The issue's three targets for the global model, and what it does when it is trained on the truth itself."""
    found = summary(scores)
    affected, unaffected = found.loc[MODEL, AFFECTED], found.loc[MODEL, UNAFFECTED]
    what = f"{MODEL} on demo shops, series {AFFECTED}:"
    local = [found.loc[model, UNAFFECTED]["wape"] for model in LOCAL_MODELS]
    return [
        Row(f"{what} |bias|", "%", *both(affected["bias"].abs()), bound=MOST_BIAS_PERCENT),
        Row(f"{what} WAPE", "%", *both(affected["wape"]), bound=AFFECTED_RATIO, of="ratio"),
        Row(f"{what} WAPE when trained on true demand", "%", *both(affected["wape"], TRUTH)),
        Row(f"{what} |bias| when trained on true demand", "%", abs(affected["bias"][TRUTH])),
        Row(f"{what} distance from that bias", "%", *both((affected["bias"] - affected["bias"][TRUTH]).abs())),
        Row(f"{what} standard error of the bias over all windows", "%", standard_error(scores)),
        Row(
            f"{MODEL} on demo shops, series {UNAFFECTED}: WAPE", "%", *both(unaffected["wape"]),
            bound=UNAFFECTED_RATIO, of="ratio",
        ),
        Row(
            f"largest WAPE of {', '.join(LOCAL_MODELS)} over that from sales, series {UNAFFECTED}", "-",
            max(wape[OURS] / wape[SALES] for wape in local), bound=UNAFFECTED_RATIO,
        ),
    ]  # fmt: skip


def standard_error(scores: pd.DataFrame) -> float:
    """How far the global model's bias on affected series may be off by chance, from its spread over windows."""
    sums = scores.xs((MODEL, AFFECTED, OURS), level=["model", "group", "contender"])
    misses = sums["surplus"] - sums["surplus"].sum() / sums["wanted"].sum() * sums["wanted"]
    return float(100 * np.sqrt((misses**2).sum()) / sums["wanted"].sum())


def part_rows(scores: pd.DataFrame, where: str, models: tuple[str, ...], groups: tuple[str, ...]) -> list[Row]:
    """WAPE and size of the bias of models on groups of series, without targets."""
    found = summary(scores)
    return [
        Row(f"{model}, {where}, series {group}: {title}", "%", *both(found.loc[model, group][measure_name].abs()))
        for model in models
        for group in groups
        for measure_name, title in (("wape", "WAPE"), ("bias", "|bias|"))
    ]


def both(figures: pd.Series, ours: str = OURS) -> tuple[float, float]:
    """Our figure, and that of the model that took sales for demand."""
    return float(figures[ours]), float(figures[SALES])


def history_rows(where: str, shops: list[DemoShop]) -> list[Row]:
    """How far the estimates are from the true demand of all days of the series that were ever sold out."""
    totals = np.sum([history_totals(shop) for shop in shops], axis=0)
    wanted, estimated, sold, missed_of_estimate, missed_of_sales, days = totals
    return [
        Row(
            f"demand of the history, {where}: |bias|", "%", 100 * abs(estimated / wanted - 1),
            100 * abs(sold / wanted - 1), bound=MOST_BIAS_PERCENT if where == "demo shops" else None,
        ),
        Row(f"units lost, {where}: estimated over true", "-", (estimated - sold) / (wanted - sold)),
        Row(f"mean error of a sold-out day, {where}", "units", missed_of_estimate / days, missed_of_sales / days),
    ]  # fmt: skip


def history_totals(shop: DemoShop) -> FloatArray:
    """Of series that were ever sold out: units wanted, estimated, sold; errors on their sold-out days, and how many."""
    panel, wanted = shop.panel, shop.demand
    is_sold_out = panel.is_sold_out & ~np.isnan(wanted)
    is_counted = ~np.isnan(panel.units) & ~np.isnan(wanted) & is_sold_out.any(axis=1, keepdims=True)
    units = [wanted, unconstrained(panel).units, panel.units]
    errors = [np.abs(values - wanted)[is_sold_out].sum() for values in units[1:]]
    return np.array([*(values[is_counted].sum() for values in units), *errors, is_sold_out.sum()])


def stocked_m5(items: int) -> tuple[Panel, FloatArray]:
    """M5 before the scored window with a stock on top, and the sales that are its true demand."""
    panel = m5_panel(OFFICIAL_ORIGIN, items)
    return with_stock(panel), panel.units


def with_stock(panel: Panel, seed: int = 0) -> Panel:
    """A panel whose units could only be sold from a stock of each series' own, ordered up to S where it is below s.

    s is the demand expected until the delivery, 3 to 9 days off and sometimes late, and a safety of its root; S is 7 to
    20 days more. The buyer learns the pace from sales on days that ended with stock.
    """
    rng = np.random.default_rng(seed)
    series, days = panel.units.shape
    lead, cover = rng.integers(3, 10, series), rng.integers(7, 21, series)
    pace = np.nan_to_num(panel.units[:, :WARM_UP_DAYS]).mean(axis=1)
    on_hand, on_order = np.ceil(pace * (lead + cover) + 1), np.zeros(series)
    deliveries = np.zeros((days + LATEST_DELIVERY_DAYS, series))
    sold, is_in_stock = panel.units.copy(), np.ones(panel.units.shape, np.bool_)
    for day in range(days):
        on_hand, on_order = on_hand + deliveries[day], on_order - deliveries[day]
        is_live = ~np.isnan(panel.units[:, day])
        sold[:, day] = np.where(is_live, np.minimum(panel.units[:, day], on_hand), np.nan)
        on_hand = on_hand - np.nan_to_num(sold[:, day])
        is_in_stock[:, day] = ~is_live | (on_hand > 0)
        pace = np.where(is_live & (on_hand > 0), 0.94 * pace + 0.06 * np.nan_to_num(sold[:, day]), pace)
        least = np.ceil(pace * lead + np.sqrt(pace * lead + 1))
        ordered = np.where(on_hand + on_order <= least, least + np.ceil(pace * cover + 1) - on_hand - on_order, 0.0)
        late = np.where(rng.random(series) < 0.06, rng.integers(5, 15, series), 0)
        deliveries[day + lead + late, np.arange(series)] += ordered
        on_order = on_order + ordered
    return replace(panel, units=sold, is_in_stock=is_in_stock)
