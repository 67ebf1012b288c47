"""Public holidays of the shop's country."""

from collections.abc import Iterable

import holidays
import pandas as pd


def public_holidays(country: str, years: Iterable[int]) -> pd.DataFrame:
    """Return date, holiday_name and country of each public holiday: one row a day and holiday, in order.

    `country` is an ISO 3166 code of two letters; holidays of single regions are not in it. Raises `ValueError` for a
    country that the `holidays` package does not know.

    >>> public_holidays("DE", [2025])["holiday_name"].tolist()[:2]
    ['Neujahr', 'Karfreitag']
    """
    try:
        known = holidays.country_holidays(country, years=list(years))
    except NotImplementedError as error:
        message = f"country: no public holidays are known for {country!r}; give an ISO 3166 code such as 'DE' or 'US'"
        raise ValueError(message) from error
    rows = [(day, name, country) for day in sorted(known) for name in known.get_list(day)]
    frame = pd.DataFrame(rows, columns=["date", "holiday_name", "country"])
    return frame.astype({"date": "datetime64[ns]"})
