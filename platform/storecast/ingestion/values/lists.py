"""Lists in JSON lines: `$.line_items[*].sku` is one row an item, `$.line_items[0].sku` must not drop the others."""

import re
from collections.abc import Iterable

EVERY = "[*]"
_PLACE = re.compile(r"\[\d+\]")


def list_of(paths: Iterable[str]) -> str | None:
    """Return the path of the list whose items are rows, None where no path has `[*]`.

    Raises `ValueError` where paths go through two lists: their items do not belong together.

    >>> list_of(["$.name", "$.line_items[*].sku", "$.line_items[*].price"])
    '$.line_items'
    """
    lists = sorted({path.partition(EVERY)[0] for path in paths if EVERY in path})
    deep = [path for path in paths if path.count(EVERY) > 1]
    if deep or len(lists) > 1:
        message = f"columns go through more than one list ({', '.join(deep or lists)}): use [*] on one list a feed"
        raise ValueError(message)
    return lists[0] if lists else None


def item_path(path: str) -> str:
    """Return where a value stands in its item.

    >>> item_path("$.line_items[*].sku"), item_path("$.tags[*]")
    ('$.sku', '$')
    """
    return f"${path.partition(EVERY)[2]}"


def place_of(path: str) -> str | None:
    """Return the path of the list of which a path takes one place.

    >>> place_of("$.items[0].sku"), place_of("$.items[*].sku")
    ('$.items', None)
    """
    found = _PLACE.search(path)
    return path[: found.start()] if found else None


def rows_of_items(path: str) -> str:
    """Return the relation of JSON lines with a row an item, in column `item`; a line without items keeps one row."""
    where = path.replace("'", "''")
    return f"""(
    SELECT row_number() OVER (ORDER BY _row_number, place) AS _row_number, _malformed, _raw, line, item
    FROM (
        SELECT *, unnest(items) AS item, generate_subscripts(items, 1) AS place
        FROM (
            SELECT *, CASE
                WHEN json_type(line, '{where}') = 'OBJECT' THEN [json_extract(line, '{where}')]
                WHEN json_array_length(line, '{where}') > 0 THEN json_extract(line, '{where}[*]')
                ELSE [CAST(NULL AS JSON)]
            END AS items
            FROM raw
        )
    )
)"""
