"""The versions that forecast or shadow: what an alias leads to, which products are whose, what each one says.

Trainings lie side by side in the warehouse. `ops.registered_models` tells which of them has which alias.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from storecast.forecasting import contracts as c
from storecast.forecasting.forecast import ChampionForecasts, champion_forecasts, published_forecasts
from storecast.forecasting.panel import Panel
from storecast.forecasting.panel_reading import OF_KEYS
from storecast.forecasting.retraining import at_new_levels
from storecast.forecasting.retraining_contracts import RetrainedSeries
from storecast.forecasting.retraining_requests import ANSWERS
from storecast.registry.contracts import ALIASES, CANARY_ALIAS, CHAMPION_ALIAS, WITH_ALIAS_SQL
from storecast.settings import Settings
from storecast.warehouse import Warehouse

REGISTERED: Final = "ops.registered_models"
OF_TRAINING: Final = "training_id = $training_id"
CANARY_SQL: Final = f"""
    select product_id from ops.product_partitions
    where {OF_KEYS} and ('0x' || left(sha256(product_id), 8))::bigint < $canary_share * 4294967296
"""
"""The products of the canary share: by a hash of their id, so that they stay the same whatever else is sold."""


@dataclass(frozen=True, eq=False)
class Version:
    """A version with an alias; `fitted_models` are its training's, payloads with them."""

    model_version: str
    training_id: str
    fitted_models: pd.DataFrame


def versions_by_alias(warehouse: Warehouse, aliases: Sequence[str] = ALIASES) -> dict[str, Version]:
    """Read the versions that these aliases lead to, the champion's first.

    Raises `ValueError` where none is champion.
    """
    found = warehouse.read(WITH_ALIAS_SQL).set_index("alias") if warehouse.exists(REGISTERED) else pd.DataFrame()
    if CHAMPION_ALIAS not in found.index:
        raise ValueError(f"{REGISTERED} has no version with the alias {CHAMPION_ALIAS}: run the job `train`")
    return {
        alias: Version(
            row[c.MODEL_VERSION],
            row[c.TRAINING_ID],
            warehouse.read(f"select * from ops.fitted_models where {OF_TRAINING}", {"training_id": row[c.TRAINING_ID]}),
        )
        for alias in aliases
        if alias in found.index
        for row in (found.loc[alias],)
    }


def canary_products(warehouse: Warehouse, keys: Sequence[str], share: float) -> pd.Index:
    """Return the products of some partitions that the canary forecasts where there is one."""
    return pd.Index(warehouse.read(CANARY_SQL, {"keys": list(keys), "canary_share": share})[c.PRODUCT_ID])


def shared_out(
    panel: Panel, versions: Mapping[str, Version], canary_products: pd.Index
) -> Iterator[tuple[Version, Panel]]:
    """Each version that forecasts, with its series: the canary's are those of `canary_products`."""
    if CANARY_ALIAS not in versions:
        yield versions[CHAMPION_ALIAS], panel
        return
    is_canary = panel.keys.get_level_values(0).isin(canary_products)
    for alias, rows in ((CHAMPION_ALIAS, ~is_canary), (CANARY_ALIAS, is_canary)):
        if rows.any():
            yield versions[alias], panel.take(np.flatnonzero(rows))


def forecasts_by(
    version: Version, panel: Panel, warehouse: Warehouse, shop: Settings, keys: Sequence[str]
) -> tuple[ChampionForecasts, pd.DataFrame]:
    """What a version's champions say of a panel, and the rows of `gold.demand_forecasts` that it makes.

    `keys` are the partitions of the panel's products. Histories of series that were retrained by themselves are read at
    their level since, whichever version asks. Raises `ValueError` where the training's tables are missing.
    """
    panel, retrained = at_new_levels(panel, retrained_of_keys(warehouse, keys))
    parameters = {"training_id": version.training_id, "keys": list(keys)}
    said = champion_forecasts(
        panel,
        champions_of_keys(warehouse, version.training_id, keys),
        version.fitted_models,
        horizon=shop.horizon_days,
        seed=shop.seed,
        n_jobs=shop.fit_processes,
        ray_address=shop.ray_address,
    )
    scales = warehouse.read(
        f"select * from ops.interval_scales where {OF_TRAINING} and (product_id is null or {OF_KEYS})", parameters
    )
    owners = warehouse.read(f"select * from ops.product_partitions where {OF_KEYS}", {"keys": list(keys)})
    key_of = dict(zip(owners[c.PRODUCT_ID], owners[c.PARTITION_KEY], strict=True))
    return said, published_forecasts(said, scales, key_of, version.model_version, retrained)


def champions_of_keys(warehouse: Warehouse, training_id: str, keys: Sequence[str]) -> pd.DataFrame:
    """Return a training's champions of the series in some partitions."""
    parameters = {"training_id": training_id, "keys": list(keys)}
    return warehouse.read(f"select * from ops.champions where {OF_TRAINING} and {OF_KEYS}", parameters)


def retrained_of_keys(warehouse: Warehouse, keys: Sequence[str]) -> pd.DataFrame:
    """Return what retraining found of the series in some partitions; none before the first retraining."""
    if not warehouse.exists(ANSWERS):
        return pd.DataFrame(columns=list(RetrainedSeries.to_schema().columns))
    return warehouse.read(f"select * from {ANSWERS} where {OF_KEYS}", {"keys": list(keys)})
