"""Checks of this room's tables."""

import dagster as dg

from storecast.registry.contracts import CHAMPION_ALIAS, MODEL_VERSION, PROMOTIONS, REGISTERED_MODELS, TABLES
from storecast.registry.decisions import one_alias_each
from storecast.warehouse.checks import contract_checks
from storecast.warehouse.resources import SettingsResource, WarehouseResource

CHAMPIONS_SQL = f"select {MODEL_VERSION} from {REGISTERED_MODELS} where alias = ?"


@dg.asset_check(asset=REGISTERED_MODELS.split("."), blocking=True)
def one_champion(warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Exactly one version of the model is champion."""
    versions = warehouse.read(CHAMPIONS_SQL, [CHAMPION_ALIAS])["model_version"].tolist()
    return dg.AssetCheckResult(passed=len(versions) == 1, metadata={"versions": versions})


@dg.asset_check(asset=PROMOTIONS.split("."))
def registry_and_warehouse_agree(warehouse: WarehouseResource, settings: SettingsResource) -> dg.AssetCheckResult:
    """The aliases in MLflow are those of ops.registered_models, and no decision is half carried out."""
    from storecast.registry.mirror import mirrored_aliases  # noqa: PLC0415 - MLflow takes seconds to import
    from storecast.registry.store import ModelStore, aliases_of  # noqa: PLC0415

    mirrored, aliases = mirrored_aliases(warehouse.open()), aliases_of(ModelStore.of(settings.get()).client())
    pending = warehouse.read(f"select count(*) as rows from {PROMOTIONS} where applied_at is null")["rows"].item()
    return dg.AssetCheckResult(
        passed=mirrored == one_alias_each(aliases) and pending == 0,
        metadata={"mlflow": aliases, "warehouse": mirrored, "pending_decisions": int(pending)},
    )


CHECKS = [*contract_checks(TABLES), one_champion, registry_and_warehouse_agree]
