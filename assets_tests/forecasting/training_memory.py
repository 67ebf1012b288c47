"""What a training takes of memory, run by itself: `python training_memory.py memory|files FOLDER` prints it as JSON."""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import DRIVERS, Panel, panel_from_chunks
from storecast.forecasting.recursive_boosting import RecursiveLightGBM

SERIES, AT_ONCE, DAYS, HORIZON = 20_000, 500, 400, 7
MODELS = {
    "direct": GlobalLightGBM(n_trees=2, train_days=30, longest_step=HORIZON, max_rows=5_000),
    "recursive": RecursiveLightGBM(n_trees=2, train_days=10, longest_step=HORIZON, max_rows=5_000),
}


def parts() -> Iterator[Panel]:
    """A panel of 20,000 series, 500 at a time."""
    for start in range(0, SERIES, AT_ONCE):
        rng = np.random.default_rng(start)
        names = [f"p{number:05d}" for number in range(start, start + AT_ONCE)]
        keys = pd.MultiIndex.from_product([names, ["shop"]], names=["product_id", "channel"])
        drivers = {name: np.ones((AT_ONCE, DAYS + HORIZON)) for name in DRIVERS}
        units = rng.poisson(2.0, (AT_ONCE, DAYS)).astype(float)
        times = pd.date_range("2025-01-01", periods=DAYS)
        yield Panel(keys, times, units, drivers, keys.to_frame(index=False), chunk_cells=AT_ONCE * DAYS)


def in_memory() -> Panel:
    """The same with each matrix whole, filled in without a second copy."""
    units, drivers = np.empty((SERIES, DAYS)), {name: np.empty((SERIES, DAYS + HORIZON)) for name in DRIVERS}
    heads = []
    for number, part in enumerate(parts()):
        rows = slice(number * AT_ONCE, (number + 1) * AT_ONCE)
        units[rows] = part.units
        for name, driver in part.drivers.items():
            drivers[name][rows] = driver
        heads.append(part.keys)
    keys = heads[0].append(heads[1:])
    return replace(part, keys=keys, units=units, drivers=drivers, statics=keys.to_frame(index=False))


def peak_bytes() -> int:
    """The most this program ever held; `getrusage` would count what the process that forked it held, too."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    before = peak_bytes()
    panel = in_memory() if sys.argv[1] == "memory" else panel_from_chunks(parts(), Path(sys.argv[2]))
    known = panel.until(DAYS, HORIZON)
    digest = hashlib.sha256()
    for model in MODELS.values():
        digest.update(model.fit_panel(known).to_payload().encode())
        digest.update(model.predict_panel(HORIZON).tobytes())
    panel_bytes = 8 * SERIES * (DAYS + len(DRIVERS) * (DAYS + HORIZON))
    measured = {"bytes": peak_bytes() - before, "panel": panel_bytes, "said": digest.hexdigest()}
    sys.stdout.write(json.dumps(measured))
