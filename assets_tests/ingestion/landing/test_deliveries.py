from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecast.ingestion.landing.deliveries import Delivered, order_deliveries

FOUND = datetime(2026, 12, 1, 6)
YESTERDAY = FOUND - timedelta(days=1)


def order(*names: str, minutes: list[int] | None = None, found: list[int] | None = None) -> list[str]:
    """Return the names as delivered, for files written so many minutes after yesterday, found so many days later."""
    files = [
        Delivered(
            name,
            name,
            YESTERDAY + timedelta(minutes=(minutes or [0] * len(names))[n]),
            FOUND + timedelta(days=(found or [0] * len(names))[n]),
        )
        for n, name in enumerate(names)
    ]
    delivered = order_deliveries(files)
    assert len({moment for moment, _ in delivered.values()}) == len(names), "no two deliveries are the same"
    return sorted(delivered, key=lambda name: delivered[name][0])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("a_2026-09-30.csv", "a_2026-10-01.csv"),
        ("a-20260930.csv", "a-20261001.csv"),
        ("30.09.2026 a.csv", "01.10.2026 a.csv"),
        ("a_09-30-2026.csv", "a_10-01-2026.csv"),
        ("a30092026.csv", "a01102026.csv"),
        ("a_30-Sep-2026.csv", "a_01-Oct-2026.csv"),
        ("2026_09/a.csv", "2026_10/a.csv"),
        ("2026-09-30/a.csv", "2026-10-01/a.csv"),
        ("a_20261001T0930.csv", "a_20261001T1015.csv"),
        ("a 2026-10-01 09.30.00.csv", "a 2026-10-01 10.15.00.csv"),
    ],
)
def test_a_date_in_the_names_decides_whatever_the_order_of_its_parts(earlier, later):
    assert order(later, earlier, minutes=[0, 600]) == [earlier, later]
    assert order(earlier, later, minutes=[600, 0]) == [earlier, later]


def test_day_and_month_are_read_in_the_one_order_that_fits_all_names():
    assert order("a_03-02-2026.csv", "a_31-01-2026.csv", "a_02-03-2026.csv") == [
        "a_31-01-2026.csv",
        "a_03-02-2026.csv",
        "a_02-03-2026.csv",
    ]


def test_names_whose_day_and_month_cannot_be_told_leave_it_to_the_time():
    names = ["a_03-02-2026.csv", "a_02-03-2026.csv"]
    assert order(*names, minutes=[600, 0]) == list(reversed(names))
    assert order(*names, minutes=[0, 600]) == names


def test_without_a_date_in_every_name_the_time_decides():
    assert order("a.csv", "a_2020-01-01.csv", minutes=[0, 600]) == ["a.csv", "a_2020-01-01.csv"]
    assert order("b.csv", "a.csv", minutes=[0, 600]) == ["b.csv", "a.csv"]


def test_files_written_and_found_together_go_by_name_numbers_as_numbers():
    assert order("report-10.csv", "report-9.csv", "report-2.csv") == ["report-2.csv", "report-9.csv", "report-10.csv"]
    assert order("a.csv", "b.csv", found=[1, 0]) == ["b.csv", "a.csv"], "not where one was found later"


def test_a_time_in_the_future_counts_as_the_finding():
    assert order("a.csv", "b.csv", minutes=[10**6, 0], found=[0, 1]) == ["b.csv", "a.csv"]


@given(
    st.lists(st.dates(datetime(1990, 1, 1).date(), datetime(2090, 1, 1).date()), min_size=1, max_size=20, unique=True)
)
def test_any_dates_in_any_usual_form_are_put_in_order(dates):
    for form in ("%Y-%m-%d", "%Y%m%d", "%d-%b-%Y"):
        names = [f"orders_{date:{form}}.csv" for date in dates]
        assert order(*names) == [f"orders_{date:{form}}.csv" for date in sorted(dates)]
