"""Training and forecasting with LightGBM over a panel in memory and the same panel in files: memory, time, numbers.

Real series of M5, then as many again under other names as are missing. Both ways read the same pieces of 2,000 series
from disk and are the same code afterwards; the recursive model has few trees, for trees take time and no memory.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.m5_data import HORIZON, OFFICIAL_ORIGIN, m5_panel
from benchmarks.measuring import Measured, measure
from benchmarks.rows import GIGABYTE, Row
from storecast.forecasting import contracts as c
from storecast.forecasting.base import GlobalForecaster
from storecast.forecasting.gradient_boosting import GlobalLightGBM
from storecast.forecasting.panel import Panel, panel_from_chunks
from storecast.forecasting.recursive_boosting import RecursiveLightGBM
from storecast.forecasting.spilling import spill_folder

SIZES: Final = (30_490, 100_000)
SHORT_SIZES: Final = (1_400, 4_200)
SHORT_ITEMS: Final = 20
PIECE_SERIES: Final = 2_000
RECURSIVE_TREES: Final = 20
MODELS: Final = ("direct", "recursive")
SHORT_MODELS: Final = ("direct",)
MOST_OF_IN_MEMORY: Final = 0.5


def run(*, is_short: bool) -> list[Row]:
    """Each size, model and way in a process of its own."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="out-of-core-") as name:
        folder = Path(name)
        measure(write_pieces, folder, SHORT_ITEMS if is_short else None)
        for size in SHORT_SIZES if is_short else SIZES:
            for model in SHORT_MODELS if is_short else MODELS:
                ways = {way: measure(said_by, folder, size, model, way == "files") for way in ("memory", "files")}
                rows += _rows(f"{size} series, {model} LightGBM", ways, is_short=is_short)
    return rows


def _rows(what: str, ways: dict[str, Measured], *, is_short: bool) -> list[Row]:
    """Files are ours, memory the peer; on a part of the data the libraries outweigh the panel: no bound is held."""
    files, memory = ways["files"], ways["memory"]
    is_same = float(files.result["said"] == memory.result["said"])
    bound = None if is_short else MOST_OF_IN_MEMORY
    return [
        Row(f"{what}: the panel's matrices", "GB", memory.result["panel_gb"]),
        Row(f"{what}: peak memory in files, in memory", "GB", files.peak_gb, memory.peak_gb, bound, "ratio"),
        Row(f"{what}: wall time in files, in memory", "s", files.wall_seconds, memory.wall_seconds),
        Row(f"{what}: CPU time in files, in memory", "s", files.cpu_seconds, memory.cpu_seconds),
        Row(f"{what}: model text and forecasts the same to the last bit", "-", is_same, bound=1.0, is_floor=True),
    ]


def write_pieces(folder: Path, items: int | None) -> None:
    """Write the real panel in pieces, so that no contender ever holds it twice."""
    panel = m5_panel(OFFICIAL_ORIGIN, items)
    for number, start in enumerate(range(0, len(panel.keys), PIECE_SERIES)):
        pd.to_pickle(panel.take(slice(start, start + PIECE_SERIES)), folder / f"piece-{number:03d}.pickle")


def pieces(folder: Path, series: int) -> Iterator[Panel]:
    """So many series in their order, a copy after the other; a copy's products have its number before their name."""
    copy = 0
    while series > 0:
        for path in sorted(folder.glob("piece-*.pickle")):
            piece: Panel = pd.read_pickle(path)  # noqa: S301 - written by this very run
            piece = piece.take(slice(0, series))
            products = [f"{copy} {name}" for name in piece.keys.get_level_values(0)]
            keys = pd.MultiIndex.from_arrays([products, piece.keys.get_level_values(1)], names=piece.keys.names)
            yield replace(piece, keys=keys, statics=piece.statics.assign(**{c.PRODUCT_ID: products}))
            series -= len(products)
            if series <= 0:
                return
        copy += 1


def in_memory(chunks: Iterator[Panel], series: int) -> Panel:
    """The chunks as one panel, each matrix filled in without a second copy."""
    heads, matrices, start = [], dict[str, Any](), 0
    for chunk in chunks:
        own = {c.UNITS: chunk.units, **chunk.drivers}
        matrices = matrices or {name: np.empty((series, values.shape[1])) for name, values in own.items()}
        for name, values in own.items():
            matrices[name][start : start + len(values)] = values
        start += len(chunk.keys)
        heads.append((chunk.keys, chunk.statics))
    keys, statics = zip(*heads, strict=True)
    units = matrices.pop(c.UNITS)
    return replace(
        chunk,
        keys=keys[0].append(list(keys[1:])),
        units=units,
        drivers=matrices,
        statics=pd.concat(statics, ignore_index=True),
    )


def said_by(folder: Path, series: int, model: str, is_spilled: bool) -> dict[str, Any]:
    """Train and forecast; what comes back is the panel's size and a hash of the model's text and its forecasts."""
    with spill_folder(folder / "panels") as panels:
        chunks = pieces(folder, series)
        panel = panel_from_chunks(chunks, panels) if is_spilled else in_memory(chunks, series)
        panel_gb = (panel.units.nbytes + sum(driver.nbytes for driver in panel.drivers.values())) / GIGABYTE
        fitted = _forecaster(model).fit_panel(panel.until(panel.days, HORIZON))
        digest = hashlib.sha256(fitted.to_payload().encode())
        digest.update(fitted.predict_panel(HORIZON).tobytes())
    return {"panel_gb": panel_gb, "said": digest.hexdigest()}


def _forecaster(model: str) -> GlobalForecaster:
    return GlobalLightGBM() if model == "direct" else RecursiveLightGBM(n_trees=RECURSIVE_TREES)
