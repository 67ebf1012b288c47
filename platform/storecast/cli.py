"""`storecast …`: what the Makefile and people call. Each command says one clear next step."""

import getpass
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from storecast import summary
from storecast.services import ServiceError, running_services, start_services, stop_services
from storecast.settings import Settings, load_settings, process_environment
from storecast.shop import StageError
from storecast.warehouse import LeaseError, Warehouse
from storecast.warehouse.dbt import DbtError

REPOSITORY = Path(__file__).parents[2]
SOURCES = ["demo", "online_retail_ii", "olist", "m5", "files"]
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of all that a run writes (default data/).",
)

by_option = click.option("--by", default=getpass.getuser, help="Who decides (default: the user of this system).")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="storecast")
def main() -> None:
    """From an online shop's raw orders to forecasts per product."""


def reporting_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn the errors a user can mend into one message and exit code 1; a bug keeps its traceback."""

    def wrapped(*arguments: Any, **options: Any) -> None:
        warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")
        warnings.filterwarnings("ignore", category=SyntaxWarning)
        try:
            command(*arguments, **options)
        except (ValueError, FileNotFoundError, LeaseError, DbtError, StageError, ServiceError) as error:
            click.secho(f"error: {error}", fg="red", err=True)
            sys.exit(1)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__dict__.update(command.__dict__)
    return wrapped


@main.command()
@click.option("--source", type=click.Choice(SOURCES), help="Where the orders come from (default: the demo shop).")
@click.option("--path", "source_path", type=click.Path(path_type=Path), help="Folder of the source's files.")
@click.option("--config", "source_config", type=click.Path(path_type=Path), help="Mapping of your own files (TOML).")
@click.option("--products", "product_limit", type=click.IntRange(min=1), help="Only the first N products (m5).")
@data_dir_option
@reporting_errors
def run(**options: Any) -> None:
    """Run the main job: source files to published forecasts. Run again, it does only what is new."""
    from storecast.run import run_main_job  # noqa: PLC0415 - Dagster takes seconds to import: only this command pays

    run_main_job(options, report=click.echo)


@main.command()
@data_dir_option
@reporting_errors
def up(data_dir: Path | None) -> None:
    """Start Dagster's UI and daemon and MLflow's UI, and say where they are."""
    start_services(_settings(data_dir), REPOSITORY, report=click.echo)


@main.command()
@data_dir_option
@reporting_errors
def down(data_dir: Path | None) -> None:
    """End what `storecast up` started."""
    stop_services(_settings(data_dir), report=click.echo)


@main.command()
@data_dir_option
@reporting_errors
def status(data_dir: Path | None) -> None:
    """Say what the data folder holds and what is running."""
    settings = _settings(data_dir)
    for service in running_services(settings):
        click.echo(f"running: {service.name} (process {service.pid}) {service.url or ''}")
    click.echo(summary.of(Warehouse(settings.warehouse_path), settings))


@main.command()
@click.option("--model", default="lightgbm", show_default=True, help="A global model of the registry.")
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Time to search.")
@click.option("--trials", type=click.IntRange(min=1), help="End with so many trials in all, if that comes first.")
@data_dir_option
@reporting_errors
def tune(model: str, minutes: float, trials: int | None, data_dir: Path | None) -> None:
    """Choose a model's parameters by back-tests. Killed or out of time, the same command goes on where it was."""
    from storecast.tune import tune_model  # noqa: PLC0415 - as for `run`

    tune_model(_settings(data_dir), model, minutes, trials, report=click.echo)


@main.command()
@click.option("--entity", help="Only rows of this entity, e.g. order_lines.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1))
@data_dir_option
@reporting_errors
def quarantine(entity: str | None, limit: int, data_dir: Path | None) -> None:
    """List rows that broke a contract, with their reasons."""
    rows = Warehouse(_settings(data_dir).warehouse_path).read(
        "select entity, left(file_sha256, 8) as file, row_number, reasons from ops.quarantine "
        "where ? is null or entity = ? order by all limit ?",
        [entity, entity, limit],
    )
    click.echo(rows.to_string(index=False) if len(rows) else "no row is in quarantine")


@main.command(name="what-if")
@click.option("--product", "product_id", required=True, help="The product's id, as in gold.demand_forecasts.")
@click.option("--channel", help="Only in this channel (default: in all that sell it).")
@click.option("--price", "unit_price", type=float, help="A new price a unit.")
@click.option("--promotion", "discount_share", type=float, help="A promotion with this discount: 0.2 is 20 % off.")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day of the change.")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="Last day of the change.")
@data_dir_option
@reporting_errors
def what_if(data_dir: Path | None, **change: Any) -> None:
    """Ask what a product would sell at another price, or on promotion."""
    from storecast.forecasting.what_if import Change  # noqa: PLC0415 - SciPy and pandera take time to import
    from storecast.price_question import answer  # noqa: PLC0415 - as above

    click.echo(answer(Change(**change), _settings(data_dir)))


@main.command()
@click.option("--product", "product_id", required=True, help="The product's id, as in gold.demand_forecasts.")
@click.option("--channel", help="Only in this channel (default: in all that sell it).")
@click.option(
    "--picture", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into this file, .png or .svg."
)
@data_dir_option
@reporting_errors
def explain(product_id: str, channel: str | None, picture: Path | None, data_dir: Path | None) -> None:
    """Say what a product's forecast is made of: level, season, price, promotion, events."""
    from storecast.explanation_question import answer, explanations_of  # noqa: PLC0415 - as for `run`
    from storecast.forecasting.plots import explanation_plot  # noqa: PLC0415

    settings = _settings(data_dir)
    explanations = explanations_of(Warehouse(settings.warehouse_path), product_id, channel, settings)
    if picture is not None:
        explanation_plot(explanations, f"{product_id} in {channel or 'all channels'}").savefig(picture)
    click.echo(answer(explanations))


@main.command()
@click.option("--version", type=click.IntRange(min=1), help="This version (default: the canary, else the challenger).")
@click.option("--veto", is_flag=True, help="Take it out of the race instead: the gate never promotes it.")
@by_option
@data_dir_option
@reporting_errors
def promote(version: int | None, veto: bool, by: str, data_dir: Path | None) -> None:
    """Make a version champion without waiting for the gate, then forecast with it and publish."""
    from storecast.promote import decide_on  # noqa: PLC0415 - as for `run`

    decide_on(_settings(data_dir), "veto" if veto else "promote", version, by, report=click.echo)


@main.command()
@click.option("--to", "version", type=click.IntRange(min=1), help="To this version (default: the predecessor).")
@by_option
@data_dir_option
@reporting_errors
def rollback(version: int | None, by: str, data_dir: Path | None) -> None:
    """Take a promotion back: a former version is champion again, forecasts and is published."""
    from storecast.promote import decide_on  # noqa: PLC0415 - as for `run`

    decide_on(_settings(data_dir), "rollback", version, by, report=click.echo)


def _settings(data_dir: Path | None) -> Settings:
    settings = load_settings(data_dir=data_dir)
    os.environ.update(process_environment(settings))
    return settings
