"""Matrices with a row a series as few bytes a row, compressed without loss: a row is read without the others.

Numbers are stored as whole ones where all of a matrix are, else as floats of which each is the difference in bits to
the one before; bytes of equal place in a number lie together. What repeats, as prices do, takes almost no room.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from storecast.forecasting.panel import FloatArray

WHOLE: Final = ("int8", "int16")
FLOAT: Final = "float64"
ROWS_AT_ONCE: Final = 4096
COMPRESSION_LEVEL: Final = 6
ByteArray = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Layout:
    """How the bytes of a row are read: each matrix's name with its columns and the type of its numbers, in order."""

    parts: Mapping[str, tuple[int, str]]

    @classmethod
    def of(cls, matrices: Mapping[str, FloatArray]) -> Self:
        """The layout that takes the least room."""
        return cls({name: (values.shape[1], _kind(values)) for name, values in matrices.items()})

    def as_record(self) -> list[list[Any]]:
        """The layout as JSON holds it."""
        return [[name, *part] for name, part in self.parts.items()]

    @classmethod
    def from_record(cls, record: Sequence[Sequence[Any]]) -> Self:
        """The layout that `as_record` wrote."""
        return cls({str(name): (int(columns), str(kind)) for name, columns, kind in record})


def packed(layout: Layout, matrices: Mapping[str, FloatArray]) -> list[bytes]:
    """The rows of matrices of equally many rows, each as bytes; NaN is kept.

    >>> units = np.array([[np.nan, 1.0], [2.5, 3.0]])
    >>> layout = Layout.of({"units": units})
    >>> unpacked(layout, packed(layout, {"units": units})[1:])["units"]
    array([[2.5, 3. ]])
    """
    series = len(next(iter(matrices.values())))
    rows = []
    for start in range(0, series, ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        parts = [_as_bytes(matrices[name][block], kind) for name, (_, kind) in layout.parts.items()]
        rows += [zlib.compress(row.tobytes(), COMPRESSION_LEVEL) for row in np.hstack(parts)]
    return rows


def unpacked(layout: Layout, rows: Sequence[bytes]) -> dict[str, FloatArray]:
    """The matrices whose rows `packed` wrote.

    Raises `ValueError` where a row has not the bytes of the layout.
    """
    widths = [columns * np.dtype(kind).itemsize for columns, kind in layout.parts.values()]
    plain = [zlib.decompress(row) for row in rows]
    if any(len(row) != sum(widths) for row in plain):
        raise ValueError(f"a row has not the {sum(widths)} bytes of its layout {json.dumps(layout.as_record())}")
    values = np.frombuffer(b"".join(plain), dtype=np.uint8).reshape(len(plain), sum(widths))
    blocks = np.split(values, np.cumsum(widths)[:-1], axis=1)
    return {
        name: _from_bytes(block, columns, kind)
        for block, (name, (columns, kind)) in zip(blocks, layout.parts.items(), strict=True)
    }


def _kind(values: FloatArray) -> str:
    """The smallest type that holds all numbers exactly; its least value stands for NaN."""
    known = values[~np.isnan(values)]
    if not (known == np.rint(known)).all():
        return FLOAT
    largest = np.abs(known).max(initial=0.0)
    return next((kind for kind in WHOLE if largest <= np.iinfo(kind).max), FLOAT)


def _as_bytes(values: FloatArray, kind: str) -> ByteArray:
    if kind == FLOAT:
        bits = np.ascontiguousarray(values).view(np.uint64)
        numbers: npt.NDArray[Any] = bits.copy()
        numbers[:, 1:] ^= bits[:, :-1]
    else:
        numbers = np.where(np.isnan(values), np.iinfo(kind).min, values).astype(kind)
    series, columns = numbers.shape
    planes = numbers.reshape(series, columns, 1).view(np.uint8).transpose(0, 2, 1)
    return np.ascontiguousarray(planes).reshape(series, -1)


def _from_bytes(rows: ByteArray, columns: int, kind: str) -> FloatArray:
    size = np.dtype(kind).itemsize
    planes = np.ascontiguousarray(rows.reshape(len(rows), size, columns).transpose(0, 2, 1))
    if kind == FLOAT:
        return np.bitwise_xor.accumulate(planes.view(np.uint64)[:, :, 0], axis=1).view(np.float64)
    numbers = planes.view(kind)[:, :, 0]
    return np.where(numbers == np.iinfo(kind).min, np.nan, numbers.astype(np.float64))
