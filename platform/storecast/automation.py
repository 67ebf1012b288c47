"""The jobs of the main line, how one follows the other, and how `storecast run` executes them.

Each room's own sensors and schedules lie in its `automation` module.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
    PRIORITY_TAG,
    RUN_KEY_TAG,
)

from storecast.forecasting import automation as forecasting
from storecast.forecasting.assets import PRODUCTS
from storecast.forecasting.assets.retraining import RETRAIN_JOB, retrain
from storecast.forecasting.automation import retrain_drifted, retraining_config, waiting_partitions
from storecast.forecasting.due_training import due_now
from storecast.forecasting.registry import models_named
from storecast.ingestion import automation as ingestion
from storecast.ingestion.holidays import public_holidays
from storecast.last_run import has_read_all, remember, state_of
from storecast.monitoring import automation as monitoring
from storecast.monitoring.automation import PATIENCE_SECONDS, look_at_shop, try_again
from storecast.registry import automation as registry
from storecast.registry.automation import behind, look, moved_alias
from storecast.settings import Settings
from storecast.shop import StageError
from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.assets import PUBLISHED
from storecast.warehouse.resources import SettingsResource, WarehouseResource

CHAINED_BY = "storecast/chained_by"
REASON = "storecast/reason"
CLI = "storecast_run"
DECIDING_CLI = "storecast_promote"
TUNING_CLI = "storecast_tune"
FIRST_IN_QUEUE = {PRIORITY_TAG: "1"}
"""Runs wait for each other; forecasts do not wait for a training that waits too."""

PARTITIONED = dg.AssetSelection.assets("gold/demand_forecasts", "gold/forecast_explanations", "gold/revenue_forecasts")
PARTITION_TABLE = dg.AssetSelection.assets("ops/product_partitions")
LOST_DEMAND = dg.AssetSelection.assets("gold/lost_demand")
DATA = dg.AssetSelection.groups("ingestion", "silver", "gold") | PARTITION_TABLE | LOST_DEMAND
LEVELS = dg.AssetSelection.assets("gold/level_forecasts")
SHADOWS = dg.AssetSelection.assets("ops/shadow_forecasts", "ops/model_costs")
TUNED = dg.AssetSelection.assets("ops/tuned_parameters")
PROMOTIONS = dg.AssetSelection.assets("ops/promotions")
RETRAINED = dg.AssetSelection.assets("ops/retrained_series")
REQUESTS = dg.AssetSelection.assets("ops/retraining_requests")
DECIDED = SHADOWS | PROMOTIONS | REQUESTS
BESIDE_TRAINING = PARTITIONED | PARTITION_TABLE | LEVELS | LOST_DEMAND | TUNED | RETRAINED | DECIDED
TRAINING = dg.AssetSelection.groups("forecasting", "registry") - BESIDE_TRAINING
WHAT_PEOPLE_READ = LEVELS | dg.AssetSelection.groups("feedback") | dg.AssetSelection.assets(PUBLISHED)
PUBLICATION = WHAT_PEOPLE_READ | DECIDED | dg.AssetSelection.groups("monitoring")


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

RETRAIN = retrain.with_hooks({try_again})
"""What a sensor starts for products that drifted; no part of the main line either."""

REPLACE = dg.define_asset_job(
    "replace_forecasts",
    PARTITIONED | SHADOWS | WHAT_PEOPLE_READ,
    description="Forecast all products anew with another champion or canary, and publish: one run, for people wait.",
    tags={PRIORITY_TAG: "2"},  # before products that are trained anew: what people read is the wrong version's
)
"""The predecessor's forecasts of the same days are made with them: it was champion and had none of a shadow's."""

TUNE = dg.define_asset_job("tune", TUNED, description="Tune a global model for some minutes; no part of the main line.")
DECIDING = "publish"
"""The job in which the gate decides."""
OF_PRODUCTS = ("forecast", REPLACE.name)
"""The jobs that are started with the tags of `partition_range`."""


ALL_JOBS: tuple[dg.JobDefinition | UnresolvedAssetJobDefinition, ...] = (
    *JOBS.values(),
    REPLACE,
    RETRAIN,
    TUNE,
    registry.promote,
)
SCHEDULES = ingestion.SCHEDULES
ROOMS = (forecasting, ingestion, monitoring)
"""Those with sensors of their own."""


def require_workable(settings: Settings) -> None:
    """Raise `ValueError` for a model that is not in the registry, or a country without known holidays."""
    models_named(settings.models)
    public_holidays(settings.country, [])


def sensors() -> list[dg.SensorDefinition]:
    """Return the rooms' own sensors and those by which one job follows the other."""
    return [*(sensor for room in ROOMS for sensor in room.SENSORS), *followers()]


