"""Rules that need more than one column, or more than one line of an order."""

import pandas as pd
import pandera.pandas as pa

from storecast.ingestion.contracts import rule_text


def with_order_currency(rows: str, entity: str, currency: str) -> str:
    """Return an entity's bronze rows as a relation with `order_currency`: what other lines of the order are paid in.

    It is null where they are paid in `currency`, where the line names its own foreign one, and in other entities.
    """
    if entity != "order_lines":
        return f"(SELECT *, NULL AS order_currency FROM {rows})"
    ours = "'" + currency.replace("'", "''") + "'"
    is_foreign = f"trim(currency) <> '' AND currency <> {ours}"
    return f"""(
        SELECT line.*, CASE WHEN coalesce({is_foreign}, false) THEN NULL ELSE found.currencies END AS order_currency
        FROM {rows} AS line
        LEFT JOIN (
            SELECT file_sha256, order_id, string_agg(DISTINCT currency, ', ' ORDER BY currency) AS currencies
            FROM {rows} WHERE {is_foreign} AND trim(order_id) <> '' GROUP BY ALL
        ) AS found ON line.file_sha256 = found.file_sha256 AND line.order_id = found.order_id
    )"""


def orders_in_currency(frame: pd.DataFrame, rule: str) -> list[pa.Check]:
    """Return the checks of `order_id` that reject a line of an order in another currency; `rule` says which is ours."""
    currencies = frame["order_currency"]
    return [_order_in(name, currencies != name, rule) for name in sorted(currencies.dropna().unique())]


def excuse_cancelled(column: pa.Column, frame: pd.DataFrame) -> None:
    """Let a cancelled line have no quantity or 0, and a line that is cancelled or of quantity 0 no price."""
    excused = frame["status"].eq("cancelled").fillna(value=False)
    if column.name != "quantity":
        excused |= frame["quantity"].eq(0)
    column.nullable = True
    checks = [_unless(excused, check) if check.name == "not_equal_to" else check for check in column.checks]
    column.checks = [*checks, pa.Check(lambda cells: cells.notna() | excused, error="missing", ignore_na=False)]


def _order_in(currency: str, others: pd.Series, rule: str) -> pa.Check:
    return pa.Check(
        lambda ids: others.loc[ids.index], name="order_in_currency", error=f"is an order in {currency}: {rule}"
    )


def _unless(excused: pd.Series, check: pa.Check) -> pa.Check:
    forbidden = (check.statistics or {})["value"]
    return pa.Check(
        lambda cells: (cells != forbidden) | excused.loc[cells.index], name=check.name, error=rule_text(check)
    )
