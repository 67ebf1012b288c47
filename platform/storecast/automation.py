"""The jobs of the main line, how one follows the other, and how `storecast run` executes them.

Each room's own sensors and schedules lie in its `automation` module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG, PRIORITY_TAG

from storecast.forecasting.assets import PRODUCTS
from storecast.monitoring.automation import look_at_shop
from storecast.settings import Settings
from storecast.shop import StageError
from storecast.warehouse import LeaseError
from storecast.warehouse.assets import PUBLISHED

CHAINED_BY = "storecast/chained_by"
CLI = "storecast_run"
TUNING_CLI = "storecast_tune"
FIRST_IN_QUEUE = {PRIORITY_TAG: "1"}
"""Runs wait for each other; forecasts do not wait for a training that waits too."""

PARTITIONED = dg.AssetSelection.assets("gold/demand_forecasts", "gold/forecast_explanations", "gold/revenue_forecasts")
PARTITION_TABLE = dg.AssetSelection.assets("ops/product_partitions")
LOST_DEMAND = dg.AssetSelection.assets("gold/lost_demand")
DATA = dg.AssetSelection.groups("ingestion", "silver", "gold") | PARTITION_TABLE | LOST_DEMAND
LEVELS = dg.AssetSelection.assets("gold/level_forecasts")
TUNED = dg.AssetSelection.assets("ops/tuned_parameters")
BESIDE_TRAINING = PARTITIONED | PARTITION_TABLE | LEVELS | LOST_DEMAND | TUNED
TRAINING = dg.AssetSelection.groups("forecasting", "registry") - BESIDE_TRAINING
PUBLICATION = LEVELS | dg.AssetSelection.groups("feedback", "monitoring") | dg.AssetSelection.assets(PUBLISHED)


@dataclass(frozen=True)
class StageResult:
    """One finished stage: its name, its Dagster run, its seconds."""

    stage: str
    run_id: str
    seconds: float


JOBS = {
    "refresh": dg.define_asset_job(
        "refresh", DATA, description="Source files to gold: land, judge, transform, reconcile."
    ),
    "train": dg.define_asset_job(
        "train", TRAINING, description="Back-test, choose champions, fit and register the model."
    ),
    "forecast": dg.define_asset_job(
        "forecast", PARTITIONED, description="Forecast the products of the partition keys.", tags=FIRST_IN_QUEUE
    ),
    "publish": dg.define_asset_job(
        "publish",
        PUBLICATION,
        description="Add up to levels, keep and score, report drift, publish what people read.",
        tags=FIRST_IN_QUEUE,
    ),
}
"""The four stages of the main line, in order; each can be started by hand from the UI."""

TUNE = dg.define_asset_job("tune", TUNED, description="Tune a global model for some minutes; no part of the main line.")


def followers() -> list[dg.SensorDefinition]:
    """Return the sensors that start each stage when the one before it succeeded."""
    return [_follower(before, after) for before, after in pairwise(JOBS)]


def _follower(before: str, after: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"{after}_follows_{before}",
        run_status=dg.DagsterRunStatus.SUCCESS,
        monitored_jobs=[JOBS[before]],
        request_job=JOBS[after],
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=5,
        description=f"Starts `{after}` when `{before}` succeeded, unless that run belongs to `storecast run`.",
    )
    def follow(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        if CHAINED_BY in context.dagster_run.tags:
            return dg.SkipReason(f"run {context.dagster_run.run_id} is chained by its starter")
        tags = partition_range(context.instance) if after == "forecast" else {}
        return dg.RunRequest(run_key=context.dagster_run.run_id, job_name=after, tags=tags)

    return follow


def partition_range(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return the run tags that select every product partition at once.

    Raises `StageError` where no product is known yet.
    """
    keys = instance.get_dynamic_partitions(PRODUCTS.name or "")
    if not keys:
        message = "no product to forecast: `refresh` found no sale; look at ops.quarantine for why"
        raise StageError(message)
    return {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[-1]}


def run_stages(
    definitions: dg.Definitions,
    stages: Iterable[str] = JOBS,
    on_stage: Callable[[str], None] = lambda _: None,
    *,
    starter: str = CLI,
    configs: Mapping[str, Any] | None = None,
) -> list[StageResult]:
    """Execute stages one after the other in this process, recorded in DAGSTER_HOME's instance for the UI to show.

    `starter` tells apart whose runs they are; `configs` holds the configuration of assets by the name of their op.
    Raises `StageError` at the first that fails, naming the step, its error and its run.
    """
    with dg.DagsterInstance.get() as instance:
        end_dead_runs(instance, starter)
        return [_run_stage(definitions, instance, stage, on_stage, starter, configs or {}) for stage in stages]


def look_after(definitions: dg.Definitions, settings: Settings, say: Callable[[str], None]) -> None:
    """Look for incidents as the sensor `watch` does, for runs without a daemon; a busy warehouse is no error."""
    checks = definitions.resolve_asset_graph().asset_check_keys
    with dg.DagsterInstance.get() as instance:
        try:
            look_at_shop(settings, instance, checks, datetime.now(UTC).replace(tzinfo=None), say)
        except LeaseError as error:
            say(f"nobody looked for incidents: {error}")


def end_dead_runs(instance: dg.DagsterInstance, starter: str = CLI) -> None:
    """Mark the runs of an earlier process of this kind that was killed as failed; its lock is ours, so it is gone."""
    alive = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    for run in instance.get_runs(dg.RunsFilter(tags={CHAINED_BY: starter}, statuses=alive)):
        instance.report_run_failed(run, "its process was ended; the same command started again")


def _run_stage(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    stage: str,
    on_stage: Callable[[str], None],
    starter: str,
    configs: Mapping[str, Any],
) -> StageResult:
    on_stage(stage)
    tags = {CHAINED_BY: starter}
    if stage == "forecast":
        tags |= partition_range(instance)
    result = definitions.resolve_job_def(stage).execute_in_process(
        instance=instance, tags=tags, raise_on_error=False, run_config={"loggers": {"progress": {}}, "ops": configs}
    )
    stats = instance.get_run_stats(result.run_id)
    if not result.success:
        raise StageError(_what_failed(stage, result))
    return StageResult(stage, result.run_id, (stats.end_time or 0) - (stats.start_time or 0))


def _what_failed(stage: str, result: dg.ExecuteInProcessResult) -> str:
    lines = [f"stage `{stage}` failed (Dagster run {result.run_id}; `storecast up` shows it):"]
    failures = [event for event in result.all_events if event.is_step_failure]
    lines += [f"  {event.step_key}: {_cause(event)}" for event in failures]
    breaches = [check for check in result.get_asset_check_evaluations() if not check.passed and check.blocking]
    lines += [f"  check {check.check_name} of {check.asset_key.to_user_string()} did not pass" for check in breaches]
    return "\n".join(lines)


def _cause(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    if error is None:
        return "no error was recorded"
    return (error.cause or error).message.strip()
