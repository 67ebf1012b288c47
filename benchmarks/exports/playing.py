"""Exports as feeds of one shop, through the product's own `refresh`: source files to gold, in this process.

What many exports share is paid once: a shop of some twenty exports costs as much as a shop of one.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pandas as pd

from benchmarks.exports.truth import Export, File
from storecast import automation
from storecast.definitions import compose
from storecast.ingestion.sources.files import files
from storecast.run import shop_settings
from storecast.services import write_instance_config
from storecast.settings import Settings, process_environment
from storecast.shop import StageError
from storecast.warehouse import Warehouse
from storecast.warehouse.dbt import manifest_path

MAPPING: Final = "shop.toml"
MOST_PLAYS: Final = 10
"""A shop that stops is played again without the exports that its message names, so often at most."""
UNNAMED: Final = "the run stopped and named no file of the export: "

SALES: Final = "select channel, product_id, date, sold_units, gross_revenue, net_revenue from gold.daily_revenue"
SET_ASIDE: Final = "select entity, file_sha256, row_number, reasons from ops.quarantine"
ACCOUNT: Final = "select * from ops.reconciliation"
LANDED: Final = "select * from ops.landed_files"
TEXTS: Final = """
    select table_name, column_name from information_schema.columns
    where table_schema = 'ops' and column_name in ('reason', 'reasons', 'note', 'message') order by table_name
"""
"""Where the product says in words what was odd, and of which file."""


@dataclass(frozen=True)
class Played:
    """What the product made of a shop: its tables, and all that it said of files and rows."""

    sales: pd.DataFrame
    quarantine: pd.DataFrame
    account: pd.DataFrame
    landed: pd.DataFrame
    said: str


@dataclass
class Outcome:
    """What came of some exports: the tables of those that were read, and why the run stopped for the others."""

    played: dict[str, Played] = field(default_factory=dict)
    stopped: dict[str, str] = field(default_factory=dict)


def shops_of(exports: Sequence[Export], size: int) -> list[list[Export]]:
    """Put exports together that can share a shop: of one place, and of as many deliveries."""
    groups: dict[Any, list[Export]] = {}
    for export in exports:
        groups.setdefault((export.place, len(export.deliveries)), []).append(export)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]


def parse_project(exports: Sequence[Export], folder: Path) -> None:
    """Let dbt read its project once for each place; shops copy what it made."""
    for place in {export.place for export in exports}:
        manifest_path(_settings_of(place, _parsed(folder, place)))


def settle(shop: Sequence[Export], folder: Path) -> Outcome:
    """Play a shop until it runs through: without what its message names, or in halves where it names nothing."""
    outcome = Outcome()
    waiting, plays = [_with_a_mapping_that_fits(shop, folder, outcome)], 0
    while waiting:
        some = waiting.pop()
        if not some:
            continue
        plays += 1
        try:
            played = play(some, folder / f"{shop[0].place[2]}{shop[0].name[1:]}-{plays}", folder)
        except (StageError, ValueError) as error:
            waiting += _without_the_named(some, str(error), outcome, is_last=plays >= MOST_PLAYS)
            continue
        outcome.played |= {export.name: played for export in some}
    return outcome


def _with_a_mapping_that_fits(shop: Sequence[Export], folder: Path, outcome: Outcome) -> list[Export]:
    """Note whose mapping is refused, and return the others."""
    path = folder / f"mapping-of-{os.getpid()}.toml"
    kept = []
    for export in shop:
        path.write_text(mapping_text([export]), encoding="utf-8")
        try:
            files(path)
        except ValueError as error:
            outcome.stopped[export.name] = f"{MAPPING}: {error}"
            continue
        kept.append(export)
    return kept


def _without_the_named(shop: Sequence[Export], error: str, outcome: Outcome, *, is_last: bool) -> list[list[Export]]:
    """Note whom an error names, and return what is to be played again."""
    named = [export for export in shop if is_named(export, error)]
    outcome.stopped |= {export.name: error for export in named}
    rest = [export for export in shop if export.name not in outcome.stopped]
    if not rest:
        return []
    if named and not is_last:
        return [rest]
    if is_last or len(rest) == 1:
        outcome.stopped |= {export.name: UNNAMED + error for export in rest}
        return []
    return [rest[: len(rest) // 2], rest[len(rest) // 2 :]]


def is_named(export: Export, text: str) -> bool:
    """Whether a text names a file or a feed of the export."""
    return re.search(rf"\b{export.name}(?!\d)", text) is not None


def play(shop: Sequence[Export], place: Path, parsed: Path | None = None) -> Played:
    """Write a shop's files delivery by delivery, refresh after each, and read what came of it.

    Raises what `refresh` raises: `StageError`, and `ValueError` where a mapping does not fit.
    """
    source = place / "files"
    source.mkdir(parents=True)
    (place / MAPPING).write_text(mapping_text(shop), encoding="utf-8")
    settings = _settings_of(shop[0].place, place / "data", place / MAPPING)
    if parsed is not None:
        shutil.copytree(_parsed(parsed, shop[0].place) / "dbt", settings.dbt_dir)
    for number in range(len(shop[0].deliveries)):
        for export in shop:
            for file in export.deliveries[number]:
                _write(source / file.name, file)
        refresh(settings)
    return read(Warehouse(settings.warehouse_path))


def refresh(settings: Settings) -> None:
    """Bring a data folder from its source files to gold, and look for incidents, as `storecast run` does."""
    os.environ.update(process_environment(settings))
    write_instance_config(settings)
    definitions = compose(settings)
    try:
        automation.run_stages(definitions, ["refresh"])
    finally:
        automation.look_after(definitions, settings, print)


def read(warehouse: Warehouse) -> Played:
    """Read what is compared with the truth."""
    texts = [
        warehouse.read(f"select * from ops.{place.table_name} where {place.column_name} is not null").to_csv(
            index=False
        )
        for place in warehouse.read(TEXTS).itertuples()
    ]
    return Played(
        sales=warehouse.read(SALES),
        quarantine=warehouse.read(SET_ASIDE),
        account=warehouse.read(ACCOUNT),
        landed=warehouse.read(LANDED),
        said="\n".join(texts),
    )


def mapping_text(shop: Sequence[Export]) -> str:
    """The mapping of a shop as TOML."""
    zone, currency, country = shop[0].place
    top: dict[str, Any] = {"timezone": zone, "currency": currency, "country": country, "folder": "files"}
    for export in shop:
        for key, values in export.top.items():
            top[key] = sorted({*top.get(key, []), *values})
    feeds = ["\n[[feeds]]\n" + _toml(feed) for export in shop for feed in export.feeds]
    return _toml(top) + "".join(feeds)


def _toml(keys: Mapping[str, Any]) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in keys.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_value(inner)}" for key, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, file: File) -> None:
    path.write_bytes(file.content)
    os.utime(path, (file.changed_at.timestamp(), file.changed_at.timestamp()))


def _parsed(folder: Path, place: tuple[str, str, str]) -> Path:
    return folder / f"parsed-{place[2]}"


def _settings_of(place: tuple[str, str, str], data_dir: Path, config: Path | None = None) -> Settings:
    """Settings of a shop; without a mapping only dbt's part of them counts."""
    zone, currency, country = place
    if config is None:
        return Settings(data_dir=data_dir, timezone=zone, currency=currency, country=country)
    return shop_settings({"data_dir": data_dir, "source": "files", "source_config": config}, report=print)
