"""A small shop whose forecasts are published day after day: tables by hand, the room's assets by Dagster."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd

from storecast.feedback import assets, checks
from storecast.forecasting import contracts as c
from storecast.forecasting.lost_demand import lost_demand_of
from storecast.forecasting.shadow_contracts import ShadowForecasts
from storecast.monitoring.contracts import ProductDrift
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import SettingsResource, WarehouseIOManager, WarehouseResource

FIRST_DAY = pd.Timestamp("2026-01-05")
SERIES = pd.DataFrame(
    [
        ("lamp", "shop", "light", "own", "smooth"),
        ("lamp", "market", "light", "own", "smooth"),
        ("bulb", "shop", "light", "other", "intermittent"),
        ("chair", "shop", "seats", "own", "lumpy"),
    ],
    columns=["product_id", "channel", "category", "seller_id", "demand_class"],
)
PLANNED = ["unit_price", "is_price_planned", "is_on_promotion", "discount_share", "has_event", "event_name"]
ROOM = (assets.publications, assets.forecast_accuracy, assets.tracking_signals, assets.paired_losses)


def sales(days: int, seed: int = 0) -> pd.DataFrame:
    """`gold.daily_demand` of so many days: counts around a weekly level of the series' own."""
    rng = np.random.default_rng(seed)
    keys = SERIES[["product_id", "channel"]].assign(level=[12.0, 5.0, 0.6, 2.0])
    table = keys.merge(pd.DataFrame({"date": pd.date_range(FIRST_DAY, periods=days)}), how="cross")
    week = 1 + 0.4 * np.sin(2 * np.pi * table["date"].dt.dayofweek / 7)
    return table.assign(
        units=rng.poisson(table["level"] * week).astype(float), **drivers(table), is_in_stock=True, is_recorded=True
    ).drop(columns="level")


def drivers(table: pd.DataFrame) -> dict[str, object]:
    """Prices, promotions and events as the shop plans them."""
    is_on_promotion = table["date"].dt.day.between(10, 12)
    return {
        "unit_price": np.where(is_on_promotion, 7.99, 9.99),
        "is_price_planned": True,
        "is_on_promotion": is_on_promotion,
        "discount_share": np.where(is_on_promotion, 0.2, 0.0),
        "has_event": table["date"].dt.day == 1,
        "event_name": np.where(table["date"].dt.day == 1, "payday", None),
    }


