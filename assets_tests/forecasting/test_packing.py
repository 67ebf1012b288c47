import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.forecasting.packing import Layout, packed, unpacked

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 40))
FLOATS = hnp.arrays(float, SHAPES, elements=st.floats(allow_nan=True, allow_infinity=True))
WHOLE = hnp.arrays(float, SHAPES, elements=st.one_of(st.just(np.nan), st.integers(-40_000, 40_000).map(float)))


def there_and_back(matrices):
    layout = Layout.from_record(Layout.of(matrices).as_record())
    return unpacked(layout, packed(layout, matrices))


@given(st.one_of(FLOATS, WHOLE))
def test_every_number_comes_back_as_it_was(values):
    np.testing.assert_array_equal(there_and_back({"units": values})["units"], values)


def test_matrices_of_several_kinds_and_widths_come_back_row_by_row():
    rng = np.random.default_rng(0)
    matrices = {
        "units": np.where(rng.random((9, 50)) < 0.1, np.nan, rng.poisson(300, (9, 50)).astype(float)),
        "price": rng.choice([2.49, 1.99], (9, 57)),
        "planned": np.ones((9, 57)),
    }
    layout = Layout.of(matrices)
    assert layout.parts == {"units": (50, "int16"), "price": (57, "float64"), "planned": (57, "int8")}
    rows = packed(layout, matrices)
    for row in (0, 8):
        alone = unpacked(layout, rows[row : row + 1])
        for name, values in matrices.items():
            np.testing.assert_array_equal(alone[name], values[row : row + 1])


@pytest.mark.parametrize(("largest", "kind"), [(127, "int8"), (128, "int16"), (32_767, "int16"), (32_768, "float64")])
def test_the_smallest_type_that_holds_all_is_taken(largest, kind):
    assert Layout.of({"units": np.array([[np.nan, -largest, largest]])}).parts["units"] == (3, kind)
    assert Layout.of({"units": np.array([[0.5, largest]])}).parts["units"][1] == "float64"


def test_a_price_that_seldom_changes_takes_few_bytes():
    price = np.repeat([[2.49, 2.99, 2.49]], 140, axis=1)
    layout = Layout.of({"price": price})
    assert len(packed(layout, {"price": price})[0]) < 100


def test_bytes_of_another_layout_are_an_error():
    layout = Layout.of({"units": np.ones((1, 3))})
    rows = packed(layout, {"units": np.ones((1, 3))})
    with pytest.raises(ValueError, match="has not the 4 bytes of its layout"):
        unpacked(Layout.of({"units": np.ones((1, 4))}), rows)
