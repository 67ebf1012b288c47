"""Numbers too large to be true."""

LARGEST_QUANTITY = 1_000_000_000_000
LARGEST_AMOUNT = 1_000_000_000
"""No row has more units or costs more: their product, 1e21, still adds up exactly (see dbt's `exact_sum`)."""

ALWAYS_BELIEVED = 100_000
TIMES_THE_OTHERS = 1_000


def largest_believed(others: float | None, said: float | None) -> float:
    """Return the largest quantity that is believed of a file.

    A quantity above 100,000 is set aside if it is more than 1,000 times the largest of the file's quantities up to
    100,000 (`others`, None for none); the mapping's `largest_quantity` (`said`) takes the place of that rule.

    >>> largest_believed(90, None), largest_believed(12_540, None), largest_believed(90, 1e12)
    (100000.0, 12540000.0, 1000000000000.0)
    """
    if said is not None:
        return float(said)
    if not others:
        return float(LARGEST_QUANTITY)
    return float(max(ALWAYS_BELIEVED, TIMES_THE_OTHERS * others))
