"""What drift and a failed check of this room start, each once however often a tick is repeated.

Of the checks only the one for products without a forecast can be mended by doing the same again: a forecast that a
retraining or a kill has left out. A breach of a contract, sums that do not add up, a champion that seasonal naive beats
stay until a person or new data changes something: they open an incident in ops.alerts and start nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import dagster as dg
import pandas as pd
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.assets import PRODUCTS
from storecast.forecasting.checks import WITHOUT_FORECAST_SQL, every_product_has_a_forecast
from storecast.forecasting.retraining_requests import TABLE, WAITING_SQL
from storecast.settings import Settings
from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseResource

FORECAST_JOB, RETRAIN_JOB = "forecast", "retrain"
LOOKS_EVERY_SECONDS = 10
WAITING = [c.PARTITION_KEY, r.REPORT_DATE, r.CHANGE_DATE]
PATIENCE_SECONDS = 10.0
"""Longest wait for the warehouse: the next tick comes anyway."""
BEFORE_FORECASTS = ("refresh", "train", FORECAST_JOB)
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
MOST_KEYS = 10
"""Up to so many partitions are requested one by one, more of them as a whole catalogue: a run costs half a minute."""
LAST_DATE = "last_date"
MISSING_SQL = f"""
    select distinct partitions.partition_key, demand.last_date
    from ({WITHOUT_FORECAST_SQL}) as missing
    join ops.product_partitions as partitions using (product_id)
    cross join (select max(date)::date::varchar as last_date from gold.daily_demand) as demand
    order by 1
"""


@dg.sensor(
    job_name=FORECAST_JOB,
    minimum_interval_seconds=LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts `forecast` once a partition and last day loaded for products that the check found without one.",
)
def missing_forecasts(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Look at the check's newest evaluation, each of them once, and at what is missing now.

    A partition's run key names it and the day: one that cannot be forecast is requested once, not for ever.
    """
    [check] = every_product_has_a_forecast.check_keys
    newest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key([check]).get(check)
    if newest is None or str(newest.id) == context.cursor:
        return dg.SkipReason("the check was not evaluated anew")
    if newest.status is not AssetCheckExecutionRecordStatus.FAILED:
        return dg.SkipReason(f"the newest evaluation is {newest.status.value.lower()}")
    if any(context.instance.get_runs_count(_unfinished(job)) for job in BEFORE_FORECASTS):
        return dg.SkipReason("a run that may make the missing forecasts is under way")
    keys = context.instance.get_dynamic_partitions(PRODUCTS.name or "")
    return dg.SensorResult(cursor=str(newest.id), run_requests=requests_for(warehouse.read(MISSING_SQL), keys))


def requests_for(missing: pd.DataFrame, keys: Sequence[str]) -> list[dg.RunRequest]:
    """Return what to run for missing partitions (columns partition_key, last_date); for many it is all `keys`."""
    if len(missing) > MOST_KEYS:
        tags = {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[-1]}
        return [dg.RunRequest(run_key=f"{missing[LAST_DATE].iloc[0]} of all", tags=tags)]
    return [
        dg.RunRequest(run_key=f"{last_date} {key}", partition_key=key)
        for key, last_date in missing[[c.PARTITION_KEY, LAST_DATE]].itertuples(index=False)
    ]


def _unfinished(job: str) -> dg.RunsFilter:
    return dg.RunsFilter(job_name=job, statuses=UNFINISHED)


@dataclass(frozen=True)
class KeyRange:
    """Partition keys that stand side by side in Dagster's order, and a name of what is asked of them."""

    first_key: str
    last_key: str
    name: str


def retrain_drifted(comes_first: Callable[[dg.DagsterInstance, Settings], str | None]) -> dg.SensorDefinition:
    """Return the sensor that starts `retrain` once for the partitions that ops.retraining_requests asks for.

    `comes_first` says what has to be waited for, None where nothing has; it may raise `LeaseError`.
    """

    @dg.sensor(
        job_name=RETRAIN_JOB,
        name="retrain_drifted",
        minimum_interval_seconds=LOOKS_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts `retrain` once for the partitions that ops.retraining_requests asks for: those that "
        "drifted, within a budget a day of data and a cool-down. Dagster runs ranges of keys: each that has no gap is "
        "one run.",
    )
    def sensor(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SensorResult | dg.SkipReason:
        """Request what was asked for and not done; all that is to be remembered is in tables and run keys."""
        warehouse = Warehouse.of(settings.get(), PATIENCE_SECONDS)
        try:
            ranges = retraining_ranges(warehouse, context.instance)
            first = comes_first(context.instance, settings.get()) if ranges else None
        except LeaseError as error:
            return dg.SkipReason(f"busy, the next tick looks again: {error}")
        if first or not ranges:
            return dg.SkipReason(first or "no product waits for being trained anew")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=own.name, tags=range_tags(own)) for own in ranges])

    return sensor


def retraining_ranges(warehouse: Warehouse, instance: dg.DagsterInstance) -> list[KeyRange]:
    """Return the ranges of partition keys that wait for being trained anew; none before the first publication."""
    if not warehouse.exists(TABLE):
        return []
    return key_ranges(warehouse.read(WAITING_SQL), instance.get_dynamic_partitions(PRODUCTS.name or ""))


def key_ranges(waiting: pd.DataFrame, order: Sequence[str]) -> list[KeyRange]:
    """Cut waiting partitions where others lie between them in Dagster's order; rows as `WAITING_SQL` gives them.

    A range's name is a hash of its keys, their report and their changes: the same request has the same name. Keys that
    Dagster does not know are left out: their products are gone.

    >>> day = pd.Timestamp("2026-03-01")
    >>> days = pd.DataFrame({"partition_key": ["b", "a", "d"], "report_date": day, "change_date": day})
    >>> [(own.first_key, own.last_key) for own in key_ranges(days, ["a", "b", "c", "d"])]
    [('a', 'b'), ('d', 'd')]
    """
    changes = {key: f"{report} {change}" for key, report, change in waiting[WAITING].itertuples(index=False)}
    places = [place for place, key in enumerate(order) if key in changes]
    ranges = []
    for _, group in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        keys = [order[place] for _, place in group]
        name = hashlib.sha256(repr([(key, changes[key]) for key in keys]).encode()).hexdigest()
        ranges.append(KeyRange(keys[0], keys[-1], name))
    return ranges


def range_tags(own: KeyRange) -> dict[str, str]:
    """Return the run tags that select the keys of a range."""
    return {ASSET_PARTITION_RANGE_START_TAG: own.first_key, ASSET_PARTITION_RANGE_END_TAG: own.last_key}


SENSORS = [missing_forecasts]
