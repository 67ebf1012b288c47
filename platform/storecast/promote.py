"""Deciding on a version as `storecast promote` and `rollback` do it: decided, forecast anew, published, in words."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

from storecast import automation
from storecast.definitions import compose
from storecast.registry import contracts as c
from storecast.registry.automation import CHOICES
from storecast.registry.forecasts_made import are_behind, made_with
from storecast.registry.promotion import Registry, decide_by
from storecast.services import MAIN_JOB, write_instance_config
from storecast.settings import Settings
from storecast.shop import with_source_facts
from storecast.sqlite_files import require_whole
from storecast.warehouse import Lease, Warehouse

LAST_LOOK_SQL = f"""
    select kind, champion_version, reason, first_date, last_date from {c.PROMOTIONS}
    where challenger_version = ? and answer is not null order by decided_at desc limit 1
"""


def decide_on(
    settings: Settings,
    action: str,
    version: int | None,
    by: str,
    report: Callable[[str], None],
    started: float | None = None,
) -> None:
    """Carry out what a person decides (`promote`, `veto`, `rollback`), and make and publish forecasts where it matters.

    `started` is when the command began, by the monotonic clock. Killed at any moment, the same command, or the sensor
    `moved_alias`, goes on where it was. Raises `ValueError` where there is nothing to decide, `FileNotFoundError` where
    nothing was forecast yet, `LeaseError` where a run is under way in the folder, and `StageError` where forecasting
    fails.
    """
    started = time.monotonic() if started is None else started
    warehouse = Warehouse.of(settings)
    if not warehouse.exists(c.REGISTERED_MODELS) or not warehouse.exists(c.DEMAND_FORECASTS):
        raise FileNotFoundError(f"{settings.data_dir} holds no forecasts yet: `storecast run` makes them")
    with Lease(settings.data_dir / MAIN_JOB, timeout_seconds=1.0).exclusive():
        write_instance_config(settings)
        require_whole(settings)
        now = datetime.now(UTC).replace(tzinfo=None)
        with Registry.held(settings, now) as registry:
            before = registry.aliases
        if are_behind(made_with(settings, settings.lease_timeout_seconds), before):
            replace_forecasts(settings, "They were made with other versions than the aliases name", report)
        with Registry.held(settings, now) as registry:
            decision = decide_by(registry, CHOICES[action], None if version is None else str(version), by, now)
        report(decision.sentence[0].upper() + decision.sentence[1:] + ".")
        report(last_look(warehouse, decision.challenger_version))
        report(", ".join(f"{alias}: version {own}" for alias, own in decision.aliases.items()))
        if any(before.get(alias) != decision.aliases.get(alias) for alias in c.FORECASTING):
            replace_forecasts(settings, "Champion or canary is another version", report)
    report(f"Done in {time.monotonic() - started:.0f} s.")


def replace_forecasts(settings: Settings, why: str, report: Callable[[str], None]) -> None:
    """Make and publish forecasts in this process."""
    report(f"{why}: forecasting anew …")
    automation.run_stages(
        compose(with_source_facts(settings)), [automation.REPLACE.name], starter=automation.DECIDING_CLI
    )


def last_look(warehouse: Warehouse, version: str) -> str:
    """Say what the gate saw when it last looked at a version."""
    rows = warehouse.read(LAST_LOOK_SQL, [version])
    if rows.empty:
        return f"The gate never looked at version {version}."
    look = rows.iloc[0]
    days = f"{look['first_date']:%Y-%m-%d} to {look['last_date']:%Y-%m-%d}"
    return f"The gate's last look at version {version}, against {look['champion_version']}, {days}: {look['reason']}."
