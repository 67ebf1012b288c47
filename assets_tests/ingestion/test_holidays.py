import pandas as pd
import pytest

from storecast.ingestion.account_contracts import PublicHolidays
from storecast.ingestion.holidays import public_holidays


def test_germanys_nine_holidays_of_2025_are_those_of_the_law() -> None:
    frame = public_holidays("DE", [2025])
    days = [pd.Timestamp(day) for day in ("2025-01-01", "2025-04-18", "2025-04-21", "2025-05-01", "2025-05-29")]
    days += [pd.Timestamp(day) for day in ("2025-06-09", "2025-10-03", "2025-12-25", "2025-12-26")]
    assert frame["date"].tolist() == days
    PublicHolidays.validate(frame)


def test_two_holidays_on_one_day_are_two_rows() -> None:
    frame = public_holidays("DE", [2008])  # Labour Day and Ascension both fell on May 1
    assert (frame["date"] == pd.Timestamp("2008-05-01")).sum() == 2


def test_an_unknown_country_says_what_to_write() -> None:
    with pytest.raises(ValueError, match="no public holidays are known for 'Atlantis'; give an ISO 3166 code"):
        public_holidays("Atlantis", [2025])
