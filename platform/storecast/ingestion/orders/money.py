"""Money as exports hold it: prices that are the line's total, discounts and taxes of a line or of a whole order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from storecast.ingestion.orders.order_fields import IN_ORDER, NOT_COMPARED, Step

PerLine = Literal["line", "order"]


@dataclass(frozen=True)
class Money:
    """What the columns `unit_price`, `discount` and `tax` of a feed's order lines hold.

    - `price_is`: the price of a piece, or of all pieces of the line.
    - `discount_of`, `tax_of`: whose money the column is; None where there is none.
    - `tax_is`: whether prices include the tax; `tax_rate` (0.19 is 19 %) where no column says how much it is.
    """

    price_is: Literal["unit", "line_total"] = "unit"
    discount_of: PerLine | None = None
    tax_of: PerLine | None = None
    tax_is: Literal["included", "added"] = "included"
    tax_rate: float | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the price is what was paid for a piece, without more ado."""
        return self == Money()


def paid(rows: str, columns: Sequence[str], money: Money) -> list[Step]:
    """Return the steps, ending in `paid`, that make `unit_price` what a piece cost after discount and without tax.

    `discount` and `tax` become the line's own: an order's amount is shared over its lines by their value, exactly and
    to the cent; copies of a line have no share of their own. A line whose numbers do not read stays as it is, for the
    contract to judge; one without pieces has no price. Amounts of returned lines count whichever sign they have.
    """
    is_total = money.price_is == "line_total"
    discount = _share("discount") if money.discount_of == "order" else "of_discount"
    tax = _share("tax") if money.tax_of == "order" else "of_tax"
    same = ", ".join(name for name in columns if name != NOT_COMPARED)
    return [
        (
            "amounts",
            f"SELECT row_number, order_id, coalesce(occurrence, 1) AS occurrence, hash({same}) AS alike, "
            f"{_QUANTITY} AS quantity, {_PRICE} AS price, {_DISCOUNT} AS of_discount, {_TAX} AS of_tax "
            f"FROM {rows} WHERE {IN_ORDER} AND {_READS}",
        ),
        (
            "lines",
            "SELECT order_id, alike, occurrence, min(row_number) AS row_number, any_value(quantity) AS quantity, "
            f"any_value({_WORTH_OF_TOTAL if is_total else _WORTH_OF_PIECES}) AS worth, "
            "any_value(of_discount) AS of_discount, any_value(of_tax) AS of_tax "
            "FROM amounts WHERE occurrence > 0 GROUP BY order_id, alike, occurrence",
        ),
        (
            "weighted",
            "SELECT *, "
            "CASE WHEN quantity > 0 OR count_if(quantity > 0) OVER whole = 0 THEN worth ELSE 0 END AS weight, "
            "arg_min(of_discount, row_number) OVER whole AS order_discount, "
            "arg_min(of_tax, row_number) OVER whole AS order_tax "
            "FROM lines WINDOW whole AS (PARTITION BY order_id)",
        ),
        (
            "shares",
            f"SELECT *, {discount} AS discount, {tax} AS tax FROM weighted "
            "WINDOW whole AS (PARTITION BY order_id), so_far AS (PARTITION BY order_id ORDER BY row_number)",
        ),
        (
            "nets",
            f"SELECT order_id, alike, occurrence, quantity, worth, discount, "
            f"{_taxed(money)} AS tax, {_net(money)} AS net FROM shares",
        ),
        (
            "paid",
            f"SELECT {rows}.* REPLACE ({_price_of_a_piece(rows, is_total=is_total)} AS unit_price, "
            f"coalesce(CAST(nets.discount AS VARCHAR), {rows}.discount) AS discount, "
            f"coalesce(CAST(nets.tax AS VARCHAR), {rows}.tax) AS tax) "
            f"FROM {rows} LEFT JOIN amounts USING (row_number) "
            "LEFT JOIN nets ON amounts.order_id = nets.order_id AND amounts.alike = nets.alike "
            "AND amounts.occurrence = nets.occurrence",
        ),
    ]


_QUANTITY, _PRICE = "try_cast(quantity AS DOUBLE)", "try_cast(unit_price AS DOUBLE)"
_DISCOUNT = "try_cast(discount AS DECIMAL(18, 6))"
_TAX = "abs(try_cast(tax AS DECIMAL(18, 6)))"
_READS = (
    f"{_QUANTITY} IS NOT NULL AND {_PRICE} IS NOT NULL AND (trim(discount) <> '' IS NOT TRUE OR {_DISCOUNT} >= 0) "
    f"AND (trim(tax) <> '' IS NOT TRUE OR {_TAX} IS NOT NULL)"
)
_WORTH_OF_PIECES = "price * abs(quantity)"
_WORTH_OF_TOTAL = "if(quantity < 0, abs(price), price)"


def _share(name: str) -> str:
    """Return a line's share of its order's amount: what is due up to this line less what was due before it."""
    due = f"CAST(round(order_{name} * {{value}} / nullif(sum(weight) OVER whole, 0), 2) AS DECIMAL(18, 2))"
    return f"{due.format(value='sum(weight) OVER so_far')} - {due.format(value='(sum(weight) OVER so_far - weight)')}"


def _taxed(money: Money) -> str:
    """Return the tax on a line as the mapping tells it."""
    if money.tax_rate is None:
        return "tax"
    base = "(worth - coalesce(discount, 0))"
    if money.tax_is == "added":
        return f"round({base} * {money.tax_rate}, 6)"
    return f"round({base} - {base} / {1 + money.tax_rate}, 6)"


def _net(money: Money) -> str:
    """Return what a line is worth after discount and without tax."""
    discounted = "worth - coalesce(discount, 0)"
    if money.tax_is == "added":
        return discounted
    if money.tax_rate is not None:
        return f"({discounted}) / {1 + money.tax_rate}"
    return f"{discounted} - coalesce(tax, 0)" if money.tax_of else discounted


def _price_of_a_piece(rows: str, *, is_total: bool) -> str:
    """Return the price as text: the file's own where nothing changes it, none for a line without pieces."""
    own = "" if is_total else f"WHEN nets.net = nets.worth THEN {rows}.unit_price "
    return (
        f"CASE WHEN nets.order_id IS NULL THEN {rows}.unit_price {own}"
        "WHEN nets.quantity = 0 THEN NULL ELSE CAST(nets.net / abs(nets.quantity) AS VARCHAR) END"
    )
