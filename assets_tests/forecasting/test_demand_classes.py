import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from storecast.forecasting.demand_classes import CLASSES, demand_classes, interval_and_variation


def padded(units: list[float], days: int = 364) -> np.ndarray:
    return np.array([units * (days // len(units))])


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ([5.0, 4, 6, 5], "smooth"),
        ([1.0, 1, 1, 30], "erratic"),
        ([0.0, 0, 2, 2], "intermittent"),
        ([0.0, 0, 1, 20], "lumpy"),
    ],
)
def test_classes_are_those_of_syntetos_boylan_and_croston(units, expected):
    assert demand_classes(padded(units))[0] == expected


def test_a_series_without_a_sale_for_a_quarter_is_inactive():
    assert demand_classes(np.array([[3.0] * 100 + [0.0] * 91]))[0] == "inactive"
    assert demand_classes(np.array([[3.0] * 100 + [0.0] * 90]))[0] != "inactive"


def test_a_series_of_less_than_four_weeks_is_new():
    assert demand_classes(np.array([[np.nan] * 50 + [2.0] * 27]))[0] == "new"
    assert demand_classes(np.array([[np.nan] * 50 + [2.0] * 28]))[0] == "smooth"


def test_interval_and_variation_match_the_sums_by_hand():
    adi, cv2 = interval_and_variation(np.array([[np.nan, 0.0, 2.0, 0.0, 0.0, 6.0]]))
    assert adi[0] == 5 / 2
    assert cv2[0] == pytest.approx(np.var([2.0, 6.0]) / 16)


@given(arrays(float, (3, 60), elements=st.sampled_from([0.0, 1.0, 2.0, 40.0])))
def test_every_series_has_a_known_class_whatever_is_beside_it(history):
    classes = demand_classes(history)
    assert set(classes) <= set(CLASSES)
    assert [demand_classes(history[row : row + 1])[0] for row in range(3)] == list(classes)
