"""Fields that belong to a whole order but stand on one of its rows only, as shop systems export them."""

from collections.abc import Sequence

ORDER_FIELDS = ("ordered_at", "channel", "customer_id", "seller_id", "status", "country", "currency")

Step = tuple[str, str]
"""A name and the query that later steps call by it."""

IN_ORDER = "trim(order_id) <> ''"

NOT_COMPARED = "updated_at"
"""A line that differs from another in this only is the same line."""

BLOCK = "row_number - row_number() OVER (PARTITION BY order_id ORDER BY row_number) AS block"
"""Rows of one order that stand side by side in their file have the same number."""


def carried_down(rows: str, fields: Sequence[str]) -> list[Step]:
    """Return the steps, ending in `carried`, in which blanks take the value that stands on their order's first row.

    They take it only where no other row has a different one: of the rows side by side, else of all the order's rows.
    `rows` names a relation of one file's rows. A row without an order's id is no part of an order.
    """
    blanks = " OR ".join(f"count({_filled(name)}) BETWEEN 1 AND count(*) - 1" for name in fields)
    cells = ", ".join(f"{_filled(name)} AS {name}" for name in fields)
    taken = ", ".join(f"coalesce({rows}.{name}, in_order.{name}) AS {name}" for name in fields)
    return [
        ("partly_blank", f"SELECT order_id FROM {rows} WHERE {IN_ORDER} GROUP BY order_id HAVING {blanks}"),
        ("apart", f"SELECT row_number, order_id, {cells}, {BLOCK} FROM {rows} SEMI JOIN partly_blank USING (order_id)"),
        ("in_block", _filled_within("apart", fields, "order_id, block")),
        ("in_order", _filled_within("in_block", fields, "order_id")),
        ("carried", f"SELECT {rows}.* REPLACE ({taken}) FROM {rows} LEFT JOIN in_order USING (row_number)"),
    ]


def merged(rows: str, fields: Sequence[str]) -> list[Step]:
    """Return the steps, ending in `merged`, in which all rows of an order that stand side by side say the same.

    Each field is the first that is not blank, so that an order's header can be made of a file with a row a line. Where
    an order comes back after another order's rows, those are its newer state; what they leave blank its first rows say.
    """
    cells = ", ".join(f"{_filled(name)} AS {name}" for name in fields)
    first = ", ".join(f"arg_min({name}, row_number) AS {name}" for name in fields)
    said = ", ".join(f"coalesce(of_block.{name}, of_order.{name}) AS {name}" for name in fields)
    taken = ", ".join(f"coalesce(said.{name}, {rows}.{name}) AS {name}" for name in fields)
    return [
        ("several", f"SELECT order_id FROM {rows} WHERE {IN_ORDER} GROUP BY order_id HAVING count(*) > 1"),
        ("apart", f"SELECT row_number, order_id, {cells}, {BLOCK} FROM {rows} SEMI JOIN several USING (order_id)"),
        ("of_block", f"SELECT order_id, block, {first} FROM apart GROUP BY order_id, block"),
        ("of_order", f"SELECT order_id, {first} FROM apart GROUP BY order_id"),
        (
            "said",
            f"SELECT row_number, {said} FROM apart INNER JOIN of_block USING (order_id, block) "
            "INNER JOIN of_order USING (order_id)",
        ),
        ("merged", f"SELECT {rows}.* REPLACE ({taken}) FROM {rows} LEFT JOIN said USING (row_number)"),
    ]


def _filled_within(rows: str, fields: Sequence[str], group: str) -> str:
    """Return the query in which blanks take their group's first value where it has no other."""
    alone = ", ".join(
        f"CASE WHEN min({name}) = max({name}) THEN arg_min_null({name}, row_number) END AS {name}" for name in fields
    )
    taken = ", ".join(f"coalesce({rows}.{name}, alone.{name}) AS {name}" for name in fields)
    return (
        f"SELECT {rows}.* REPLACE ({taken}) FROM {rows} "
        f"INNER JOIN (SELECT {group}, {alone} FROM {rows} GROUP BY {group}) AS alone USING ({group})"
    )


def _filled(name: str) -> str:
    return f"nullif(trim({name}), '')"
