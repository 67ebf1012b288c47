"""What a run prints while it works."""

import dagster as dg

from storecast.progress import progress_logger
from storecast.warehouse.resources import PROGRESS


@dg.asset(key=["gold", "good"])
def good(context: dg.AssetExecutionContext) -> None:
    context.log.info("half of it", extra=PROGRESS)
    context.log.info("not for the terminal")


@dg.asset(key=["gold", "bad"], deps=[good])
def bad() -> None:
    raise ValueError("column units: 'abc'")


@dg.asset_check(asset=good)
def never_passes() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False)


def test_each_asset_gets_a_line_and_what_fails_is_named(capsys):
    job = dg.define_asset_job("all", selection="*")
    definitions = dg.Definitions(
        assets=[good, bad], asset_checks=[never_passes], jobs=[job], loggers={"progress": progress_logger}
    )
    definitions.resolve_job_def("all").execute_in_process(
        raise_on_error=False, run_config={"loggers": {"progress": {}}}
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["·", "half", "of", "it"] in lines
    assert [line[:2] for line in lines if line[0] == "✓"] == [["✓", "gold.good"]]
    assert ["✗", "gold.bad", "failed"] in lines
    assert ["!", "check", "never_passes", "of", "gold/good", "did", "not", "pass"] in lines
    assert not any("terminal" in line for line in lines)
