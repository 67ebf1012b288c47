"""A small shop whose forecasts are published day after day."""

import pytest

from assets_tests.feedback.daily_shop import Shop


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)