def followers() -> list[dg.SensorDefinition]:
    """Return the sensors that start each stage when the one before it succeeded, and those that wait for several.

    After `refresh` that is `train` only where a training is due: so a calm catalogue is trained anew by the age of its
    training in days of data, and no schedule is needed.
    """
    return [
        _after_refresh(),
        _follower("train", "forecast"),
        _follower("forecast", "publish"),
        _after_retraining(),
        moved_alias(REPLACE, partition_range, DECIDING),
        _remembers_what_is_done(),
        retrain_drifted(comes_first),
    ]


def comes_first(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """Say what a retraining has to wait for, None where nothing: what people read may be a wrong version's.

    A retraining that begins before forecasts are made anew would keep them waiting.
    """
    if instance.get_runs(dg.RunsFilter(job_name=DECIDING, statuses=NOT_FINISHED_STATUSES), limit=1):
        return f"a run of {DECIDING}, in which the gate decides, is under way"
    return behind(settings)


def _after_refresh() -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name="train_or_forecast_follows_refresh",
        request_jobs=[JOBS["train"], JOBS["forecast"]],
        description="Starts `train` when `refresh` succeeded and a training is due, else `forecast` at once, unless "
        "that run belongs to `storecast run`.",
        **_of_successes(JOBS["refresh"]),
    )
    def follow(
        context: dg.RunStatusSensorContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.RunRequest | dg.SkipReason:
        due = due_now(warehouse.open(), settings.get())
        return _request(context, "train" if due.is_due else "forecast", {REASON: due.reason})

    return follow


def _follower(before: str, after: str) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"{after}_follows_{before}",
        request_job=JOBS[after],
        description=f"Starts `{after}` when `{before}` succeeded, unless that run belongs to `storecast run`.",
        **_of_successes(JOBS[before]),
    )
    def follow(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        return _request(context, after)

    return follow


def _after_retraining() -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name="publish_follows_retrain",
        request_job=JOBS["publish"],
        description="Starts `publish` when the last of the `retrain` runs that were requested succeeded.",
        **_of_successes(RETRAIN),
    )
    def follow(context: dg.RunStatusSensorContext) -> dg.RunRequest | dg.SkipReason:
        others = context.instance.get_runs(dg.RunsFilter(job_name=RETRAIN_JOB, statuses=NOT_FINISHED_STATUSES), limit=1)
        if others:
            return dg.SkipReason(f"run {others[0].run_id} retrains others still: one publication for all")
        return _request(context, "publish")

    return follow


def _remembers_what_is_done() -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name="remember_what_is_done",
        description="Writes down what `publish` has published, so that `storecast run` says that nothing is new.",
        **_of_successes(JOBS[DECIDING], REPLACE),
    )
    def remember_it(context: dg.RunStatusSensorContext, settings: SettingsResource) -> dg.SkipReason:
        if CHAINED_BY in context.dagster_run.tags:
            return dg.SkipReason("what started the run remembers it itself")
        shop, refreshed = settings.get(), _refresh_behind_newest(context.instance)
        if (reason := behind(shop)) is not None:
            return dg.SkipReason(reason)
        if refreshed is None or not has_read_all(shop, *refreshed):
            return dg.SkipReason("files changed since the refresh that this publication goes back to")
        remember(shop, state_of(shop))
        return dg.SkipReason("`storecast run` has nothing to do")

    return remember_it


def _refresh_behind_newest(instance: dg.DagsterInstance) -> tuple[float, float] | None:
    """Return when the refresh was created and began that led to the newest publication, in seconds since 1970."""
    published = dg.RunsFilter(job_name=DECIDING, statuses=[dg.DagsterRunStatus.SUCCESS])
    run = next(iter(instance.get_runs(published, limit=1)), None)
    while run is not None and run.job_name != "refresh":
        run = instance.get_run_by_id(run.tags.get(RUN_KEY_TAG, ""))
    record = None if run is None else instance.get_run_record_by_id(run.run_id)
    if record is None or record.start_time is None:
        return None
    return record.create_timestamp.timestamp(), record.start_time


