"""Matrices in files: what is too large for memory is written row by row and read back some rows at a time."""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[Any]
PREFIX: Final = "spilled-"


@contextmanager
def spill_folder(parent: Path) -> Iterator[Path]:
    """A folder below `parent` that is gone afterwards, whatever happens.

    What a killed process left there is removed when the next one makes a folder: a folder in use is locked, and the
    system lets go of a lock when its process ends.
    """
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent):
        for abandoned in parent.glob(f"{PREFIX}*"):
            _remove_unless_used(abandoned)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        in_use = os.open(folder, os.O_RDONLY)
        fcntl.flock(in_use, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # its files may be unlinked under our hands, by their matrices' end
        os.close(in_use)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unless_used(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return
    finally:
        os.close(descriptor)


class MatrixFiles:
    """Matrices of equally many rows that are written to new files of a folder, some rows at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths: dict[str, Path] = {}
        self._layout: tuple[Any, ...] = ()
        self._rows = 0

    def append(self, matrices: Mapping[str, Matrix], common: object = None) -> None:
        """Write rows of all matrices after those that are there.

        Raises `ValueError` where names, columns, types or what the rows have in `common` are not those of the first.
        """
        layout = ({name: (values.shape[1], values.dtype) for name, values in matrices.items()}, common)
        if not self._paths:
            self._layout = layout
            self._paths = {name: _new_file(self._folder) for name in matrices}
        if layout != self._layout:
            raise ValueError(
                f"the rows after {self._rows} have other matrices, columns or days than those before: cut all alike"
            )
        for name, values in matrices.items():
            with self._paths[name].open("ab") as file:
                np.ascontiguousarray(values).tofile(file)
        self._rows += len(next(iter(matrices.values())))

    def mapped(self) -> dict[str, Matrix]:
        """The whole matrices, read-only; the file of one is removed when it is no longer used."""
        return {name: _mapped(self._paths[name], self._rows, *kind) for name, kind in self._layout[0].items()}


def _new_file(folder: Path) -> Path:
    descriptor, name = tempfile.mkstemp(suffix=".matrix", dir=folder)
    os.close(descriptor)
    return Path(name)


def _mapped(path: Path, rows: int, columns: int, kind: np.dtype[Any]) -> Matrix:
    if not rows * columns:
        path.unlink()
        return np.empty((rows, columns), kind)
    matrix = np.memmap(path, kind, mode="r", shape=(rows, columns))
    weakref.finalize(matrix, path.unlink, missing_ok=True)
    return matrix


def is_file(values: Matrix) -> bool:
    """Whether a matrix is all of a file, and not rows or columns of one."""
    if not isinstance(values, np.memmap) or values.filename is None or not values.flags.c_contiguous:
        return False
    path = Path(values.filename)
    return path.exists() and path.stat().st_size == values.nbytes


def rows_of(values: Matrix, rows: Any) -> Matrix:
    """Some rows in memory; consecutive ones of a file are read, not mapped, so that they stay no longer than used."""
    if not (isinstance(rows, slice) and isinstance(values, np.memmap) and is_file(values)):
        return np.asarray(values[rows])
    start, stop, _ = rows.indices(len(values))
    columns = values.shape[1]
    offset = start * columns * values.dtype.itemsize
    read = np.fromfile(str(values.filename), values.dtype, (stop - start) * columns, offset=offset)
    return read.reshape(stop - start, columns)
