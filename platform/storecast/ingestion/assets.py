"""From the source's files to bronze, what of it breaks a contract, and whether it all adds up."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from storecast.ingestion.contracts import (
    ENTITIES,
    FIRST_MOMENT,
    Entity,
    LandedFiles,
    Loads,
    PublicHolidays,
    Quarantine,
    Reconciliation,
    bronze_types,
)
from storecast.ingestion.holidays import public_holidays as holidays_of
from storecast.ingestion.judging import judge
from storecast.ingestion.landing import land, read_manifest
from storecast.ingestion.loading import landed_table, load_entity
from storecast.ingestion.missing.contracts import KIND, DataGaps
from storecast.ingestion.missing.files import missing_files
from storecast.ingestion.missing.gaps import gaps_table
from storecast.ingestion.missing.lonely_dates import set_aside_lonely_dates
from storecast.ingestion.reconciliation import imbalances, reconcile
from storecast.ingestion.sources import Source, resolve_source
from storecast.settings import Settings
from storecast.warehouse.resources import COLUMN_SCHEMA, OWNERS, SettingsResource, WarehouseResource, table

ROOM = "ingestion"
YEARS_AHEAD = 2
LANDED_FILES = dg.AssetKey(["ops", "landed_files"])
QUARANTINE = dg.AssetKey(["ops", "quarantine"])
BRONZE = {name: dg.AssetKey(["bronze", name]) for name in ENTITIES}
SILVER = [dg.AssetKey(["silver", entity.silver_table]) for entity in ENTITIES.values()]


def source_assets(settings: Settings) -> list[dg.AssetSpec | dg.AssetsDefinition]:
    """Return the source's feeds as external assets, and all tables of this room.

    They hang on the settings: which source, and so which files.
    """
    source = resolve_source(settings)
    specs = [_feed_spec(source, feed.name) for feed in source.feeds]

    @dg.asset(**table("ops.landed_files", LandedFiles, room=ROOM), deps=specs)
    def landed_files(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
        """Source files, copied once and named by their content: one row a landed file and feed."""
        shop = settings.get()
        known = len(read_manifest(shop.landing_dir))
        landed = land(resolve_source(shop), shop.landing_dir, _now())
        files = landed_table(warehouse.open(), landed)
        return dg.Output(files, metadata={"new_files": len(landed) - known, "bytes": int(files["bytes"].sum())})

    return [*specs, landed_files, *bronze_tables, loads, public_holidays, quarantine, reconciliation, data_gaps]


def _feed_spec(source: Source, name: str) -> dg.AssetSpec:
    feed = source.feed(name)
    return dg.AssetSpec(
        dg.AssetKey(["source", name]),
        description=f"Files of the source `{source.name}` called `{feed.pattern}`.",
        group_name="source",
        owners=OWNERS,
        kinds={"file"},
        metadata={"folder": dg.MetadataValue.path(str(source.folder)), "entity": feed.entity or "joined by others"},
    )


def _bronze(entity: Entity) -> dg.AssetsDefinition:
    """Return the asset of an entity's bronze table."""
    columns = [dg.TableColumn(name, type=kind) for name, kind in bronze_types(entity.name).items()]

    @dg.asset(
        key=BRONZE[entity.name],
        deps=[LANDED_FILES],
        group_name=ROOM,
        owners=OWNERS,
        kinds={"duckdb", "python"},
        metadata={COLUMN_SCHEMA: dg.TableSchema(columns=columns)},
        description=f"What the source said of {entity.name}, word for word, no row ever lost. {entity.grain}",
    )
    def bronze(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
    ) -> dg.MaterializeResult[Any]:
        shop = settings.get()
        rows = load_entity(
            warehouse.open(),
            resolve_source(shop),
            read_manifest(shop.landing_dir),
            entity.name,
            shop.landing_dir,
            _now(),
            on_file=lambda path, count: context.log.info(f"{path}: {count:,} rows to bronze.{entity.name}"),
        )
        total = warehouse.open().count_rows([f"bronze.{entity.name}"])[f"bronze.{entity.name}"]
        return dg.MaterializeResult(metadata={"rows_loaded": rows, "dagster/row_count": total})

    return bronze


bronze_tables = [_bronze(entity) for entity in ENTITIES.values()]

loads = dg.AssetSpec(
    **table("ops.loads", Loads, room=ROOM),
    deps=list(BRONZE.values()),
    description="The books of bronze, which each of its tables keeps for itself: one row a landed file and entity.",
)


@dg.asset(**table("bronze.public_holidays", PublicHolidays, room=ROOM), deps=[LANDED_FILES])
def public_holidays(settings: SettingsResource) -> pd.DataFrame:
    """Public holidays of the shop's country, from 2000 to two years past the last landing: a row a day and holiday."""
    shop = settings.get()
    last = max(file.landed_at for file in read_manifest(shop.landing_dir))
    return holidays_of(resolve_source(shop).country, range(FIRST_MOMENT.year, last.year + YEARS_AHEAD + 1))


@dg.asset(**table("ops.quarantine", Quarantine, room=ROOM), deps=list(BRONZE.values()))
def quarantine(warehouse: WarehouseResource, settings: SettingsResource) -> dg.MaterializeResult[Any]:
    """Rows of bronze that break their contract, with every reason: one row a bronze row. The others go on to silver."""
    judgements = judge(warehouse.open(), resolve_source(settings.get()), _now())
    lonely = set_aside_lonely_dates(warehouse.open(), resolve_source(settings.get()), _now())
    reasons = warehouse.read("SELECT entity, reasons, count(*) AS rows FROM ops.quarantine GROUP BY ALL ORDER BY ALL")
    return dg.MaterializeResult(
        metadata={
            "rows_judged": sum(judgement.rows for judgement in judgements),
            "rows_with_lonely_dates": lonely,
            "rows_by_entity": dg.MetadataValue.json(_by_entity(reasons)),
            "dagster/row_count": int(reasons["rows"].sum()),
        }
    )


@dg.asset(
    **table("ops.reconciliation", Reconciliation, room=ROOM),
    deps=[QUARANTINE, *BRONZE.values(), *SILVER, dg.AssetKey(["ops", "duplicates"])],
)
def reconciliation(warehouse: WarehouseResource) -> dg.Output[pd.DataFrame]:
    """The account of every row: one row an entity and file, its rows in bronze, silver, quarantine and duplicates."""
    counts = reconcile(warehouse.open())
    totals = {name: int(counts[name].sum()) for name in counts.columns if name.startswith("rows_")}
    return dg.Output(counts, metadata={**totals, "files_out_of_balance": len(imbalances(counts))})


@dg.asset(
    **table("ops.data_gaps", DataGaps, room=ROOM),
    deps=[LANDED_FILES, QUARANTINE, *(dg.AssetKey(["silver", name]) for name in ("sales_gaps", "cut_days"))],
)
def data_gaps(warehouse: WarehouseResource, settings: SettingsResource) -> dg.Output[pd.DataFrame]:
    """What is missing: one row a feed without files, a name in other case, a channel's days, a day that is not over."""
    shop = settings.get()
    gaps = gaps_table(warehouse.open(), missing_files(resolve_source(shop), shop.data_dir))
    return dg.Output(gaps, metadata={"by_kind": dg.MetadataValue.json(gaps[KIND].value_counts().to_dict())})


def _by_entity(reasons: pd.DataFrame) -> dict[str, int]:
    return {str(entity): int(rows) for entity, rows in reasons.groupby("entity")["rows"].sum().items()}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
