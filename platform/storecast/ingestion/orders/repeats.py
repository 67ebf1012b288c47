"""Rows of one file that are exactly alike, or a newer state of one another, where lines have no number."""

from collections.abc import Sequence

from storecast.ingestion.orders.order_fields import BLOCK, IN_ORDER, NOT_COMPARED, Step
from storecast.ingestion.sources.base import RepeatedRows

_PRODUCT = "WINDOW product AS (PARTITION BY order_id, product_id, coalesce(try_cast(quantity AS DOUBLE), 0) < 0)"
_UPDATED = "try_cast(updated_at AS TIMESTAMPTZ)"
_IS_OLDER = f"coalesce({_UPDATED} < max({_UPDATED}) OVER product, false)"
_HAS_LATER_STATE = (
    "block < max(block) OVER product AND coalesce(status <> arg_max(status, row_number) OVER product, false)"
)


def numbered(rows: str, columns: Sequence[str], repeated_rows: RepeatedRows | None, *, is_dated: bool) -> list[Step]:
    """Return the steps, ending in `numbered`, that fill `occurrence` of order lines without a number.

    Lines that are alike in all `columns` get 1, 2, … where each counts, and one number where they are copies. Without
    `repeated_rows`, alike rows side by side are lines of their own, and one that comes back after another order's rows
    is a copy. A row is 0 where a later row of its order and product says that it was updated since (`is_dated`), or
    where the order comes back and the product has another status. A negative quantity replaces only another one.
    """
    replaced = [_IS_OLDER] if is_dated else []
    if repeated_rows is None:
        replaced.append(_HAS_LATER_STATE)
    alike = f"hash({', '.join(name for name in columns if name != NOT_COMPARED)})"
    within = "order_id" if repeated_rows == "lines" else "order_id, block"
    number = f"row_number() OVER (PARTITION BY {within}, alike ORDER BY row_number)"
    counted = "1" if repeated_rows == "copies" else number
    keyless = f"line_number IS NULL AND {IN_ORDER}"
    return [
        ("repeated", f"SELECT order_id FROM {rows} WHERE {keyless} GROUP BY order_id, product_id HAVING count(*) > 1"),
        (
            "comparable",
            f"SELECT row_number, order_id, product_id, quantity, status, updated_at, {alike} AS alike, {BLOCK} "
            f"FROM {rows} SEMI JOIN repeated USING (order_id) WHERE {keyless}",
        ),
        (
            "counted",
            f"SELECT row_number, CASE WHEN {' OR '.join(replaced) or 'false'} THEN 0 ELSE {counted} END AS occurrence "
            f"FROM comparable {_PRODUCT}",
        ),
        (
            "numbered",
            f"SELECT {rows}.* REPLACE (nullif(counted.occurrence, 1) AS occurrence) "
            f"FROM {rows} LEFT JOIN counted USING (row_number)",
        ),
    ]


def without_copies(rows: str) -> list[Step]:
    """Return the steps, ending in `told_apart`, that mark rows which are wholly alike, as the file has them, but one.

    `occurrence` is 0 for all but the first of them.
    """
    return [
        (
            "repeated",
            f"SELECT hash(raw) AS alike FROM {rows} WHERE raw NOT LIKE '[%' GROUP BY alike HAVING count(*) > 1",
        ),
        (
            "copies",
            f"SELECT row_number FROM {rows} WHERE hash(raw) IN (SELECT alike FROM repeated) "
            "QUALIFY row_number() OVER (PARTITION BY raw ORDER BY row_number) > 1",
        ),
        (
            "told_apart",
            f"SELECT {rows}.* REPLACE (CASE WHEN copies.row_number IS NOT NULL THEN 0 END AS occurrence) "
            f"FROM {rows} LEFT JOIN copies ON {rows}.row_number = copies.row_number",
        ),
    ]
