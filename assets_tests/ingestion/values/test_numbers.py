"""Numbers: what a column's own numbers say, and what nobody can know."""

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecast.ingestion.sources import SourceFileError
from storecast.ingestion.values import numbers

CLEAR = [
    ("$1,299.00", 1299.0),
    ("1.299,00 €", 1299.0),
    ("1\u00a0299,00", 1299.0),
    ("1\u202f299,00\u00a0€", 1299.0),
    ("1'299.00", 1299.0),
    ("1’299.00", 1299.0),
    ("CHF", None),
    ("EUR 12.50", 12.5),
    ("12,50 EUR", 12.5),
    ("12.50 USD", None),
    ("R$ 1.299,00", 1299.0),
    ("1 299 kr", 1299.0),
    ("1.299.000", 1_299_000.0),
    ("1,299,000", 1_299_000.0),
    ("1,29,900.00", 129_900.0),
    ("0.500", 0.5),
    ("0,500", 0.5),
    ("12345,678", 12345.678),
    ("(1,299.00)", -1299.0),
    ("1.299,00-", -1299.0),
    ("−5,5", -5.5),
    ("-$5.00", -5.0),
    ("1.5e3", 1500.0),
    ("1,2,3", None),
    ("12,50 12,50", None),
    ("$1$2", None),
    ("abc", None),
]


