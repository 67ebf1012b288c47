"""The whole graph, composed."""

import dagster as dg

from storecast import automation, progress
from storecast.feedback import assets as feedback
from storecast.feedback import checks as feedback_checks
from storecast.forecasting import checks as forecasting_checks
from storecast.forecasting.assets import forecasts, retraining, shadow, training
from storecast.ingestion import assets as ingestion
from storecast.ingestion import checks as ingestion_checks
from storecast.monitoring import assets as monitoring
from storecast.monitoring import automation as monitoring_automation
from storecast.monitoring import checks as monitoring_checks
from storecast.registry import assets as registry
from storecast.registry import checks as registry_checks
from storecast.settings import Settings
from storecast.shop import settings_of_environment
from storecast.warehouse import assets as warehouse
from storecast.warehouse.resources import resources_of

CHECKED_ROOMS = (feedback_checks, forecasting_checks, ingestion_checks, monitoring_checks, registry_checks)


def compose(settings: Settings) -> dg.Definitions:
    """Return every asset, check, job, sensor and resource for one data folder.

    Raises `ValueError` for a setting that no stage could work with, so that none begins.
    """
    automation.require_workable(settings)
    assets = [
        *dg.load_assets_from_modules([feedback, forecasts, monitoring, registry, retraining, shadow, training]),
        *ingestion.source_assets(settings),
        warehouse.dbt_tables(settings),
        warehouse.published,
    ]
    return dg.Definitions(
        assets=monitoring_automation.retried(warehouse.watched_for_freshness(assets, settings)),
        asset_checks=[check for room in CHECKED_ROOMS for check in room.CHECKS],
        jobs=automation.ALL_JOBS,
        schedules=automation.SCHEDULES,
        sensors=automation.sensors(),
        resources=resources_of(settings),
        loggers={"progress": progress.progress_logger, "console": dg.colored_console_logger},
        executor=dg.in_process_executor,
    )


@dg.definitions
def storecast() -> dg.Definitions:
    """Return the graph of the data folder that the environment names."""
    return compose(settings_of_environment())
