"""Decisions carried out: a row that says what is meant, tags in MLflow, the aliases, and the warehouse that follows.

MLflow and DuckDB are two stores, and a kill may come between any two steps. The row is written first and holds the
aliases as they are to be; whoever comes next completes it before anything else, with the same code. Each step leaves
alone what is done already. The alias is the truth: what somebody moves in MLflow itself is taken over as it is.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from storecast.registry import contracts as c
from storecast.registry.decisions import (
    Choose,
    Decision,
    Differences,
    entry,
    moved_by_hand,
    one_alias_each,
    repeated,
)
from storecast.registry.mirror import mirror, mirrored_aliases, restore
from storecast.registry.recovery import are_models_lost, restore_models
from storecast.registry.rollout import Canary, Known, decide
from storecast.registry.store import ModelStore, aliases_of, move_aliases
from storecast.settings import Settings
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.database import create_table, insert_rows

PROMOTED_TAG = "storecast.promoted"
"""What versions carry that were champion before there was a gate."""
TOLD = (c.GAIN, c.BOUND, c.DECIDED_BY, c.REASON)
TICK = pd.Timedelta(microseconds=1)
"""Two decisions of one moment are told apart by it."""
LAST_DAY_SQL = "select max(date) as day from gold.daily_demand"
CANARY_PRODUCTS_SQL = f"select distinct {c.CLUSTER} from {c.DEMAND_FORECASTS} where {c.MODEL_VERSION} = ?"
LAST_DECISION_SQL = f"select * from {c.PROMOTIONS} order by decided_at desc limit 1"


@dataclass(frozen=True)
class Registry:
    """MLflow's store and the warehouse that follows it, in the hands of one process at a time."""

    store: ModelStore
    warehouse: Warehouse
    client: MlflowClient
    restored: str | None = None
    """What MLflow had lost and got back, in words."""

    @classmethod
    @contextmanager
    def held(cls, settings: Settings, now: datetime, patience_seconds: float | None = None) -> Iterator["Registry"]:
        """Hold the registry alone, with nothing left half done. Raises `LeaseError` where it is busy for too long."""
        patience = patience_seconds or settings.lease_timeout_seconds
        store = ModelStore(settings.mlflow_dir, patience)
        client = store.client()
        with store.lease.exclusive():
            registry = cls(store, Warehouse(settings.warehouse_path, patience), client)
            yield replace(registry, restored=registry.settle(settings, now))

    @property
    def aliases(self) -> dict[str, str]:
        """The version of each alias, a version's first one only."""
        return one_alias_each(aliases_of(self.client))

    def last_day(self) -> pd.Timestamp | None:
        """The newest day of demand."""
        if not self.warehouse.exists("gold.daily_demand"):
            return None
        day = self.warehouse.read(LAST_DAY_SQL)["day"].item()
        return None if pd.isna(day) else day

    def settle(self, settings: Settings, now: datetime) -> str | None:
        """Complete what was killed on its way, and take over what somebody moved in MLflow itself.

        What MLflow lost and the warehouse holds it gets back first; that is said, None where it lost nothing.
        """
        with self.warehouse.writing() as connection:
            create_table(connection, c.PROMOTIONS, pd.DataFrame(), sql_types(c.Promotions))
        restored = self._restore(settings, now)
        self._complete(now)
        aliases, known = self.aliases, mirrored_aliases(self.warehouse)
        moved = moved_by_hand(known, aliases, self.last_day())
        if moved is not None:
            self.take(moved, now)
        elif aliases != known:
            with self.warehouse.writing() as connection:
                mirror(connection, self.client)
        return restored

    def _restore(self, settings: Settings, now: datetime) -> str | None:
        begun = self.warehouse.read(f"select 1 from {c.PROMOTIONS} where kind = ? and applied_at is null", [c.RESTORED])
        if len(begun) or not are_models_lost(self.warehouse, self.client):
            return None
        decision, told = restore_models(self.store, self.client, self.warehouse, settings)
        if decision is not None:
            self.take(decision, now)
        return told

    def take(self, decision: Decision, now: datetime) -> None:
        """Carry a decision out. Raises `ValueError`, and decides nothing, where a version's tables cannot be had."""
        restore(self.warehouse, self.client, decision.aliases.values())
        with self.warehouse.writing() as connection:
            [newest] = connection.execute(f"select max(decided_at) as at from {c.PROMOTIONS}").df()["at"]
            moment = pd.Timestamp(now) if pd.isna(newest) else max(pd.Timestamp(now), newest + TICK)
            insert_rows(connection, c.PROMOTIONS, decision.row(moment))
        self._complete(now)

    def _complete(self, now: datetime) -> None:
        pending = f"select * from {c.PROMOTIONS} where applied_at is null order by decided_at"
        for row in self.warehouse.read(pending).to_dict("records"):
            self._tag(row)
            move_aliases(self.client, json.loads(row[c.EVIDENCE])["aliases"])
            with self.warehouse.writing() as connection:
                mirror(connection, self.client)
                applied = f"update {c.PROMOTIONS} set applied_at = ? where decided_at = ?"
                connection.execute(applied, [max(now, row[c.DECIDED_AT]), row[c.DECIDED_AT]])

    def _tag(self, row: dict[Any, Any]) -> None:
        """Write the evidence on the version that was decided on."""
        told = {f"storecast.{name}": str(row[name]) for name in TOLD if not pd.isna(row[name])}
        for name, value in (told | {c.DECISION_TAG: row[c.KIND]}).items():
            self.client.set_model_version_tag(c.MODEL_NAME, row[c.CHALLENGER_VERSION], name, value)


