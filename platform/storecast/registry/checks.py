"""Checks of this room's tables."""

import dagster as dg

from storecast.registry.contracts import CHAMPION_ALIAS, TABLES
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import WarehouseResource

REGISTERED_MODELS = dg.AssetKey(["ops", "registered_models"])
CHAMPIONS_SQL = "select model_version from ops.registered_models where alias = ?"


@dg.asset_check(asset=REGISTERED_MODELS, blocking=True)
def one_champion(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Exactly one version of the model is champion."""
    versions = warehouse.read(CHAMPIONS_SQL, [CHAMPION_ALIAS])["model_version"].tolist()
    return dg.AssetCheckResult(passed=len(versions) == 1, metadata={"versions": versions})


CHECKS = [*contract_checks(TABLES), one_champion]
