"""The main job as `storecast run` starts it: choose the folder, see what is new, run the stages, sum up."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from storecast import summary
from storecast.ingestion.sources import resolve_source
from storecast.last_run import aliases_now, last_run, remember, state_of
from storecast.recovery import restore_records
from storecast.services import MAIN_JOB, write_instance_config
from storecast.settings import Settings, load_settings, process_environment
from storecast.shop import bind, holds_another_shop, refuse_another_shop, with_source_facts
from storecast.sqlite_files import require_whole
from storecast.warehouse import Lease

STAGE_TITLES = {
    "refresh": "Source files to gold tables",
    "train": "Back-tests, champions, model",
    "forecast": "Forecasts per product",
    "publish": "Drift report and publication",
}
TITLES = {
    **STAGE_TITLES,
    "replace_forecasts": "Forecasts of another champion or canary",
    "retrain": "Products that drifted, trained anew",
}
"""What comes beside the four stages only now and then, too."""


def run_main_job(options: Mapping[str, Any], report: Callable[[str], None], started: float | None = None) -> None:
    """Run all that is not done yet, from source files to the published copy, and say how it went.

    `options` are settings given on the command line, None where not given. `report` prints a line. `started` is when
    the command began, by the monotonic clock. Killed at any moment, the same call brings the same result. Raises what
    the stages raise, with one step that failed named.
    """
    started = time.monotonic() if started is None else started
    settings = shop_settings(options, report)
    os.environ.update(process_environment(settings))
    with Lease(settings.data_dir / MAIN_JOB, timeout_seconds=1.0).exclusive():
        refuse_another_shop(settings)
        if settings.source == "demo" and settings.source_path is None:
            make_demo_shop(settings, report)
        state = state_of(settings)
        bind(settings)  # not before the source's files are there: a mistyped folder shall not keep this one
        write_instance_config(settings)
        require_whole(settings)
        known = last_run(settings)
        is_done = restore_records(settings, report) and known is not None and known.state == state
        if known is not None and is_done and known.aliases == aliases_now(settings):
            report(f"Nothing is new in {resolve_source(settings).folder}: {settings.published_path} is up to date.")
        else:
            report("Champion or canary may be another version." if is_done else "There is something to do.")
            _work(settings, report, only_aliases=is_done)
            remember(settings, state)
    report("\n" + summary.of(settings))
    report(f"Done in {time.monotonic() - started:.0f} s.")


def _work(settings: Settings, report: Callable[[str], None], *, only_aliases: bool) -> None:
    report("Loading the asset graph …")
    from storecast import automation  # noqa: PLC0415 - Dagster, MLflow and the models take seconds to import
    from storecast.definitions import compose  # noqa: PLC0415

    definitions = compose(settings)
    work = automation.follow_aliases if only_aliases else automation.run_main_line
    try:
        work(definitions, settings, lambda stage: report(f"\n{TITLES[stage]}"), report)
    finally:
        automation.look_after(definitions, settings, report)


def shop_settings(options: Mapping[str, Any], report: Callable[[str], None]) -> Settings:
    """Return the settings with the source's own zone, currency and country, and a data folder that is its own.

    A source given without a data folder goes to ``data-<source>`` where ``data`` holds another shop already.
    """
    settings = with_source_facts(load_settings(**options))
    chosen = options.get("data_dir") or os.environ.get("STORECAST_DATA_DIR")
    if chosen is None and holds_another_shop(settings):
        aside = settings.data_dir.with_name(f"{settings.data_dir.name}-{settings.source}")
        report(f"{settings.data_dir} holds another shop; this one goes to {aside}.")
        settings = with_source_facts(load_settings(**{**options, "data_dir": aside}))
    return settings


def make_demo_shop(settings: Settings, report: Callable[[str], None]) -> None:
    """Write the demo shop's files where they are not there yet."""
    wanted = settings.model_dump_json(include={"demo_products", "demo_days", "demo_end_date", "seed"})
    marker = settings.source_folder.parent / "made.json"
    if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
        return
    from storecast.simulation.shop import write_demo_shop  # noqa: PLC0415 - not for a shop that is there

    report(f"Making the demo shop: {settings.demo_products} products, {settings.demo_days} days …")
    write_demo_shop(
        settings.source_folder,
        settings.truth_folder,
        products=settings.demo_products,
        days=settings.demo_days,
        end_date=settings.demo_end_date,
        seed=settings.seed,
    )
    marker.write_text(wanted, encoding="utf-8")
