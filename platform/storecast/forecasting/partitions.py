"""Partition keys of products: the product itself where Dagster accepts it and the catalogue is small enough."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from storecast.forecasting import contracts as c

LONGEST_KEY: Final = 200
GROUP: Final = "group-"
EMPTY_KEY: Final = "%empty"
REFUSED: Final = re.compile(r"\.\.\.|[%\x00-\x1f\x7f-\x9f]")
"""What a key may not hold: three dots (Dagster's mark of a range), control characters, and the escape itself."""


def partition_keys(product_ids: Sequence[str], limit: int, groups: int) -> pd.DataFrame:
    """The partition key of each product, in the order of the ids: the rows of `ops.product_partitions`.

    Up to `limit` products each has its own key; above it products share `groups` keys by a stable hash, so a product
    keeps its group as the catalogue grows. No two products share an own key. Raises `ValueError` for a number below 1.
    """
    for name, number in {"limit": limit, "groups": groups}.items():
        if number < 1:
            raise ValueError(f"{name} is {number}: allow at least one partition")
    distinct = sorted(set(product_ids))
    if len(distinct) <= limit:
        keys = [own_key(product_id) for product_id in distinct]
    else:
        keys = [group_key(product_id, groups) for product_id in distinct]
    return pd.DataFrame({c.PRODUCT_ID: distinct, c.PARTITION_KEY: keys})


def own_key(product_id: str) -> str:
    r"""A product's own partition key: its id with what Dagster refuses percent-encoded, an overlong one cut and hashed.

    Percent signs are encoded too, and `%s` never comes of encoding: so no two ids meet in one key.

    >>> own_key("0042"), own_key("a\tb"), own_key("50%...")
    ('0042', 'a%09b', '50%25%2E%2E%2E')
    """
    key = REFUSED.sub(_encoded, product_id) or EMPTY_KEY
    if len(key) <= LONGEST_KEY:
        return key
    mark = "%sha256-" + hashlib.sha256(product_id.encode("utf-8", "surrogatepass")).hexdigest()
    return key[: LONGEST_KEY - len(mark)] + mark


def group_key(product_id: str, groups: int) -> str:
    """The group that a product is in, of `groups`.

    >>> group_key("0042", 100) == group_key("0042", 100)
    True
    """
    digest = hashlib.sha256(product_id.encode("utf-8", "surrogatepass")).digest()
    return f"{GROUP}{int.from_bytes(digest[:8], 'big') % groups:03d}"


def _encoded(refused: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in refused[0].encode())
