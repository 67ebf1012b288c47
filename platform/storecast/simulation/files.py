"""Files that appear whole or not at all, with the same bytes for the same content."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, and rename it to `path` once it has been written without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    yield partial
    partial.replace(path)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], delimiter: str = ",") -> None:
    """Write a UTF-8 CSV file with a header; fields are quoted where they need it."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a UTF-8 text file, one entry a line."""
    with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"{line}\n" for line in lines)


def write_parquet(path: Path, columns: Sequence[str], arrays: Sequence[pa.Array]) -> None:
    """Write a parquet file with these columns, in order."""
    with replacing(path) as partial:
        pq.write_table(pa.Table.from_arrays(list(arrays), names=list(columns)), partial, compression="zstd")
