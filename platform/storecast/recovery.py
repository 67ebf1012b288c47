"""What MLflow's and Dagster's folders have lost is made anew, where the warehouse holds it, before a run begins."""

from collections.abc import Callable

from storecast.settings import Settings
from storecast.warehouse import Warehouse

PARTITIONS = "ops.product_partitions"


def restore_records(settings: Settings, say: Callable[[str], None]) -> bool:
    """Make the registered models and the partitions of products anew; return whether there is a champion after it.

    `say` tells what was lost and what came of it. Where nothing was lost, neither MLflow nor Dagster is asked.
    """
    if not (settings.dagster_home / "history").exists():
        _restore_partitions(settings, say)
    if (settings.mlflow_dir / "mlflow.db").exists():
        return True
    from storecast.registry.automation import restore_lost_models  # noqa: PLC0415 - Dagster and MLflow take seconds

    has_champion, told = restore_lost_models(settings)
    if told is not None:
        say(f"MLflow: {told}.")
    return has_champion


def _restore_partitions(settings: Settings, say: Callable[[str], None]) -> None:
    """Make Dagster know the products' partitions again where its folder was deleted; its former runs are gone."""
    warehouse = Warehouse(settings.warehouse_path, settings.lease_timeout_seconds)
    if not warehouse.exists(PARTITIONS):
        return
    import dagster as dg  # noqa: PLC0415 - it takes seconds to import

    from storecast.forecasting.assets.forecasts import register_partitions  # noqa: PLC0415

    keys = warehouse.read(f"select distinct partition_key from {PARTITIONS} order by all")["partition_key"].tolist()
    with dg.DagsterInstance.get() as instance:
        register_partitions(instance, keys)
    say(f"Dagster: {settings.dagster_home} held no runs any more; {len(keys):,} product partitions are known again.")
