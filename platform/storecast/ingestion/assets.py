"""From the source's files to bronze, what of it breaks a contract, and whether it all adds up."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from storecast.ingestion.account_contracts import (
    LandedFiles,
    Loads,
    NonProductCodes,
    PublicHolidays,
    Quarantine,
    Reconciliation,
    WithdrawnRows,
)
from storecast.ingestion.contracts import (
    ENTITIES,
    FIRST_MOMENT,
    Entity,
    bronze_types,
)
from storecast.ingestion.holidays import public_holidays as holidays_of
from storecast.ingestion.judging import judge
from storecast.ingestion.landing import land
from storecast.ingestion.landing import landed_files as files_landed
from storecast.ingestion.loading import ensure_tables, load_entity
from storecast.ingestion.missing.contracts import KIND, DataGaps
from storecast.ingestion.missing.files import missing_files
from storecast.ingestion.missing.gaps import gaps_table
from storecast.ingestion.missing.lonely_dates import set_aside_lonely_dates
from storecast.ingestion.reconciliation import imbalances, reconcile
from storecast.ingestion.sources import Source, resolve_source
from storecast.ingestion.withdrawing import landed_table, withdraw, withdrawals
from storecast.settings import Settings
from storecast.warehouse.contracts import sql_types
from storecast.warehouse.resources import COLUMN_SCHEMA, OWNERS, PROGRESS, SettingsResource, WarehouseResource, table

ROOM = "ingestion"
SHOWN = 20
YEARS_AHEAD = 2
LANDED_FILES = dg.AssetKey(["ops", "landed_files"])
QUARANTINE = dg.AssetKey(["ops", "quarantine"])
WITHDRAWN_ROWS = dg.AssetKey(["ops", "withdrawn_rows"])
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
        source, now = resolve_source(shop), _now()
        landed = land(source, shop.landing_dir, now)
        ensure_tables(warehouse.open())
        files = landed_table(warehouse.open(), source, landed)
        new = sum(file.landed_at == now for file in landed)
        return dg.Output(files, metadata={"new_files": new, "bytes": int(files["bytes"].sum())})

    books = [loads, non_product_codes, public_holidays, withdrawn_rows, quarantine, reconciliation, data_gaps]
    return [*specs, landed_files, *bronze_tables, *books]


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
        source = resolve_source(shop)
        loaded = load_entity(
            warehouse.open(),
            source,
            files_landed(source, shop.landing_dir),
            entity.name,
            shop.landing_dir,
            _now(),
            report=context.log.info,
        )
        for reason in loaded.set_aside[:SHOWN]:
            context.log.warning(f"set aside: {reason}")
        total = warehouse.open().count_rows([f"bronze.{entity.name}"])[f"bronze.{entity.name}"]
        done = {"rows_loaded": loaded.rows, "files_set_aside": len(loaded.set_aside), "dagster/row_count": total}
        return dg.MaterializeResult(metadata=done)

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
    source = resolve_source(shop)
    last = max(file.landed_at for file in files_landed(source, shop.landing_dir))
    return holidays_of(source.country, range(FIRST_MOMENT.year, last.year + YEARS_AHEAD + 1))


@dg.asset(**table("bronze.non_product_codes", NonProductCodes, room=ROOM), deps=[LANDED_FILES])
def non_product_codes(settings: SettingsResource) -> pd.DataFrame:
    """Ids that the source says are no products, such as shipping or gift cards: one row a pattern."""
    codes = resolve_source(settings.get()).non_products
    return pd.DataFrame({"pattern": list(codes), "line_is": list(codes.values())}, dtype="object")


@dg.asset(**table("ops.withdrawn_rows", WithdrawnRows, room=ROOM), deps=list(BRONZE.values()))
def withdrawn_rows(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult[Any]:
    """Rows of bronze that a later delivery stands in place of and no longer holds: one row a bronze row."""
    shop = settings.get()
    source = resolve_source(shop)
    landed = files_landed(source, shop.landing_dir)
    rows = withdraw(warehouse.open(), source, landed, _now())
    files = landed_table(warehouse.open(), source, landed)
    warehouse.open().replace_table("ops.landed_files", files, sql_types(LandedFiles))
    for line in withdrawals(rows, landed):
        context.log.info(line)
    return dg.MaterializeResult(metadata={"dagster/row_count": len(rows)})


@dg.asset(**table("ops.quarantine", Quarantine, room=ROOM), deps=[WITHDRAWN_ROWS, *BRONZE.values()])
def quarantine(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.MaterializeResult[Any]:
    """Rows of bronze that break their contract, with every reason: one row a bronze row. The others go on to silver."""
    judgements = judge(warehouse.open(), resolve_source(settings.get()), _now())
    spellings = [sentence for judgement in judgements for sentence in judgement.spellings]
    for sentence in spellings:
        context.log.info(sentence, extra=PROGRESS)
    lonely = set_aside_lonely_dates(warehouse.open(), resolve_source(settings.get()), _now())
    reasons = warehouse.read("SELECT entity, reasons, count(*) AS rows FROM ops.quarantine GROUP BY ALL ORDER BY ALL")
    return dg.MaterializeResult(
        metadata={
            "rows_judged": sum(judgement.rows for judgement in judgements),
            "products_of_several_spellings": dg.MetadataValue.json(spellings),
            "rows_with_lonely_dates": lonely,
            "rows_by_entity": dg.MetadataValue.json(_by_entity(reasons)),
            "dagster/row_count": int(reasons["rows"].sum()),
        }
    )


@dg.asset(
    **table("ops.reconciliation", Reconciliation, room=ROOM),
    deps=[QUARANTINE, WITHDRAWN_ROWS, *BRONZE.values(), *SILVER, dg.AssetKey(["ops", "duplicates"])],
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