@dataclass
class Shop:
    """The tables this room reads; `publish` forecasts from the last day of `demand` and runs the room's assets."""

    folder: Path
    horizon: int = 14
    correction_days: int = 28
    lift: float = 1.0
    model_version: str = "1"
    unit_price: float | None = None
    demand: pd.DataFrame = field(default_factory=lambda: sales(60))

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder, correction_days=self.correction_days)

    @property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.settings.warehouse_path)

    @property
    def origin(self) -> pd.Timestamp:
        return self.demand["date"].max()

    def read(self, sql: str, parameters=()) -> pd.DataFrame:
        return self.warehouse.read(sql, parameters)

    def forecasts(self) -> pd.DataFrame:
        """Rows of `gold.demand_forecasts`: the mean of each weekday, times the shop's `lift`, and simple quantiles."""
        days = pd.DataFrame({"date": pd.date_range(self.origin, periods=self.horizon + 1)[1:]})
        table = SERIES[["product_id", "channel"]].merge(days, how="cross")
        known = self.demand.assign(weekday=self.demand["date"].dt.dayofweek)
        means = known.groupby(["product_id", "channel", "weekday"])["units"].mean().rename("mean_units").reset_index()
        table = table.assign(weekday=table["date"].dt.dayofweek).merge(means, how="left").drop(columns="weekday")
        table["mean_units"] *= self.lift
        spread = np.sqrt(table["mean_units"].to_numpy())
        quantiles = {
            name: np.maximum(np.ceil(table["mean_units"] + z * spread - 0.5), 0.0)
            for name, z in zip(c.UNIT_QUANTILES, (-1.6, -1.3, -0.7, -0.1, 0.6, 1.3, 1.7), strict=True)
        }
        return table.assign(
            origin_date=self.origin,
            horizon_day=(table["date"] - self.origin).dt.days,
            **quantiles,
            model="weekday_mean",
            model_version=self.model_version,
            fallback_reason=None,
            partition_key=table["product_id"],
        )[list(c.DemandForecasts.to_schema().columns)]

    def levels(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Rows of `gold.level_forecasts` with quantiles of the nodes' own."""
        rows = forecasts.merge(SERIES, on=["product_id", "channel"]).assign(total="total")
        columns = dict(zip(c.SHOP_LEVELS, ("product_id", "category", "seller_id", "channel", "total"), strict=True))
        keys = ["origin_date", "date", "horizon_day"]
        tables = [
            rows.groupby([*keys, column])["mean_units"].agg(["sum", "size"]).reset_index()
            .rename(columns={column: "node", "sum": "mean_units", "size": "series"}).assign(level=level)
            for level, column in columns.items()
        ]  # fmt: skip
        table = pd.concat(tables, ignore_index=True)
        spread = 1.3 * np.sqrt(table["mean_units"])
        for name, z in zip(c.UNIT_QUANTILES, (-1.6, -1.3, -0.7, 0.0, 0.7, 1.3, 1.6), strict=True):
            table[name] = np.maximum(table["mean_units"] + z * spread, 0.0)
        money = dict.fromkeys(("mean_revenue", *c.REVENUE_QUANTILES), table["mean_units"] * 10)
        return table.assign(**money, unpriced_units=0.0)[list(c.LevelForecasts.to_schema().columns)]

    def write(self, forecasts: pd.DataFrame | None = None, levels: pd.DataFrame | None = None) -> None:
        """Bring the tables that forecasts are made of up to date, and forecast anew from the last day."""
        made = self.forecasts() if forecasts is None else forecasts
        warehouse = self.warehouse
        demand = self.demand.assign(revenue=self.demand["units"] * self.demand["unit_price"])
        warehouse.replace_table("gold.daily_demand", demand.assign(date=demand["date"].dt.date))
        warehouse.replace_table("gold.lost_demand", lost_demand_of(demand), sql_types(c.LostDemand))
        plan = made[["product_id", "channel", "date"]].drop_duplicates()
        plan = plan.assign(**drivers(plan))
        if self.unit_price is not None:
            plan["unit_price"] = self.unit_price
        warehouse.replace_table("gold.planned_drivers", plan.assign(date=plan["date"].dt.date))
        warehouse.replace_table(
            "silver.products", SERIES[["product_id", "category", "seller_id"]].drop_duplicates("product_id")
        )
        self.train(SERIES)
        if not warehouse.exists("ops.backtest_accuracy"):
            empty = pd.DataFrame(columns=list(c.BacktestAccuracy.to_schema().columns))
            warehouse.replace_table("ops.backtest_accuracy", empty, sql_types(c.BacktestAccuracy))
        for name, contract in (("ops.shadow_forecasts", ShadowForecasts), ("ops.product_drift", ProductDrift)):
            if not warehouse.exists(name):
                empty = pd.DataFrame(columns=list(contract.to_schema().columns))
                warehouse.replace_table(name, empty, sql_types(contract))
        sums = self.levels(made) if levels is None else levels
        origins = made["origin_date"].drop_duplicates().tolist()
        for name, frame, contract in (
            ("gold.demand_forecasts", made, c.DemandForecasts),
            ("gold.level_forecasts", sums, c.LevelForecasts),
        ):
            warehouse.replace_rows(name, frame, {"origin_date": origins}, sql_types(contract))

    def train(self, classes: pd.DataFrame) -> None:
        """Register the version that forecasts as champion, its champions chosen by these classes."""
        versions = pd.DataFrame({"training_id": ["t"], "model_version": [int(self.model_version)], "alias": "champion"})
        self.warehouse.replace_table("ops.registered_models", versions)
        champions = classes[["product_id", "channel", "demand_class"]].assign(training_id="t")
        self.warehouse.replace_table("ops.champions", champions)

    def run(self, *, is_checked: bool = False, only: Sequence[dg.AssetsDefinition] = ROOM) -> dg.ExecuteInProcessResult:
        """Materialise the room's assets, and evaluate its checks too, as the job `publish` does."""
        resources = {
            "settings": SettingsResource.of(self.settings),
            "warehouse": WarehouseResource.of(self.settings),
            "io_manager": WarehouseIOManager.of(self.settings),
        }
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [*only, *(checks.CHECKS if is_checked else ())], instance=instance, resources=resources
            )
        failed = [check for check in result.get_asset_check_evaluations() if check.blocking and not check.passed]
        assert failed == []
        return result

    def publish(self, *, is_checked: bool = False) -> dg.ExecuteInProcessResult:
        """Forecast from the last day, and run the room's assets."""
        self.write()
        return self.run(is_checked=is_checked)

    def next_days(self, demand: pd.DataFrame, days: int) -> None:
        """Load so many days more of a longer history."""
        self.demand = demand[demand["date"] <= self.origin + pd.Timedelta(days=days)].reset_index(drop=True)

    def live(self, **where: object) -> pd.DataFrame:
        """The live scores with these values, all editions, in order."""
        rows = self.read(
            "select * from gold.forecast_accuracy where split = 'live' "
            "order by origin_date, level, demand_class, horizon, edition"
        )
        for column, value in where.items():
            rows = rows[rows[column] == value]
        return rows.reset_index(drop=True)
