"""The main job as `storecast run` starts it: choose the folder, see what is new, run the stages, sum up."""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from storecast import automation, summary
from storecast.definitions import compose
from storecast.ingestion.landing import file_sha256, find_files
from storecast.ingestion.sources import resolve_source
from storecast.recovery import restore_records
from storecast.services import write_instance_config
from storecast.settings import Settings, load_settings, process_environment
from storecast.shop import bind, fingerprint, holds_another_shop, refuse_another_shop
from storecast.simulation.shop import write_demo_shop
from storecast.warehouse import Lease, Warehouse
from storecast.warehouse.dbt import project_files

PACKAGE = Path(__file__).parent
LAST_RUN = "last_run.json"
TUNED = "ops.tuned_parameters"
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


def run_main_job(options: Mapping[str, Any], report: Callable[[str], None]) -> None:
    """Run all that is not done yet, from source files to the published copy, and say how it went.

    `options` are settings given on the command line, None where not given. `report` prints a line. Killed at any
    moment, the same call brings the same result. Raises what the stages raise, with one step that failed named.
    """
    started = time.monotonic()
    settings = shop_settings(options, report)
    os.environ.update(process_environment(settings))
    with Lease(settings.data_dir / "main_job", timeout_seconds=1.0).exclusive():
        refuse_another_shop(settings)
        if settings.source == "demo" and settings.source_path is None:
            make_demo_shop(settings, report)
        state = state_of(settings)
        bind(settings)  # not before the source's files are there: a mistyped folder shall not keep this one
        write_instance_config(settings)
        is_done = restore_records(settings, report) and state == _last_state(settings)
        if is_done and not _may_have_another_champion(settings):
            report(f"Nothing is new in {resolve_source(settings).folder}: {settings.published_path} is up to date.")
        else:
            definitions = compose(settings)
            work = automation.follow_aliases if is_done else automation.run_main_line
            try:
                work(definitions, settings, lambda stage: report(f"\n{TITLES[stage]}"), report)
            finally:
                automation.look_after(definitions, settings, report)
            _remember(settings, state)
    report("\n" + summary.of(Warehouse(settings.warehouse_path), settings))
    report(f"Done in {time.monotonic() - started:.0f} s.")


def shop_settings(options: Mapping[str, Any], report: Callable[[str], None]) -> Settings:
    """Return the settings with the source's own zone, currency and country, and a data folder that is its own.

    A source given without a data folder goes to ``data-<source>`` where ``data`` holds another shop already.
    """
    settings = _with_source_facts(load_settings(**options))
    chosen = options.get("data_dir") or os.environ.get("STORECAST_DATA_DIR")
    if chosen is None and holds_another_shop(settings):
        aside = settings.data_dir.with_name(f"{settings.data_dir.name}-{settings.source}")
        report(f"{settings.data_dir} holds another shop; this one goes to {aside}.")
        settings = _with_source_facts(load_settings(**{**options, "data_dir": aside}))
    return settings


def make_demo_shop(settings: Settings, report: Callable[[str], None]) -> None:
    """Write the demo shop's files where they are not there yet."""
    wanted = settings.model_dump_json(include={"demo_products", "demo_days", "demo_end_date", "seed"})
    marker = settings.source_folder.parent / "made.json"
    if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
        return
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


def state_of(settings: Settings) -> str:
    """Return a hash of all that decides the result: source files and their mappings, settings, tuning, code."""
    source = resolve_source(settings)
    files = [(file.relative, file_sha256(file.path)) for file in find_files(source)]
    mappings = [(feed.name, feed.mapping_hash({})) for feed in source.feeds]
    warehouse = Warehouse(settings.warehouse_path)
    tuned = [(TUNED, warehouse.content_hash(TUNED))] if warehouse.exists(TUNED) else []
    code = [*PACKAGE.rglob("*.py"), *project_files()]
    return fingerprint(settings, files + mappings + tuned, code)


def _with_source_facts(settings: Settings) -> Settings:
    source = resolve_source(settings)
    return settings.model_copy(
        update={"timezone": source.timezone, "currency": source.currency, "country": source.country}
    )


def _last_state(settings: Settings) -> str | None:
    path = settings.data_dir / LAST_RUN
    if not all(made.exists() for made in (path, settings.warehouse_path, settings.published_path)):
        return None
    return str(json.loads(path.read_text(encoding="utf-8"))["state"])


def _may_have_another_champion(settings: Settings) -> bool:
    """Whether MLflow's database was written since the last run; opening it would take longer than all the rest."""
    database, last_run = settings.mlflow_dir / "mlflow.db", settings.data_dir / LAST_RUN
    return database.exists() and database.stat().st_mtime_ns > last_run.stat().st_mtime_ns


def _remember(settings: Settings, state: str) -> None:
    path = settings.data_dir / LAST_RUN
    building = path.with_suffix(".tmp")
    building.write_text(json.dumps({"state": state}), encoding="utf-8")
    building.replace(path)
