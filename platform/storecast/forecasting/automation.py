"""When single products are trained anew: once for what the newest drift report asked for, however often it is read."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import dagster as dg
import pandas as pd
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from storecast.forecasting import contracts as c
from storecast.forecasting import retraining_contracts as r
from storecast.forecasting.assets import PRODUCTS
from storecast.forecasting.retraining_requests import TABLE, WAITING_SQL
from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.resources import SettingsResource

RETRAIN_JOB = "retrain"
LOOKS_EVERY_SECONDS = 30
WAITING = [c.PARTITION_KEY, r.REPORT_DATE, r.CHANGE_DATE]
PATIENCE_SECONDS = 10.0
"""Longest wait for the warehouse: the next tick comes anyway."""


@dataclass(frozen=True)
class KeyRange:
    """Partition keys that stand side by side in Dagster's order, and a name of what is asked of them."""

    first_key: str
    last_key: str
    name: str


@dg.sensor(
    job_name=RETRAIN_JOB,
    minimum_interval_seconds=LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts `retrain` once for the partitions that ops.retraining_requests asks for: those that drifted, "
    "within a budget a day of data and a cool-down. Dagster runs ranges of keys: each that has no gap is one run.",
)
def retrain_drifted(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SensorResult | dg.SkipReason:
    """Request what was asked for and not done; all that is to be remembered is in tables and run keys, not a cursor."""
    warehouse = Warehouse(settings.get().warehouse_path, PATIENCE_SECONDS)
    try:
        ranges = retraining_ranges(warehouse, context.instance)
    except LeaseError as error:
        return dg.SkipReason(f"busy, the next tick looks again: {error}")
    if not ranges:
        return dg.SkipReason("no product waits for being trained anew")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=own.name, tags=range_tags(own)) for own in ranges])


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


SENSORS = [retrain_drifted]