def read(text: str, roles: dict | None = None, currency: str = "EUR") -> float | None:
    """Read one number as mapping and silver do."""
    sql = numbers.canonical("x", "number", roles or {".": "unknown", ",": "unknown"})
    cell = f"SELECT x, {numbers.bare('x', currency)} AS number FROM (SELECT CAST(? AS VARCHAR) AS x)"
    row = duckdb.execute(f"SELECT try_cast({sql} AS DOUBLE) FROM ({cell})", [text]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(("text", "value"), CLEAR)
def test_a_number_that_can_be_read_in_one_way_is_read_so(text: str, value: float | None) -> None:
    assert read(text) == value


DIALECTS = [(".", ""), (",", ""), (".", ","), (",", "."), (",", " "), (",", "\u00a0"), (".", "'"), (".", "’")]
DECORATIONS = ["{}", "${}", "{} €", "EUR {}", "\u00a0{} "]


@settings(max_examples=300, deadline=None)
@given(
    cents=st.integers(-(10**12), 10**12),
    dialect=st.sampled_from(DIALECTS),
    decoration=st.sampled_from(DECORATIONS),
)
def test_any_amount_in_any_dialect_reads_back(cents: int, dialect: tuple[str, str], decoration: str) -> None:
    decimal, thousands = dialect
    written = f"{abs(cents) // 100:,}".replace(",", thousands) + decimal + f"{abs(cents) % 100:02d}"
    text = ("-" if cents < 0 else "") + decoration.format(written).strip("\u00a0 ")
    if decoration.startswith("EUR"):
        text = decoration.format(("-" if cents < 0 else "") + written)
    assert read(text) == pytest.approx(cents / 100, abs=1e-6)


@settings(max_examples=200, deadline=None)
@given(
    grams=st.lists(st.integers(1, 99_999), min_size=4, max_size=30),
    sign=st.sampled_from([".", ","]),
    said=st.sampled_from([None, ".", ","]),
)
def test_weights_of_three_decimals_are_right_or_refused_but_never_a_thousand_times_too_much(
    grams: list[int], sign: str, said: str | None
) -> None:
    texts = [f"{value // 1000}{sign}{value % 1000:03d}" for value in grams]
    evidence = numbers.evidence_of([(text, False, 1, text) for text in texts], "EUR")
    roles = numbers.roles_of("quantity", evidence, {"": said} if said else {}, {}, "," if sign == "," else None)
    try:
        numbers.refuse_unclear("f.csv: quantity", "quantity", evidence, roles, {})
    except ValueError:
        return
    values = [read(text, roles) for text in texts]
    for value, expected in zip(values, grams, strict=True):
        assert value is None or value == pytest.approx(expected / 1000)


def test_half_a_kilo_beside_prices_with_a_comma_is_half_a_kilo(export) -> None:
    export.write([{"qty": qty, "price": "18,90"} for qty in ("0.500", "0.250", "0.75", "1.500")] * 10)
    export.ingest('decimal = ","')
    assert sum(export.numbers("quantity")) == 30.0
    assert set(export.numbers("unit_price")) == {18.9}


@pytest.mark.parametrize(
    ("prices", "total"),
    [
        (["$1,299.00"] * 3, 3897.0),
        (["1.299,00 €"] * 3, 3897.0),
        (["1\u00a0299,00"] * 3, 3897.0),
        (["1'299.00"] * 3, 3897.0),
        (["12,50", "7,90", "0,99", "1.299"], 1320.39),
        (["12.50", "7.90", "0.99", "1,299"], 1320.39),
        (["$1,299", "$850"], 2149.0),
    ],
)
def test_a_columns_own_numbers_say_what_a_point_and_a_comma_are(export, prices: list[str], total: float) -> None:
    export.write([{"price": price} for price in prices])
    export.ingest()
    assert sum(export.numbers("unit_price")) == pytest.approx(total)


UNCLEAR = (
    r"f\.csv \(feed order_lines\): quantity \('qty'\) holds '1\.500' and the like in 3 of 3 cells: "
    r"that is 1\.5 or 1500"
)


def test_numbers_that_can_be_read_in_two_ways_are_refused_with_both_and_the_key_that_decides(export) -> None:
    export.write([{"qty": "1.500", "price": "10,00"}] * 3)
    with pytest.raises(SourceFileError, match=UNCLEAR) as error:
        export.ingest('decimal = ","')
    assert str(error.value).endswith(
        'write decimal = { quantity = ".", unit_price = "," } for 1.5, with quantity = "," for 1500'
    )


@pytest.mark.parametrize(
    ("keys", "quantity"),
    [
        ('decimal = { quantity = ".", unit_price = "," }', 1.5),
        ('decimal = { quantity = ",", unit_price = "," }', 1500.0),
        ('decimal = ","\nthousands = "."', 1500.0),
        ('decimal = ","\nthousands = "\'"', 1.5),
    ],
)
def test_a_key_says_which_reading_is_right(export, keys: str, quantity: float) -> None:
    export.write([{"qty": "1.500", "price": "10,00"}] * 3)
    export.ingest(keys)
    assert export.numbers("quantity") == [quantity] * 3
    assert export.numbers("unit_price") == [10.0] * 3


def test_a_plain_point_in_a_file_without_a_comma_is_a_decimal_point(export) -> None:
    export.write([{"qty": "1.500"}] * 3)
    export.ingest()
    assert export.numbers("quantity") == [1.5] * 3


def test_a_number_that_keeps_zeros_beside_whole_ones_may_be_a_thousand_and_is_refused(export) -> None:
    export.write([{"qty": qty} for qty in ("1.500", "2", "10")])
    with pytest.raises(SourceFileError, match=r"that is 1\.5 or 1500"):
        export.ingest()
    export.write([{"qty": qty} for qty in ("1.125", "2", "10")])
    export.ingest()
    assert export.numbers("quantity") == [1.125, 2.0, 10.0]


def test_one_cell_of_many_that_can_be_read_in_two_ways_is_set_aside_with_both(export) -> None:
    export.write([{"qty": "2"}] * 40 + [{"qty": "1,500"}])
    export.ingest()
    assert export.numbers("quantity") == [2.0] * 40
    assert export.shop.reasons("order_lines") == {41: "quantity: '1,500 (1.500 or 1500)' is not a number"}


def test_one_odd_cell_does_not_decide_about_its_column(export) -> None:
    export.write([{"qty": "1.500", "price": "10,00"}] * 30 + [{"qty": "2,5", "price": "10,00"}])
    with pytest.raises(SourceFileError, match="in 30 of 31 cells"):
        export.ingest('decimal = ","')


def test_every_file_is_judged_by_itself(export) -> None:
    export.write([{"price": "1.299,00"}] * 3, "a.csv")
    export.write([{"price": "1,299.00"}] * 3, "b.csv")
    export.ingest()
    assert set(export.numbers("unit_price")) == {1299.0}


def test_the_same_numbers_are_read_in_whatever_order_the_rows_come(make_export) -> None:
    prices = ["12,50"] * 5 + ["1.299"] * 2 + ["7"]
    export = make_export()
    export.write([{"price": price} for price in prices], "a.csv")
    export.write([{"price": price} for price in reversed(prices)], "b.csv")
    export.ingest()
    read_back = export.numbers("unit_price")
    assert sorted(read_back[:8]) == sorted(read_back[8:]) == [7.0, *[12.5] * 5, 1299.0, 1299.0]
