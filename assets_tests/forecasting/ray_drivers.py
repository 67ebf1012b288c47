"""The processes that `test_ray_cluster.py` starts: `python ray_drivers.py ROLE ADDRESS FOLDER`, answers as JSON.

Each is a process of its own because Ray reads its variables while it is imported. What a worker does is noted in
FOLDER: one file a call, one line a start, with the process id.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.chunks import forecast_chunk
from storecast.forecasting.fan_out import fan_out
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import models_named

KILLED = 1


def small_panel() -> Panel:
    """Sixty series of 120 days that sell each day: enough that sharing out pays."""
    units = np.random.default_rng(5).poisson(9.0, (60, 120)) + 1.0
    keys = pd.MultiIndex.from_product([[f"item {number:02d}" for number in range(60)], ["shop"]])
    statics = keys.set_names(["product_id", "channel"]).to_frame(index=False).assign(category="all")
    return Panel(keys, pd.date_range("2026-01-01", periods=120, name="date"), units, statics=statics)


def same_back_tests(address: str, _folder: Path) -> dict[str, Any]:
    """Back-test on the cluster and here, whole and in chunks."""
    plan, specs = BacktestPlan(14, 1, 1), models_named(["auto_ets", "lightgbm"])
    here = backtest(small_panel(), specs, plan)
    there = backtest(small_panel(), specs, plan, ray_address=address)
    return {name: forecast.tobytes() == there.forecasts[name].tobytes() for name, forecast in here.forecasts.items()}


def forecast_and_note(panel: Panel, folder: Path, number: int, rows: Any) -> Any:
    """Forecast a chunk; one of them waits to be killed the first time."""
    with (folder / str(number)).open("a", encoding="utf-8") as notes:
        notes.write(f"{os.getpid()}\n")
    if number == KILLED and len((folder / str(number)).read_text(encoding="utf-8").split()) == 1:
        time.sleep(600)
    return forecast_chunk(panel, 120, rows, "auto_ets", 14, 0)


def one_is_killed(address: str, folder: Path) -> dict[str, Any]:
    """Share out six chunks, of which one is begun twice."""
    panel = small_panel()
    chunks = np.split(np.arange(60), 6)
    calls = [(folder, number, rows) for number, rows in enumerate(chunks)]
    there = list(fan_out(forecast_and_note, calls, shared=(panel,), ray_address=address))
    here = [forecast_chunk(panel, 120, rows, "auto_ets", 14, 0) for rows in chunks]
    return {"same": [ours.tobytes() == theirs.tobytes() for ours, theirs in zip(here, there, strict=True)]}


def fail(folder: Path) -> None:
    """Raise, and note it."""
    with (folder / "fails").open("a", encoding="utf-8") as notes:
        notes.write(f"{os.getpid()}\n")
    raise KeyError("no such product")


def die(folder: Path) -> None:
    """End the worker, and note it."""
    with (folder / "dies").open("a", encoding="utf-8") as notes:
        notes.write(f"{os.getpid()}\n")
    os.kill(os.getpid(), 9)


def what_is_raised(address: str, folder: Path) -> dict[str, Any]:
    """Share out a call that raises and one whose worker always dies."""
    raised = {}
    for function in (fail, die):
        try:
            list(fan_out(function, [(folder,)], ray_address=address))
        except Exception as error:  # noqa: BLE001  (what it is, is asked)
            raised[function.__name__] = type(error).__name__
    return raised


ROLES: dict[str, Callable[[str, Path], dict[str, Any]]] = {
    role.__name__: role for role in (same_back_tests, one_is_killed, what_is_raised)
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(ROLES[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))) + "\n")
