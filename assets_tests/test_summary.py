from pathlib import Path

import pandas as pd
from click.testing import CliRunner

from storecast.cli import main
from storecast.ingestion.missing.contracts import DataGaps
from storecast.monitoring import contracts as c
from storecast.monitoring.incidents import no_alerts
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types


def status(rows: list[dict[str, object]]) -> str:
    alerts = pd.DataFrame(rows, columns=list(no_alerts().columns)).astype(no_alerts().dtypes.to_dict())
    Warehouse(Path("data/warehouse.duckdb")).replace_table("ops.alerts", alerts, sql_types(c.Alerts))
    return CliRunner().invoke(main, ["status"], catch_exceptions=False).output


def incident(kind: str, subject: str, minute: int, **more: object) -> dict[str, object]:
    moment = pd.Timestamp(f"2026-11-20 12:{minute:02d}")
    told = {c.SEVERITY: c.ERROR, c.MESSAGE: f"{subject} is wrong", c.NEXT_STEP: f"mend {subject}"}
    return {c.KIND: kind, c.SUBJECT: subject, c.OPENED_AT: moment, c.LAST_SEEN_AT: moment, **told, **more}


def test_status_shows_what_is_open_with_one_next_step_for_each_kind():
    told = status(
        [
            incident(c.STALE_FORECASTS, "P2", 2),
            incident(c.STALE_FORECASTS, "P1", 1),
            incident(c.BIAS, "all products", 3, severity=c.WARNING),
            incident(c.RUN_FAILURE, "train", 0, resolved_at=pd.Timestamp("2026-11-20 13:00")),
        ]
    )
    assert told.splitlines()[1:] == [
        "",
        "Open incidents:",
        "  error: stale forecasts: P1 and 1 more: P1 is wrong",
        "    since 2026-11-20 12:01 UTC; next: mend P1",
        "  warning: bias: all products: all products is wrong",
        "    since 2026-11-20 12:03 UTC; next: mend all products",
    ]


def test_a_summary_says_what_is_missing_a_line_each():
    names = list(DataGaps.to_schema().columns)
    gaps = pd.DataFrame(
        [
            {"kind": "closed", "subject": f"{n}", "is_last": False, "message": f"gap {n}", "next_step": "x"}
            for n in range(12)
        ],
        columns=names,
    )
    days = {"first_date": "datetime64[ns]", "last_date": "datetime64[ns]"}
    warehouse = Warehouse(Path("data/warehouse.duckdb"))
    warehouse.replace_table("ops.data_gaps", gaps.astype(days), sql_types(DataGaps))
    lines = status([]).splitlines()
    assert lines[1:4] == ["Missing:", "  gap 0; next: x", "  gap 1; next: x"]
    assert lines[11:13] == ["  gap 9; next: x", "  and 2 more in ops.data_gaps"]


def test_status_says_nothing_of_incidents_where_none_is_open():
    assert "incidents" not in status([])
