"""What a training makes: back-tests, champions, intervals, accuracy and the global models."""

from collections.abc import Iterator

import dagster as dg
import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.accuracy import forecast_accuracy
from storecast.forecasting.assets import (
    BACKTESTS,
    CATEGORIES,
    DAILY_DEMAND,
    PLANNED_DRIVERS,
    ROOM,
    SIDE_BY_SIDE,
    TUNED_PARAMETERS,
)
from storecast.forecasting.backtest import READ_COLUMNS, backtest, backtests_from_table, backtests_table, model_scores
from storecast.forecasting.forecast import train_global_models
from storecast.forecasting.intervals import fit_interval_scales, scales_table
from storecast.forecasting.level_forecasts import backtest_levels
from storecast.forecasting.lost_demand import lost_demand_of
from storecast.forecasting.panel import FloatArray, Panel
from storecast.forecasting.panel_reading import open_panel
from storecast.forecasting.registry import PRICE_RESPONSE, models_named
from storecast.forecasting.selection import champion_backtests, champions_table, choose_champions
from storecast.forecasting.trainings import (
    CATEGORIES_SQL,
    name_training,
    plan_of,
    read_tuned,
    specs_of,
    study_name_of,
    training_of,
)
from storecast.forecasting.tuned_parameters import followed_by, tuned_table
from storecast.warehouse.resources import PROGRESS, SettingsResource, WarehouseResource, table

BACKTESTS_SQL = f"select {', '.join(READ_COLUMNS)} from ops.backtests"
EVER_SOLD_OUT = "product_id in (select product_id from gold.daily_demand where not is_in_stock)"


@dg.asset(**table("gold.lost_demand", c.LostDemand, room=ROOM), deps=[DAILY_DEMAND])
def lost_demand(warehouse: WarehouseResource) -> pd.DataFrame:
    """What was lost for want of stock, as the forecasts take it: one row a product, channel and sold-out day."""
    return lost_demand_of(warehouse.read(f"select * from gold.daily_demand where {EVER_SOLD_OUT}"))


class TuningConfig(dg.Config):
    """Which model is tuned, and until when: so many minutes, or so many trials in all."""

    model: str = "lightgbm"
    minutes: float = 30.0
    trials: int | None = None


@dg.asset(
    **table("ops.tuned_parameters", c.TunedParameters, room=ROOM), deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES]
)
def tuned_parameters(
    context: dg.AssetExecutionContext, config: TuningConfig, warehouse: WarehouseResource, settings: SettingsResource
) -> pd.DataFrame:
    """Parameters of global models, tuned on the selection origins, with which trainings fit them: one row a model."""
    from storecast.forecasting.tuning import MINUTE, Budget, tune  # noqa: PLC0415 - Optuna takes seconds to import

    shop = settings.get()
    spec = next(spec for spec in models_named([config.model]) if spec.name == config.model)
    with open_panel(warehouse.open(), shop) as panel:
        found = tune(
            panel,
            spec,
            plan_of(shop),
            Budget(config.minutes * MINUTE, config.trials),
            storage=shop.tuning_path,
            study_name=study_name_of(warehouse.open(), shop, spec),
            seed=shop.seed,
            n_jobs=shop.fit_processes,
            ray_address=shop.ray_address,
            report=lambda line: context.log.info(line, extra=PROGRESS),
        )
    return followed_by(read_tuned(warehouse.open()), tuned_table([found]))


