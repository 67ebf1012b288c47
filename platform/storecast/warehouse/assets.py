"""The tables dbt makes, and the published copy of the warehouse."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, dbt_assets

from storecast.settings import Settings
from storecast.warehouse.dbt import built_otherwise, dbt_vars, manifest_path, remember_built, run_target
from storecast.warehouse.publishing import publish
from storecast.warehouse.resources import OWNERS, SettingsResource, WarehouseResource

PUBLISHED = dg.AssetKey(["published", "storecast"])
PUBLISHED_LAST = (
    "gold.daily_kpis",
    "gold.daily_revenue",
    "gold.demand_forecasts",
    "gold.forecast_accuracy",
    "gold.forecast_explanations",
    "gold.level_forecasts",
    "gold.lost_demand",
    "gold.planned_drivers",
    "gold.revenue_forecasts",
    "ops.alerts",
    "ops.drift",
    "ops.model_costs",
    "ops.model_scores",
    "ops.paired_losses",
    "ops.price_responses",
    "ops.product_drift",
    "ops.promotions",
    "ops.reconciliation",
    "ops.registered_models",
    "ops.retraining_requests",
    "ops.tracking_signals",
)
"""The ends of the graph: when these are made, all that is published is."""
READ_BY_PEOPLE = ("gold", "published")


class TableTranslator(DagsterDbtTranslator):
    """Names every dbt model and source by its schema and table; groups gold, and what gold is made of, silver."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return [schema, table]."""
        name = dbt_resource_props.get("alias") or dbt_resource_props["name"]
        return dg.AssetKey([dbt_resource_props["schema"], name])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Return gold, or silver for all that comes before it."""
        return "gold" if dbt_resource_props["schema"] == "gold" else "silver"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:  # noqa: ARG002 - dbt's signature
        """Return the house's owners."""
        return OWNERS


def watched_for_freshness(assets: Iterable[Any], settings: Settings) -> Sequence[Any]:
    """Return assets and specs, those that people read with the time within which they are to be made anew."""
    policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=settings.fresh_hours))

    def watched(spec: dg.AssetSpec) -> dg.AssetSpec:
        return dg.apply_freshness_policy(spec, policy) if spec.key.path[0] in READ_BY_PEOPLE else spec

    return dg.map_asset_specs(watched, assets)


def dbt_tables(settings: Settings) -> dg.AssetsDefinition:
    """Return silver and gold as one asset definition, read from the parsed project."""

    @dbt_assets(manifest=manifest_path(settings), dagster_dbt_translator=TableTranslator(), name="dbt")
    def dbt(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        warehouse: WarehouseResource,
        settings: SettingsResource,
    ) -> Iterator[Any]:
        """Build the selected models and run their tests, alone on the warehouse."""
        shop = settings.get()
        arguments = ["build", "--vars", json.dumps(dbt_vars(shop)), "--exclude-resource-type", "unit_test"]
        if not context.is_subset and built_otherwise(shop):
            arguments += ["--full-refresh"]
        target = run_target(shop)
        with warehouse.open().lent():
            events, error = dbt_events(dbt.cli(arguments, context=context, target_path=target, raise_on_error=False))
        yield from with_row_counts(context, events, warehouse)
        if error is not None:
            raise error
        if not context.is_subset:
            remember_built(shop)

    return dbt


def dbt_events(invocation: DbtCliInvocation) -> tuple[list[Any], Exception | None]:
    """Return all that dbt did, and its error if any; its words go to its log file, not to the terminal."""
    invocation.target_path.mkdir(parents=True, exist_ok=True)
    with (invocation.target_path / "stdout.log").open("w", encoding="utf-8") as log, redirect_stdout(log):
        return list(invocation.stream()), invocation.get_error()


def with_row_counts(
    context: dg.AssetExecutionContext, events: Sequence[Any], warehouse: WarehouseResource
) -> Iterator[Any]:
    """Add each table's row count to its output, once dbt has let go of the file."""
    keys = {id(event): context.asset_key_for_output(event.output_name) for event in events if _is_output(event)}
    counts = warehouse.open().count_rows(sorted({".".join(key.path) for key in keys.values()})) if keys else {}
    for event in events:
        key = keys.get(id(event))
        rows = {} if key is None else {"dagster/row_count": counts[".".join(key.path)]}
        yield event.with_metadata({**event.metadata, **rows}) if rows else event


def _is_output(event: Any) -> bool:
    return isinstance(event, dg.Output)


@dg.asset(
    key=PUBLISHED,
    deps=[table.split(".") for table in PUBLISHED_LAST],
    group_name="published",
    owners=OWNERS,
    kinds={"duckdb"},
)
def published(warehouse: WarehouseResource, settings: SettingsResource) -> dg.MaterializeResult[None]:
    """One immutable copy of silver, gold and ops; the pointer `published/storecast.duckdb` leads to the newest."""
    publication = publish(warehouse.open(), settings.get().published_path)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(publication.content),
        metadata={
            "path": dg.MetadataValue.path(str(publication.path)),
            "is_new": publication.is_new,
            "rows": dg.MetadataValue.json(publication.rows),
            "dagster/row_count": sum(publication.rows.values()),
        },
    )
