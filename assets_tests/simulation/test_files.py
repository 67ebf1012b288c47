"""Files appear whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storecast.simulation.files import write_csv


def test_a_failing_write_leaves_the_old_file(tmp_path: Path) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise RuntimeError("the source broke")

    path = tmp_path / "a.csv"
    write_csv(path, ["n"], [(7,)])
    with pytest.raises(RuntimeError, match="the source broke"):
        write_csv(path, ["n"], rows())
    assert path.read_text() == "n\n7\n"
