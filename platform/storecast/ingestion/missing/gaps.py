"""What is missing, as one table: what the files say of it, what the channels' days say, what was set aside."""

from typing import Any, Final

import pandas as pd

from storecast.ingestion.missing import contracts as c
from storecast.ingestion.missing.lonely_dates import IS_LONELY
from storecast.warehouse import Warehouse

GAPS_SQL: Final = """
    select string_agg(channel, ', ' order by channel) as channel, first_date, last_date, silent_days, is_last, is_alone,
        gap_kind
    from silver.sales_gaps
    where gap_kind <> 'season'
    group by first_date, last_date, silent_days, is_last, is_alone, gap_kind, if(gap_kind = 'closed', null, channel)
    order by first_date, channel
"""
CUT_SQL: Final = "select channel, date from silver.cut_days order by channel"
LONELY_SQL: Final = f"""
    select entity, count(*) as rows, min(reasons) as reasons from ops.quarantine
    where {IS_LONELY} group by entity order by entity
"""
KINDS: Final = {"not_recorded": c.NOT_RECORDED, "ended": c.CHANNEL_ENDED, "closed": c.CLOSED}
DELIVER: Final = "deliver the export of these days; if it is right that nothing sold, deliver daily totals of 0"


def gaps_table(warehouse: Warehouse, files: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the rows of `ops.data_gaps`: `files` are those of `missing_files`, the rest come from silver and ops."""
    silent = [_silence(row) for row in warehouse.read(GAPS_SQL).to_dict("records")]
    cut = [_cut_day(row) for row in warehouse.read(CUT_SQL).to_dict("records")]
    lonely = [_lonely(row) for row in warehouse.read(LONELY_SQL).to_dict("records")]
    table = pd.DataFrame([*files, *silent, *cut, *lonely], columns=list(c.DataGaps.to_schema().columns))
    order = table[c.KIND].map(c.GAP_KINDS.index)
    days = {c.FIRST_DATE: "datetime64[ns]", c.LAST_DATE: "datetime64[ns]", c.IS_LAST: bool}
    return table.astype(days).iloc[order.argsort(kind="stable")].reset_index(drop=True)


def _silence(row: dict[Any, Any]) -> dict[str, Any]:
    days = f"{row['first_date']:%Y-%m-%d} to {row['last_date']:%Y-%m-%d}"
    told = {
        "not_recorded": f"nothing of {row['channel']} was delivered for {row['silent_days']} days, {days}, while "
        f"{'other channels sold' if row['is_alone'] else 'no channel sold'}: what it sold then is unknown, not 0",
        "ended": f"nothing of {row['channel']} came since {row['first_date']:%Y-%m-%d}, for {row['silent_days']} days: "
        "it counts as ended, without demand",
        "closed": f"no channel sold anything for {row['silent_days']} days, {days}: the shop counts as closed, "
        "without demand",
    }
    return {
        c.KIND: KINDS[row["gap_kind"]],
        c.SUBJECT: f"sales in {row['channel']}, {days}",
        c.CHANNEL: row["channel"],
        c.FIRST_DATE: row["first_date"],
        c.LAST_DATE: row["last_date"],
        c.IS_LAST: row["is_last"],
        c.MESSAGE: told[row["gap_kind"]],
        c.NEXT_STEP: DELIVER
        if row["gap_kind"] == "not_recorded"
        else "deliver the export of these days if it did sell",
    }


def _cut_day(row: dict[Any, Any]) -> dict[str, Any]:
    day = f"{row['date']:%Y-%m-%d}"
    return {
        c.KIND: c.DAY_NOT_OVER,
        c.SUBJECT: f"sales in {row['channel']}, {day}",
        c.CHANNEL: row["channel"],
        c.FIRST_DATE: row["date"],
        c.LAST_DATE: row["date"],
        c.IS_LAST: True,
        c.MESSAGE: f"the export of {row['channel']} ends before {day} is over: that day counts once it is complete",
        c.NEXT_STEP: "deliver it with the next day's export",
    }


def _lonely(row: dict[Any, Any]) -> dict[str, Any]:
    more = f" and {row['rows'] - 1:,} more" if row["rows"] > 1 else ""
    return {
        c.KIND: c.LONELY_DATE,
        c.SUBJECT: f"dates of {row['entity']}",
        c.IS_LAST: False,
        c.MESSAGE: f"set aside: {row['reasons'].partition(': correct')[0]}{more}",
        c.NEXT_STEP: f"`storecast quarantine --entity {row['entity']}` shows it; correct the date in its file",
    }
