"""Fixtures that more than one room's tests use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that asks for it is skipped where it is missing."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("STORECAST_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"real data not here: set STORECAST_TEST_DATA (looked in {folder})")
    return folder
