"""Which shop a data folder belongs to: bound by the first run, never mixed with another."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from storecast.ingestion.sources import resolve_source
from storecast.settings import SHOP_FILE, SOURCE_FACTS, Settings, load_settings, process_environment, read_shop

IDENTITY = ("source", "source_path", "source_config", "product_limit")
BOUND = (*IDENTITY, *SOURCE_FACTS)
ALERTING = ("alert_repeat_hours", "alert_stale_hours", "alert_quarantine_share", "alert_bias")
PLACES = ("data_dir", "dagster_port", "mlflow_port", "reports_port", "fit_processes")
PATIENCE = ("lease_timeout_seconds", "run_timeout_hours", "fresh_hours")


class OtherShopError(ValueError):
    """The data folder holds another shop."""


class StageError(RuntimeError):
    """A stage of the main job failed; the message names the step and what it said."""


def with_source_facts(settings: Settings) -> Settings:
    """Return the settings with the zone, currency and country of the source, which alone decides them."""
    source = resolve_source(settings)
    return settings.model_copy(update={fact: getattr(source, fact) for fact in SOURCE_FACTS})


def settings_of_environment() -> Settings:
    """Return the settings of the data folder that the environment names, for this process and those it starts."""
    settings = with_source_facts(load_settings())
    os.environ.update(process_environment(settings))
    return settings


def bind(settings: Settings) -> None:
    """Write down in the data folder which shop it holds, so that daemon, UI and later runs agree.

    Raises `OtherShopError` where the folder holds another shop already.
    """
    refuse_another_shop(settings)
    path = settings.data_dir / SHOP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_suffix(".tmp")
    building.write_text(settings.model_dump_json(include=set(BOUND), indent=2), encoding="utf-8")
    building.replace(path)


def refuse_another_shop(settings: Settings) -> None:
    """Raise `OtherShopError` where the data folder holds another shop already."""
    if holds_another_shop(settings):
        message = (
            f"{settings.data_dir} holds another shop ({settings.data_dir / SHOP_FILE} says which): "
            "name a folder for this one with --data-dir or STORECAST_DATA_DIR"
        )
        raise OtherShopError(message)


def holds_another_shop(settings: Settings) -> bool:
    """Tell whether the data folder is bound to another source than the settings name."""
    bound = read_shop(settings.data_dir / SHOP_FILE)
    if not bound:
        return False
    wanted = json.loads(settings.model_dump_json(include=set(IDENTITY)))
    return any(bound.get(name) != wanted[name] for name in IDENTITY)


def fingerprint(settings: Settings, inputs: Iterable[tuple[str, str]], code: Iterable[Path]) -> str:
    """Return a hash of all that decides a run's result: settings, code, and by name what files and mappings hold."""
    digest = hashlib.sha256(settings.model_dump_json(exclude={*PLACES, *PATIENCE, *ALERTING}).encode())
    for name, content in sorted(inputs):
        digest.update(f"\n{name}\0{content}".encode())
    for code_path in sorted(code):
        digest.update(code_path.read_bytes())
    return digest.hexdigest()
