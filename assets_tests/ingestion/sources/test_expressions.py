import duckdb
import pytest

from storecast.ingestion.sources.expressions import decimal_comma, in_utc, moment, negated, renamed, text


def value(expression: str, cell: str | None) -> str | None:
    row = duckdb.execute(f"SELECT {expression} FROM (SELECT CAST(? AS VARCHAR) AS x)", [cell]).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("12,95", "12.95"),
        ("-12,95", "-12.95"),
        ("1.234,50", "1234.50"),
        ("1.234", "1234"),
        ("1.234.567", "1234567"),
        ("12.95", "12.95"),
        ("1,2,3", "1,2,3"),
        ("abc", "abc"),
        ("", ""),
        (None, None),
    ],
)
def test_a_decimal_comma_becomes_a_point_and_what_is_no_number_stays(cell: str | None, expected: str | None) -> None:
    assert value(decimal_comma("x"), cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"), [("2", "-2"), (" 2.5 ", "-2.5"), ("+2", "-2"), ("-2", "-2"), ("abc", "abc"), (None, None)]
)
def test_a_returned_quantity_is_negative(cell: str | None, expected: str | None) -> None:
    assert value(negated("x"), cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("01.03.2025 14:22:05", "2025-03-01 14:22:05"),
        ("31.02.2025 14:22:05", "31.02.2025 14:22:05"),
        ("gestern", "gestern"),
        (None, None),
    ],
)
def test_a_moment_in_its_own_format_becomes_iso_and_one_that_is_none_stays(
    cell: str | None, expected: str | None
) -> None:
    assert value(moment("x", "%d.%m.%Y %H:%M:%S"), cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2025-03-01 10:00:00", "2025-03-01 10:00:00Z"),
        ("2025-03-01 10:00:00+00", "2025-03-01 10:00:00+00"),
        ("2025-03-01T10:00:00Z", "2025-03-01T10:00:00Z"),
        (None, None),
    ],
)
def test_a_moment_without_an_offset_is_marked_as_utc(cell: str | None, expected: str | None) -> None:
    assert value(in_utc("x"), cell) == expected


def test_hostile_words_stay_words() -> None:
    assert value(text("it's'); DROP TABLE x; --"), None) == "it's'); DROP TABLE x; --"
    assert value(renamed("x", {"o'clock": "shipped"}), "o'clock") == "shipped"
    assert value(renamed("x", {"o'clock": "shipped"}), "other") == "other"
