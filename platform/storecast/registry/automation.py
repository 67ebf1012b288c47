"""How people decide from Dagster, and how forecasts follow the aliases, wherever they were moved."""

from collections.abc import Callable, Mapping
from typing import Literal

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from storecast.registry import contracts as c
from storecast.registry.assets import MLFLOW, now
from storecast.registry.decisions import promotion_by, rollback_by, veto_by
from storecast.registry.forecasts_made import are_behind, made_with, request_key
from storecast.settings import Settings
from storecast.warehouse import Lease, LeaseError, Warehouse
from storecast.warehouse.resources import SettingsResource

LOOKS_EVERY_SECONDS = 5
PATIENCE_SECONDS = 2.0
"""Longest wait for registry or warehouse: the next tick comes soon."""
CHOICES = {"promote": promotion_by, "veto": veto_by, "rollback": rollback_by}
UNDER_WAY = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
"""What is queued does not count: forecasts of the right version overtake it."""
Tags = Callable[[dg.DagsterInstance], Mapping[str, str]]


class Choice(dg.Config):
    """What a person decides: `version` may be left out where an alias tells it, `by` is who decided."""

    action: Literal["promote", "veto", "rollback"] = "promote"
    version: int | None = None
    by: str


@dg.op(tags={f"dagster/kind/{kind}": "" for kind in sorted(MLFLOW["kinds"])})
def decide(context: dg.OpExecutionContext, config: Choice, settings: SettingsResource) -> None:
    """Carry out what a person decides on a version: a row of ops.promotions, tags and aliases in MLflow."""
    from storecast.registry.promotion import Registry, decide_by  # noqa: PLC0415 - MLflow takes seconds to import

    version = None if config.version is None else str(config.version)
    moment = now()
    with Registry.held(settings.get(), moment) as registry:
        decision = decide_by(registry, CHOICES[config.action], version, config.by, moment)
    context.add_output_metadata({"decision": decision.sentence, "aliases": dict(decision.aliases)})


@dg.job(description="Promote, veto or roll back a version by hand; `moved_alias` then has forecasts made anew.")
def promote() -> None:
    """Decide on a version."""
    decide()


def moved_alias(job: UnresolvedAssetJobDefinition, tags: Tags, deciding: str) -> dg.SensorDefinition:
    """Return the sensor that starts `job` when champion or canary are other versions than forecasts were made with.

    `tags` gives the tags that select all products. While a run works that may bring forecasts and aliases together by
    itself it does not look; one of the job `deciding`, in which the gate decides, never does.
    """

    @dg.sensor(
        job=job,
        name="moved_alias",
        minimum_interval_seconds=LOOKS_EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Takes over aliases moved in MLflow itself, and starts forecasts anew, once a move, where the "
        "newest were made with other versions.",
    )
    def sensor(context: dg.SensorEvaluationContext, settings: SettingsResource) -> dg.SensorResult | dg.SkipReason:
        shop = settings.get()
        seen = glance(shop)
        if seen == context.cursor:
            return dg.SkipReason("neither MLflow nor the warehouse changed")
        jobs = {run.job_name for run in context.instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))}
        if others := jobs - {deciding}:
            return dg.SkipReason(f"a run of {', '.join(sorted(others))} is under way")
        try:
            with Lease(shop.data_dir / "main_job", PATIENCE_SECONDS).exclusive():
                key, reason = look(shop)
        except LeaseError as error:
            return dg.SkipReason(f"busy, the next tick looks again: {error}")
        if key is None:
            return dg.SensorResult(cursor=seen, skip_reason=dg.SkipReason(reason))
        return dg.SensorResult(cursor=seen, run_requests=[dg.RunRequest(run_key=key, tags=tags(context.instance))])

    return sensor


def look(shop: Settings) -> tuple[str | None, str]:
    """Bring the warehouse to what MLflow says; return the key of the forecasts that are due, or None and why not."""
    from storecast.registry.promotion import Registry  # noqa: PLC0415 - MLflow takes seconds to import

    warehouse = Warehouse.of(shop, PATIENCE_SECONDS)
    if not warehouse.exists(c.REGISTERED_MODELS) or not warehouse.exists(c.DEMAND_FORECASTS):
        return None, "there are no forecasts yet"
    with Registry.held(shop, now(), PATIENCE_SECONDS) as registry:
        history = warehouse.read(f"select * from {c.PROMOTIONS} order by decided_at")
        return request_key(made_with(shop, PATIENCE_SECONDS), registry.aliases, history)


def restore_lost_models(shop: Settings) -> tuple[bool, str | None]:
    """Give MLflow back what it lost with its folder; return whether a champion is left, and what was done in words.

    True and None where no version was registered yet: then MLflow is not asked.
    """
    warehouse = Warehouse(shop.warehouse_path, shop.lease_timeout_seconds)
    if not warehouse.exists(c.REGISTERED_MODELS) or warehouse.read(c.WITH_ALIAS_SQL).empty:
        return True, None
    from storecast.registry.promotion import Registry  # noqa: PLC0415 - MLflow takes seconds to import

    with Registry.held(shop, now()) as registry:
        return c.CHAMPION_ALIAS in registry.aliases, registry.restored


def behind(shop: Settings) -> str | None:
    """Say that forecasts wait for being made with other versions, None where they do not; MLflow is not asked."""
    from storecast.registry.mirror import mirrored_aliases  # noqa: PLC0415 - MLflow takes seconds to import

    aliases = mirrored_aliases(Warehouse.of(shop, PATIENCE_SECONDS))
    if are_behind(made_with(shop, PATIENCE_SECONDS), aliases):
        return "forecasts of all products are made anew first, with the versions that the aliases name"
    return None


def glance(shop: Settings) -> str:
    """Return when MLflow's database and the warehouse were last written; neither is opened."""
    files = (shop.mlflow_dir / "mlflow.db", shop.warehouse_path)
    return " ".join(str(file.stat().st_mtime_ns) if file.exists() else "none" for file in files)
