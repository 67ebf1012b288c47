"""A training with hostile product ids, and MLflow kept at home before anything imports it."""

import os
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from storecast.settings import QUIET

os.environ.update(QUIET)

HOSTILE_IDS = (
    "x') OR 1=1 --",
    "../../etc/passwd",
    'it\'s "quoted"',
    "caf\u00e9",
    "cafe\u0301",
    "p" * 300,
    "007",
    "7",
)


def training_of(training_id: str = "t-1", level_units: float = 1.0):
    from storecast.registry.training import Training

    champions = pd.DataFrame(
        {
            "training_id": training_id,
            "product_id": HOSTILE_IDS,
            "channel": "webshop",
            "demand_class": "smooth",
            "model": "seasonal_naive",
            "reason": "best of one",
            "level_units": [level_units + number for number in range(len(HOSTILE_IDS))],
        }
    )
    row = {"level": "total", "demand_class": "all", "model": "champion", "split": "evaluation"}
    accuracy = pd.DataFrame(
        [
            row | {"wape": 0.2, "skill_over_seasonal_naive": 0.1},
            row | {"level": "product_channel", "wape": 0.6, "skill_over_seasonal_naive": 0.05},
            row | {"model": "seasonal_naive", "wape": 0.3},
        ]
    )
    fitted = pd.DataFrame(
        {
            "training_id": [training_id],
            "origin_date": [pd.Timestamp("2026-06-30")],
            "model": ["global"],
            "payload": ["tree\n"],
            "parameters": ["{}"],
            "snapshot_hash": "5eed",
        }
    )
    scales = pd.DataFrame({"training_id": training_id, "product_id": HOSTILE_IDS, "scale": 1.0})
    levels = pd.DataFrame({"training_id": [training_id], "level": "total", "mean_units": level_units})
    return Training(
        training_id=training_id,
        origin_date=date(2026, 6, 30),
        snapshot_hash="5eed",
        horizon_days=28,
        seed=1,
        parameters={"models": "seasonal_naive, auto_ets"},
        tables={
            "champions": champions,
            "interval_scales": scales,
            "fitted_models": fitted,
            "level_backtests": levels,
            "model_scores": champions.assign(wape=0.5),
            "accuracy": accuracy,
        },
    )


@pytest.fixture(scope="session")
def make_training():
    return training_of


@pytest.fixture(scope="session")
def train(level_model):
    """What trains in a data folder: the forecasting room's tables get the training's rows, and it is registered."""
    from storecast.registry.contracts import KEPT_TABLES
    from storecast.registry.registration import register_training
    from storecast.warehouse import Warehouse

    def trained(settings, training_id: str, level_units: float = 1.0, **changes):
        training = replace(training_of(training_id, level_units), **changes)
        warehouse = Warehouse(settings.warehouse_path)
        for name in KEPT_TABLES:
            warehouse.replace_rows(f"ops.{name}", training.tables[name], {"training_id": [training_id]})
        return register_training(settings, training, datetime(2026, 7, 1), level_model)

    return trained


@pytest.fixture(scope="session")
def hostile_ids() -> tuple[str, ...]:
    return HOSTILE_IDS


@pytest.fixture(scope="session")
def level_model() -> Path:
    """The code file of the stand-in model."""
    return Path(__file__).with_name("level_model.py")


@pytest.fixture(scope="session")
def model_input() -> pd.DataFrame:
    """One day of history and one to come of each hostile id, in the registered model's columns."""
    from storecast.registry.model_signature import input_example

    example = input_example().iloc[-2:]
    return pd.concat([example.assign(product_id=product) for product in HOSTILE_IDS], ignore_index=True)