def enter(registry: Registry, version: str, differences: Differences, now: datetime) -> Decision | None:
    """Let a training that was just registered in; None for one that came in before, whatever became of it since.

    So logging the same training again takes back no rollback, no veto and no promotion.
    """
    tags = registry.client.get_model_version(c.MODEL_NAME, version).tags
    if tags.keys() & {PROMOTED_TAG, c.DECISION_TAG}:
        return None
    decision = entry(registry.aliases, version, differences, registry.last_day())
    registry.take(decision, now)
    return decision


def run_gate(registry: Registry, canary: Canary, now: datetime, *, seed: int) -> Decision | None:
    """Look once, and carry out what the look came to; None where nothing is due."""
    known = what_is_known(registry)
    decision = None if known is None else decide(known, canary, seed=seed)
    if decision is not None:
        registry.take(decision, now)
    return decision


def decide_by(registry: Registry, choose: Choose, version: str | None, by: str, now: datetime) -> Decision:
    """Carry out what a person decides: one of `decisions.promotion_by`, `veto_by` and `rollback_by`.

    The last decision, asked for again, is returned as it was taken. Raises `ValueError` where there is no such version,
    or nothing to decide.
    """
    if version is not None:
        require_version(registry.client, version)
    for last in registry.warehouse.read(LAST_DECISION_SQL).to_dict("records"):
        if (taken := repeated(last, registry.aliases, choose, version, by)) is not None:
            return taken
    decision = choose(registry.aliases, version, by, registry.last_day())
    registry.take(decision, now)
    return decision


def require_version(client: MlflowClient, version: str) -> None:
    """Raise `ValueError` for a version that is not registered."""
    try:
        client.get_model_version(c.MODEL_NAME, version)
    except MlflowException as error:
        if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            raise
        message = f"{c.MODEL_NAME} has no version {version}: ops.registered_models lists those it has"
        raise ValueError(message) from error


def what_is_known(registry: Registry) -> Known | None:
    """Read what a decision of the gate hangs on; None while there is no demand."""
    warehouse, aliases, last_day = registry.warehouse, registry.aliases, registry.last_day()
    if last_day is None:
        return None
    products = warehouse.read(CANARY_PRODUCTS_SQL, [aliases.get(c.CANARY_ALIAS)])
    return Known(
        aliases=aliases,
        history=warehouse.read(f"select * from {c.PROMOTIONS} order by decided_at"),
        pairs=warehouse.read(f"select * from {c.PAIRED_LOSSES}"),
        costs=warehouse.read(f"select * from {c.MODEL_COSTS}"),
        canary_products=frozenset(products[c.CLUSTER]),
        last_day=last_day,
    )
