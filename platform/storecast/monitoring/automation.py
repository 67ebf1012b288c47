"""Who looks whether something is wrong, and when: every minute, whatever runs, waits or has failed.

What broke on the way, and may be well the next time, is started again here: a run twice at most, as dagster.yaml says.
"""

import json
import os
import random
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import GRPC_INFO_TAG, RETRY_NUMBER_TAG, RETRY_ON_ASSET_OR_OP_FAILURE_TAG, WILL_RETRY_TAG

from storecast.monitoring import contracts as c
from storecast.monitoring import run_findings as f
from storecast.monitoring.notification import Say
from storecast.monitoring.watch import Look, look
from storecast.settings import Settings
from storecast.warehouse import LeaseError, Warehouse, is_transient, wait_seconds
from storecast.warehouse.resources import SettingsResource

LOOKS_EVERY_SECONDS = 60
PATIENCE_SECONDS = 10.0
"""Longest wait for the warehouse: a tick has a minute, and the next one comes anyway."""
MEMORY = timedelta(days=7)
"""How far back finished runs are looked at: a daemon that was away for longer misses failures of before."""

BY_HAND = "__ASSET_JOB"
PARTITION_TAGS = ("dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
AT_WORK = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
"""Not those that are only starting: one started again has its parent's server among its tags until then."""
STATUS = {
    AssetCheckExecutionRecordStatus.SUCCEEDED: f.PASSED,
    AssetCheckExecutionRecordStatus.FAILED: f.FAILED,
    AssetCheckExecutionRecordStatus.PLANNED: f.RUNNING,
}
SEVERITY = {dg.AssetCheckSeverity.WARN: c.WARNING, dg.AssetCheckSeverity.ERROR: c.ERROR}


@dg.sensor(
    minimum_interval_seconds=LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks for failed runs and checks, stale forecasts, stopped feeds and the rest of ops.alerts, and "
    "tells people. It does so itself: a run for it would wait behind one that hangs.",
)
def watch(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SkipReason:
    """Look once; all that is to be remembered is in ops.alerts and in the book of who was told, not in a cursor."""
    graph = context.repository_def.asset_graph if context.repository_def is not None else None
    checks = graph.asset_check_keys if graph is not None else set()
    shop = settings.get()
    try:
        seen = look_at_shop(shop, context.instance, checks, utc_now(), context.log.warning, PATIENCE_SECONDS)
    except LeaseError as error:
        return dg.SkipReason(f"busy, the next tick looks again: {error}")
    return dg.SkipReason(f"{seen.open_incidents} incidents are open, {seen.messages} messages went out")


def look_at_shop(
    settings: Settings,
    instance: dg.DagsterInstance,
    checks: Iterable[dg.AssetCheckKey],
    now: datetime,
    say: Say,
    patience_seconds: float | None = None,
) -> Look:
    """Judge runs, checks and tables at `now` (UTC without zone), keep ops.alerts, and tell the receivers.

    Raises `LeaseError` where the warehouse is busy for longer than `patience_seconds`, the settings' own by default.
    """
    warehouse = Warehouse.of(settings, patience_seconds)
    judged = f.judge_runs(finished_runs(instance, now - MEMORY)) | f.judge_checks(
        newest_checks(instance, checks), pd.Timestamp(now)
    )
    return look(settings, warehouse, judged, os.environ, now, say)


def finished_runs(instance: dg.DagsterInstance, since: datetime) -> pd.DataFrame:
    """Return runs that succeeded or failed since a moment (UTC without zone), columns `run_findings.RUNS`."""
    records = instance.get_run_records(dg.RunsFilter(statuses=FINISHED, updated_after=since.replace(tzinfo=UTC)))
    rows = [
        {
            f.JOB: _job_of(record.dagster_run),
            f.PARTITION: _partition_of(record.dagster_run),
            f.RUN_ID: record.dagster_run.run_id,
            f.HAS_FAILED: _has_failed(record.dagster_run),
            f.FINISHED_AT: _moment(record.end_time or record.update_timestamp.timestamp()),
        }
        for record in records
        if record.dagster_run.is_success or _has_failed(record.dagster_run)
    ]
    return pd.DataFrame(rows, columns=list(f.RUNS)).astype({f.HAS_FAILED: bool, f.FINISHED_AT: "datetime64[ns]"})


def newest_checks(instance: dg.DagsterInstance, checks: Iterable[dg.AssetCheckKey]) -> pd.DataFrame:
    """Return the newest execution of each check that has one, columns `run_findings.CHECKS`."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    rows = []
    for key, record in sorted(records.items(), key=lambda item: item[0].to_user_string()):
        event = record.event.dagster_event if record.event is not None else None
        is_judged = STATUS[record.status] != f.RUNNING and event is not None
        evaluation: Any = event.event_specific_data if is_judged and event is not None else None
        rows.append(
            {
                f.CHECK: f"{key.asset_key.to_user_string()} {key.name}",
                f.STATUS: STATUS[record.status],
                c.SEVERITY: SEVERITY[evaluation.severity] if evaluation is not None else c.ERROR,
                f.DESCRIPTION: (evaluation.description or "") if evaluation is not None else "",
            }
        )
    return pd.DataFrame(rows, columns=list(f.CHECKS)).astype(dict.fromkeys(f.CHECKS, object))


def utc_now() -> datetime:
    """Return this moment in UTC, without zone as the warehouse keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)


def _job_of(run: dg.DagsterRun) -> str:
    if run.job_name != BY_HAND:
        return run.job_name
    names = sorted(key.to_user_string() for key in run.asset_selection or ())
    others = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{others}" if names else "assets"


def _has_failed(run: dg.DagsterRun) -> bool:
    """Tell a run that failed, or was ended for taking too long, from one that a person has cancelled.

    Dagster says of the former, and of no other, whether it will be started again.
    """
    return run.status is dg.DagsterRunStatus.FAILURE or WILL_RETRY_TAG in run.tags


def _partition_of(run: dg.DagsterRun) -> str:
    """Return the one partition of a run; a range is the whole job, which asks for all keys by their range."""
    one, first, last = (run.tags.get(tag, "") for tag in PARTITION_TAGS)
    return one or (first if first == last else "")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


@dg.sensor(
    minimum_interval_seconds=LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs as failed whose processes went with the daemon that started them, so that they are started "
    "again and nothing waits for them. The daemon itself sees only those that it loses while it lives.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Look at the runs that should be at work: each names the server that is its process's parent."""
    at_work = context.instance.get_runs(dg.RunsFilter(statuses=AT_WORK))
    lost = [run for run in at_work if GRPC_INFO_TAG in run.tags and not _answers(json.loads(run.tags[GRPC_INFO_TAG]))]
    for run in lost:
        if run.status is dg.DagsterRunStatus.CANCELING:
            context.instance.report_run_canceled(run, message="its process is gone, as a person has asked for")
        else:
            context.instance.report_run_failed(run, "its process is gone with the server that started it")
    return dg.SkipReason(f"{len(lost)} of {len(at_work)} runs at work were lost")


@dg.failure_hook
def try_again(context: dg.HookContext) -> None:
    """Have Dagster start a run again from the step that failed where the error may pass, after a wait that doubles.

    A run that no daemon has started, such as one of `storecast run`, is not started again and does not wait.
    """
    run = context.instance.get_run_by_id(context.run_id)
    if run is not None and run.remote_job_origin is not None and is_transient(context.op_exception):
        context.instance.add_run_tags(run.run_id, {RETRY_ON_ASSET_OR_OP_FAILURE_TAG: "true"})
        time.sleep(wait_seconds(int(run.tags.get(RETRY_NUMBER_TAG, "0")) + 1, random.Random(run.run_id)))  # noqa: S311


def retried(assets: Iterable[Any]) -> list[Any]:
    """Return assets and specs, runs of which `try_again` has started again."""
    return [asset.with_hooks({try_again}) if isinstance(asset, dg.AssetsDefinition) else asset for asset in assets]


def _answers(server: Mapping[str, Any]) -> bool:
    """Tell whether a server listens on its socket or, where there are none, on its port."""
    at_socket = server.get("socket")
    with socket.socket(socket.AF_UNIX if at_socket else socket.AF_INET) as probe:
        return probe.connect_ex(at_socket or (server["host"], server["port"])) == 0


SENSORS = [watch, lost_runs]
