"""Fields that belong to a whole order but stand on one of its rows only, as shop systems export them."""

from collections.abc import Sequence

ORDER_FIELDS = ("ordered_at", "channel", "customer_id", "seller_id", "status", "country", "currency")


def carried_down(rows: str, fields: Sequence[str]) -> str:
    """Return the query in which blanks take the value that stands on their order's first row.

    They take it only where no other row of the order has a different one. `rows` names a relation of one file's rows
    with `row_number` and `order_id`; a row without an order's id is no part of an order.
    """
    only = ", ".join(
        f"CASE WHEN min({_filled(name)}) = max({_filled(name)}) THEN arg_min_null({_filled(name)}, row_number) END "
        f"AS first_{name}"
        for name in fields
    )
    has_blanks = " OR ".join(f"count({_filled(name)}) BETWEEN 1 AND count(*) - 1" for name in fields)
    taken = ", ".join(f"coalesce({_filled(name)}, first_{name}) AS {name}" for name in fields)
    return f"""
        SELECT {rows}.* REPLACE ({taken})
        FROM {rows}
        LEFT JOIN (
            SELECT order_id, {only} FROM {rows} WHERE trim(order_id) <> '' GROUP BY order_id HAVING {has_blanks}
        ) AS whole_order ON {rows}.order_id = whole_order.order_id
    """


def merged(rows: str, fields: Sequence[str]) -> str:
    """Return the query in which all rows of an order that stand side by side say the same: each field's first value.

    So an order's header can be made of a file with a row a line. Where an order comes back after another order's rows,
    those are its newer state; what they leave blank they take from its first rows. `rows` has a `block` too.
    """
    first = ", ".join(f"arg_min({_filled(name)}, row_number) AS first_{name}" for name in fields)
    taken = ", ".join(
        f"coalesce(side_by_side.first_{name}, {_filled(f'{rows}.{name}')}, whole_order.first_{name}) AS {name}"
        for name in fields
    )
    several = "WHERE trim(order_id) <> '' GROUP BY ALL HAVING count(*) > 1"
    return f"""
        SELECT {rows}.* REPLACE ({taken})
        FROM {rows}
        LEFT JOIN (SELECT order_id, {first} FROM {rows} {several}) AS whole_order
            ON {rows}.order_id = whole_order.order_id
        LEFT JOIN (SELECT block, {first} FROM {rows} {several}) AS side_by_side
            ON {rows}.block = side_by_side.block
    """


def in_blocks(rows: str) -> str:
    """Return the query that gives the rows of one order that stand side by side a number of their own: `block`."""
    return f"""
        SELECT * EXCLUDE (is_first), count_if(is_first) OVER (ORDER BY row_number) AS block
        FROM (SELECT *, order_id IS DISTINCT FROM lag(order_id) OVER (ORDER BY row_number) AS is_first FROM {rows})
    """


def _filled(name: str) -> str:
    return f"nullif(trim({name}), '')"
