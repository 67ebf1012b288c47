"""Rows that are never changed: what comes out otherwise is the next edition, what does not is not kept twice."""

from collections.abc import Sequence
from typing import Final

from storecast.feedback import contracts as f
from storecast.warehouse.database import quote

DIGITS: Final = 9
"""Decimals of sums: far below what any figure here is read to, and as many as 29 digits before the point allow."""


def exact_sum(amount: str, where: str = "true") -> str:
    """SQL of a sum that does not depend on the order of its rows, as a sum of floating-point numbers does.

    A figure made of such sums comes out the same to the last bit however the rows lie and however many threads read
    them, so that only what really differs makes an edition.
    """
    return f"sum((case when {where} then {amount} end)::decimal(38, {DIGITS}))::double"


def newest_sql(relation: str, keys: Sequence[str], where: str = "true") -> str:
    """SQL of the rows of a relation that are of the newest edition of their `keys`, among those for which `where`."""
    listed = _listed(keys)
    return (
        f"select kept.* from {relation} as kept semi join ("
        f"select {listed}, max({f.EDITION}) as {f.EDITION} from {relation} where {where} group by {listed}"
        f") as newest using ({listed}, {f.EDITION}) where {where}"
    )


def new_editions_sql(found: str, kept: str, keys: Sequence[str], content: Sequence[str]) -> str:
    """SQL of what must be kept of `found`: all rows of those `keys` of which a row is not as in the newest edition.

    `found` and `kept` are queries; both have the columns `keys` and `content`, `kept` an edition too. What lies in
    `kept` and not in `found` stays as it is. The result has the columns of `found` and the edition, from 1.
    """
    listed, compared = _listed(keys), _listed([*keys, *content])
    return f"""
        with found as materialized ({found}),
        newest as materialized ({newest_sql(f"({kept})", keys)}),
        editions as (select {listed}, max({f.EDITION}) as {f.EDITION} from newest group by {listed}),
        changed as (
            (select {compared} from found except select {compared} from newest)
            union all
            (select {compared} from newest semi join found using ({listed}) except select {compared} from found)
        )
        select found.*, coalesce(editions.{f.EDITION}, 0) + 1 as {f.EDITION}
        from found
        semi join changed using ({listed})
        left join editions using ({listed})
    """


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(quote(column) for column in columns)