@dg.asset(
    **table("ops.backtests", c.Backtests, room=ROOM),
    deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES, TUNED_PARAMETERS],
)
def backtests(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> pd.DataFrame:
    """What each model would have forecast: one row a split, origin, product, channel, day ahead and model."""
    shop = settings.get()
    with open_panel(warehouse.open(), shop) as panel:
        results = backtest(
            panel,
            specs_of(warehouse.open(), shop, panel),
            plan_of(shop),
            seed=shop.seed,
            n_jobs=shop.fit_processes,
            ray_address=shop.ray_address,
            report=lambda line: context.log.info(line, extra=PROGRESS),
        )
        return backtests_table(results)


@dg.multi_asset(
    name="selection",
    outs={
        "model_scores": dg.AssetOut(
            **table("ops.model_scores", c.ModelScores, room=ROOM),
            description="Each model's errors: one row a split, origin, product, channel and model.",
        ),
        "champions": dg.AssetOut(
            **table("ops.champions", c.Champions, room=ROOM, **SIDE_BY_SIDE),
            description="The model that forecasts a series, and why: one row a training, product and channel.",
        ),
        "interval_scales": dg.AssetOut(
            **table("ops.interval_scales", c.IntervalScales, room=ROOM, **SIDE_BY_SIDE),
            description="What makes quantiles of means: one row a training and quantile of a pool, or spread.",
        ),
        "backtest_accuracy": dg.AssetOut(
            **table("ops.backtest_accuracy", c.BacktestAccuracy, room=ROOM),
            description="Accuracy on origins without part in any choice, days that ended sold out left out: "
            "one row an origin, level, class and model.",
        ),
        "level_backtests": dg.AssetOut(
            **table("ops.level_backtests", c.LevelBacktests, room=ROOM, **SIDE_BY_SIDE),
            description="The champions' back-tests in units and money: "
            "one row a training, split, origin, level, node and day.",
        ),
    },
    deps=[BACKTESTS, DAILY_DEMAND, CATEGORIES],
)
def selection(warehouse: WarehouseResource, settings: SettingsResource) -> Iterator[dg.Output[pd.DataFrame]]:
    """Scores, champions and intervals from the selection origins; accuracy from the evaluation origins alone."""
    training_id, _ = training_of(warehouse.open(), settings.get())
    name_training(warehouse.open())
    with open_panel(warehouse.open(), settings.get()) as panel:
        results = backtests_from_table(warehouse.read_encoded(BACKTESTS_SQL), panel)
        chosen_on = results.of_split(c.SELECTION)
        policy = choose_champions(chosen_on)
        scales = fit_interval_scales(chosen_on.actual, champion_backtests(chosen_on, policy), chosen_on.classes)
        yield dg.Output(model_scores(results), "model_scores")
        yield dg.Output(champions_table(policy, results.panel, training_id), "champions")
        yield dg.Output(scales_table(scales, panel.keys, training_id), "interval_scales")
        yield dg.Output(forecast_accuracy(results, policy), "backtest_accuracy")
        champion, products = champion_backtests(results, policy), warehouse.read(CATEGORIES_SQL)
        levels = backtest_levels(results, champion, read_revenue(warehouse, panel), products, training_id)
        yield dg.Output(levels, "level_backtests")


@dg.multi_asset(
    name="global_models",
    outs={
        "fitted_models": dg.AssetOut(
            **table("ops.fitted_models", c.FittedModels, room=ROOM, **SIDE_BY_SIDE),
            description="Global models trained on all history, as text: one row a training and model.",
        ),
        "price_responses": dg.AssetOut(
            **table("ops.price_responses", c.FittedModels, room=ROOM),
            description="How units follow prices and promotions, as the newest training learned it: one row, as text.",
        ),
    },
    deps=[DAILY_DEMAND, PLANNED_DRIVERS, CATEGORIES, TUNED_PARAMETERS],
)
def fitted_models(warehouse: WarehouseResource, settings: SettingsResource) -> Iterator[dg.Output[pd.DataFrame]]:
    """Train the global models that compete, and the one that `storecast what-if` asks, on all history."""
    shop = settings.get()
    training_id, snapshot_hash = training_of(warehouse.open(), shop)
    with open_panel(warehouse.open(), shop) as panel:
        trained = train_global_models(
            panel,
            (*specs_of(warehouse.open(), shop, panel), PRICE_RESPONSE),
            training_id=training_id,
            snapshot_hash=snapshot_hash,
            horizon=shop.horizon_days,
            seed=shop.seed,
            n_jobs=shop.fit_processes,
        )
    is_response = trained[c.MODEL] == PRICE_RESPONSE.name
    yield dg.Output(trained[~is_response], "fitted_models")
    yield dg.Output(trained[is_response], "price_responses")


def read_revenue(warehouse: WarehouseResource, panel: Panel) -> FloatArray:
    """Return what each series of a panel of all series took on each day, 0 before its first."""
    revenue = np.zeros(panel.units.shape)
    rows = warehouse.read("select revenue from gold.daily_demand order by product_id, channel, date")
    revenue[panel.has_begun] = rows[c.REVENUE]
    return revenue
