"""What drift and a failed check of this room start, each once however often a tick is repeated.

Of the checks only the one for products without a forecast can be mended by doing the same again: a forecast that a
retraining or a kill has left out. A breach of a contract, sums that do not add up, a champion that seasonal naive beats
stay until a person or new data changes something: they open an incident in ops.alerts and start nothing.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg
import pandas as pd
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.assets import PRODUCTS
from storecast.forecasting.assets.retraining import RETRAIN_JOB, retrain_products
from storecast.forecasting.checks import WITHOUT_FORECAST_SQL, every_product_has_a_forecast
from storecast.forecasting.retraining_requests import TABLE, WAITING_SQL
from storecast.settings import Settings
from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.resources import SettingsResource, WarehouseResource

FORECAST_JOB = "forecast"
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
        "drifted, within a budget a day of data and a cool-down. One run takes them all.",
    )
    def sensor(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SensorResult | dg.SkipReason:
        """Request what was asked for and not done; all that is to be remembered is in tables and run keys."""
        warehouse = Warehouse.of(settings.get(), PATIENCE_SECONDS)
        try:
            waiting = waiting_partitions(warehouse, context.instance)
            first = comes_first(context.instance, settings.get()) if len(waiting) else None
        except LeaseError as error:
            return dg.SkipReason(f"busy, the next tick looks again: {error}")
        if first or waiting.empty:
            return dg.SkipReason(first or "no product waits for being trained anew")
        config = {"ops": retraining_config(waiting)}
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=request_name(waiting), run_config=config)])

    return sensor


def waiting_partitions(warehouse: Warehouse, instance: dg.DagsterInstance) -> pd.DataFrame:
    """Return the partitions that wait for being trained anew, columns `WAITING`; none before the first publication.

    Keys that Dagster does not know are left out: their products are gone.
    """
    if not warehouse.exists(TABLE):
        return pd.DataFrame(columns=WAITING)
    waiting = warehouse.read(WAITING_SQL)
    known = set(instance.get_dynamic_partitions(PRODUCTS.name or ""))
    return waiting.loc[waiting[c.PARTITION_KEY].isin(known), WAITING]


def retraining_config(waiting: pd.DataFrame) -> dict[str, Any]:
    """Return the configuration of the run's one op: the keys of the waiting partitions."""
    return {retrain_products.name: {"config": {"keys": waiting[c.PARTITION_KEY].tolist()}}}


def request_name(waiting: pd.DataFrame) -> str:
    """Return a hash of the waiting keys, their report and their changes: the same request has the same name.

    >>> day = pd.Timestamp("2026-03-01")
    >>> asked = pd.DataFrame({"partition_key": ["b", "a"], "report_date": day, "change_date": day})
    >>> request_name(asked) == request_name(asked.iloc[::-1]), request_name(asked) == request_name(asked.iloc[:1])
    (True, False)
    """
    asked = sorted((key, f"{report} {change}") for key, report, change in waiting[WAITING].itertuples(index=False))
    return hashlib.sha256(repr(asked).encode()).hexdigest()


SENSORS = [missing_forecasts]
