"""Numbers too large to be true are set aside; a bulk order is not."""

import duckdb
import pytest

from storecast.ingestion.values.bounds import LARGEST_AMOUNT, LARGEST_QUANTITY, largest_believed


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"qty": "1e25"}, "quantity: '1e25' must be at most 1000000000000"),
        ({"qty": "-1e25"}, "quantity: '-1e25' must be at least -1000000000000"),
        ({"price": "1e308"}, "unit_price: '1e308' must be at most 1000000000"),
        ({"qty": "1e12", "price": "1e10"}, "unit_price: '1e10' must be at most 1000000000"),
    ],
)
def test_an_absurd_number_is_set_aside_by_column_and_bound(export, cells: dict[str, str], reason: str) -> None:
    export.write([{}, cells])
    export.ingest()
    assert reason in export.shop.reasons("order_lines")[2]
    assert export.numbers("quantity") == [2.0]


def test_the_largest_rows_add_up_in_dbts_exact_sum() -> None:
    [total] = duckdb.execute(
        f"SELECT sum(({LARGEST_QUANTITY}::DOUBLE * {LARGEST_AMOUNT}::DOUBLE)::DECIMAL(28, 6)) FROM range(1000000)"
    ).fetchone()
    assert float(total) == pytest.approx(1e27)


def test_a_quantity_far_above_all_others_is_set_aside_until_the_mapping_says_that_it_is_right(export) -> None:
    export.write([{"qty": str(units)} for units in (9, 12, 90, 10**12)])
    export.ingest()
    assert list(export.shop.reasons("order_lines")) == [4]
    assert "if it is right, write a larger one into the mapping" in export.shop.reasons("order_lines")[4]
    export.ingest("largest_quantity = 1e12")
    assert export.shop.reasons("order_lines") == {}


def test_the_mapping_may_believe_less(export) -> None:
    export.write([{"qty": str(units)} for units in (9, 12, 90)])
    export.ingest("largest_quantity = 50")
    assert list(export.shop.reasons("order_lines")) == [3]


@pytest.mark.parametrize(
    ("others", "bulk"),
    [([9, 8, 10], 400), ([6, 12, 2, 12_540], 80_995), ([50_000, 90_000], 500_000), ([100_000], 99_000_000)],
)
def test_a_bulk_order_is_believed(export, others: list[int], bulk: int) -> None:
    export.write([{"qty": str(units)} for units in [*others, bulk, -bulk]])
    export.ingest()
    assert export.shop.reasons("order_lines") == {}


def test_a_file_of_large_quantities_alone_is_believed() -> None:
    assert largest_believed(None, None) == LARGEST_QUANTITY