def _of_successes(*jobs: dg.JobDefinition | UnresolvedAssetJobDefinition) -> dict[str, Any]:
    return {
        "run_status": dg.DagsterRunStatus.SUCCESS,
        "monitored_jobs": list(jobs),
        "default_status": dg.DefaultSensorStatus.RUNNING,
        "minimum_interval_seconds": 5,
    }


def _request(
    context: dg.RunStatusSensorContext, job: str, tags: Mapping[str, str] = MappingProxyType({})
) -> dg.RunRequest | dg.SkipReason:
    """Request a job once for the run that succeeded, whatever the job is when the tick is repeated."""
    if CHAINED_BY in context.dagster_run.tags:
        return dg.SkipReason(f"run {context.dagster_run.run_id} is chained by its starter")
    keys = partition_range(context.instance) if job == "forecast" else {}
    return dg.RunRequest(run_key=context.dagster_run.run_id, job_name=job, tags={**tags, **keys})


def partition_range(instance: dg.DagsterInstance) -> dict[str, str]:
    """Return the run tags that select every product partition at once.

    Raises `StageError` where no product is known yet.
    """
    keys = instance.get_dynamic_partitions(PRODUCTS.name or "")
    if not keys:
        message = "no product to forecast: `refresh` found no sale; look at ops.quarantine for why"
        raise StageError(message)
    return {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[-1]}


def run_main_line(
    definitions: dg.Definitions, settings: Settings, on_stage: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Run the stages from source files to publication, as the sensors request them; `say` tells why it trains or not.

    Raises what `run_stages` raises.
    """
    run_stages(definitions, ["refresh"], on_stage)
    warehouse = Warehouse.of(settings)
    due = due_now(warehouse, settings)
    say(f"{'Training' if due.is_due else 'No training'}: {due.reason}.")
    run_stages(definitions, [*(["train"] if due.is_due else []), "forecast", "publish"], on_stage)
    follow_aliases(definitions, settings, on_stage, say)  # publication may have decided on another champion or canary
    if run_retraining(definitions, warehouse, on_stage, say):
        run_stages(definitions, ["publish"], on_stage)


def follow_aliases(
    definitions: dg.Definitions, settings: Settings, on_stage: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Make forecasts anew where the aliases name other versions than they were made with, as `moved_alias` does."""
    key, reason = look(settings)
    if key is not None:
        say(f"Forecasting anew: {reason}.")
        run_stages(definitions, [REPLACE.name], on_stage)


def run_retraining(
    definitions: dg.Definitions, warehouse: Warehouse, on_stage: Callable[[str], None], say: Callable[[str], None]
) -> int:
    """Train anew what the newest drift report asks for, as the sensor `retrain_drifted` does; return how many keys."""
    with dg.DagsterInstance.get() as instance:
        waiting = waiting_partitions(warehouse, instance)
        if len(waiting):
            say(f"Training anew: {len(waiting)} partitions drifted since the champion's training.")
            _run_stage(definitions, instance, RETRAIN_JOB, on_stage, {CHAINED_BY: CLI}, retraining_config(waiting))
    return len(waiting)


def run_stages(
    definitions: dg.Definitions,
    stages: Iterable[str],
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
        tags = {CHAINED_BY: starter}
        results = []
        for stage in stages:
            keys = partition_range(instance) if stage in OF_PRODUCTS else {}
            results.append(_run_stage(definitions, instance, stage, on_stage, {**tags, **keys}, configs or {}))
        return results


def look_after(definitions: dg.Definitions, settings: Settings, say: Callable[[str], None]) -> None:
    """Look for incidents as the sensor `watch` does, for runs without a daemon; a busy warehouse is no error."""
    checks = definitions.resolve_asset_graph().asset_check_keys
    with dg.DagsterInstance.get() as instance:
        try:
            look_at_shop(settings, instance, checks, datetime.now(UTC).replace(tzinfo=None), say, PATIENCE_SECONDS)
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
    tags: Mapping[str, str],
    configs: Mapping[str, Any],
) -> StageResult:
    on_stage(stage)
    result = definitions.resolve_job_def(stage).execute_in_process(
        instance=instance,
        tags=dict(tags),
        raise_on_error=False,
        run_config={"loggers": {"progress": {}}, "ops": configs},
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
