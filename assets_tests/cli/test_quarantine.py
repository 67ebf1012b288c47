"""`storecast quarantine`: the newest first, by file and reason, with counts; hostile values are shown, not obeyed."""

import fcntl
import re

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from storecast.cli import main
from storecast.ingestion.account_contracts import LandedFiles, Quarantine
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.publishing import publish

OLD, NEW = pd.Timestamp("2026-11-01 03:30"), pd.Timestamp("2026-11-20 03:30")
FILES = {"a" * 64: "orders/old.csv", "b" * 64: "orders/new.csv", "c" * 64: "prices\x1b[2J.csv"}


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


def set_aside(settings: Settings, rows: list[tuple[str, str, int, str, pd.Timestamp]]) -> None:
    """Fill the tables: rows are (entity, first letter of the file, row number, reasons, moment)."""
    frame = pd.DataFrame(rows, columns=["entity", "file_sha256", "row_number", "reasons", "quarantined_at"])
    frame = frame.assign(file_sha256=frame["file_sha256"] * 64, source="demo", raw="{}")
    files = pd.DataFrame({"file_sha256": list(FILES), "path": list(FILES.values())}).assign(
        source="demo", feed="f", bytes=1, rows=1, landed_at=OLD, delivered_at=OLD, delivered_by="modified"
    )
    warehouse = Warehouse.of(settings)
    warehouse.replace_table("ops.quarantine", frame, sql_types(Quarantine))
    warehouse.replace_table("ops.landed_files", files, sql_types(LandedFiles))


def ask(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["quarantine", "--data-dir", str(settings.data_dir), *arguments])


def test_the_newest_come_first_grouped_by_file_and_reason_with_counts_and_a_total(settings):
    old = [("order_lines", "a", row, f"quantity: 'x{row}' is not a number", OLD) for row in range(1, 31)]
    broken = """product_id: missing, but required; unit_price: "-{}'" must be at least 0"""
    new = [("order_lines", "b", row, broken.format(row), NEW) for row in range(1, 6)]
    set_aside(settings, [*old, *new, ("prices", "b", 7, "unit_price: '0' must be more than 0", NEW)])
    told = ask(settings)
    assert told.exit_code == 0
    _, first, second, third, total = told.output.splitlines()
    assert re.split(r"\s{2,}", first) == [
        "2026-11-20 03:30",
        "5",
        "order_lines",
        "orders/new.csv",
        """product_id: missing, but required; unit_price: "-1'" must be at least 0 (row 1)""",
    ]
    assert re.split(r"\s{2,}", second)[1:4] == ["1", "prices", "orders/new.csv"]
    assert re.split(r"\s{2,}", third)[:4] == ["2026-11-01 03:30", "30", "order_lines", "orders/old.csv"]
    assert total == "36 of 36 rows are shown, in 3 of 3 lines."


def test_what_a_limit_leaves_out_is_counted(settings):
    set_aside(settings, [("orders", letter, 1, "status: 'x' must be one of placed", OLD) for letter in "abc"])
    assert ask(settings, "--limit", "1").output.splitlines()[-1] == (
        "1 of 3 rows are shown, in 1 of 3 lines; --limit shows more."
    )


def test_only_an_entity_s_rows_are_shown_and_one_that_does_not_exist_is_an_error_with_the_known_ones(settings):
    set_aside(settings, [("orders", "a", 1, "order_id: missing, but required", OLD)])
    assert ask(settings, "--entity", "orders").output.splitlines()[-1].startswith("1 of 1 rows of orders")
    assert ask(settings, "--entity", "prices").output == "no row of prices is in quarantine\n"
    unknown = ask(settings, "--entity", "order_line")
    assert unknown.exit_code == 1
    assert unknown.stderr.startswith("error: --entity is 'order_line', which is none; there are orders, order_lines, ")


def test_a_shop_without_any_run_has_no_row_there(settings):
    assert ask(settings).output == "no row is in quarantine\n"


def test_control_characters_of_cells_and_file_names_are_shown_and_not_obeyed(settings):
    hostile = "status: '\x1b[2J\x07\u202e' must be one of placed"
    set_aside(settings, [("orders", "c", 1, hostile, OLD)])
    told = ask(settings).output
    assert all(sign.isprintable() or sign == "\n" for sign in told)
    assert r"\x1b[2J\x07\u202e" in told
    assert r"prices\x1b[2J.csv" in told


def test_while_the_pipeline_writes_the_published_copy_answers_and_says_so(settings):
    set_aside(settings, [("orders", "a", 1, "order_id: missing, but required", OLD)])
    publish(Warehouse.of(settings), settings.published_path)
    with settings.warehouse_path.with_name("warehouse.duckdb.lease.lock").open() as writer:
        fcntl.flock(writer, fcntl.LOCK_EX)
        told = ask(settings).output
    assert "1 of 1 rows" in told
    assert told.splitlines()[-1] == "(As last published: the warehouse itself cannot be read at this moment.)"
