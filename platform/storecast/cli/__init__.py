"""`storecast …`: what the Makefile and people call. Each command says one clear next step.

Nothing but click is imported before a command has said its first line: what computes takes seconds to import.
"""

import getpass
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from storecast.cli.errors import reporting_errors
from storecast.terminal import visible

if TYPE_CHECKING:
    from storecast.settings import Settings

STARTED = time.monotonic()
REPOSITORY = Path(__file__).parents[3]
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


@main.command()
@click.option("--source", type=click.Choice(SOURCES), help="Where the orders come from (default: the demo shop).")
@click.option("--path", "source_path", type=click.Path(path_type=Path), help="Folder of the source's files.")
@click.option("--config", "source_config", type=click.Path(path_type=Path), help="Mapping of your own files (TOML).")
@click.option("--products", "product_limit", type=click.IntRange(min=1), help="Only the first N products (m5).")
@data_dir_option
@reporting_errors
def run(**options: Any) -> None:
    """Run the main job: source files to published forecasts. Run again, it does only what is new."""
    _say("Looking for what is new …")
    from storecast.run import run_main_job

    run_main_job(options, report=_say, started=STARTED)


@main.command()
@data_dir_option
@reporting_errors
def up(data_dir: Path | None) -> None:
    """Start Dagster's UI and daemon and MLflow's UI, and say where they are."""
    from storecast.services import start_services

    start_services(_settings(data_dir), REPOSITORY, report=_say)


@main.command()
@data_dir_option
@reporting_errors
def down(data_dir: Path | None) -> None:
    """End what `storecast up` started."""
    from storecast.services import stop_services

    stop_services(_settings(data_dir), report=_say)


@main.command()
@data_dir_option
@reporting_errors
def status(data_dir: Path | None) -> None:
    """Say what the data folder holds and what is running."""
    from storecast.cli.status import status_lines

    for line in status_lines(_settings(data_dir)):
        _say(line)


@main.command()
@click.option("--model", default="lightgbm", show_default=True, help="A global model of the registry.")
@click.option("--minutes", default=30.0, show_default=True, type=click.FloatRange(min=0), help="Time to search.")
@click.option("--trials", type=click.IntRange(min=1), help="End with so many trials in all, if that comes first.")
@data_dir_option
@reporting_errors
def tune(model: str, minutes: float, trials: int | None, data_dir: Path | None) -> None:
    """Choose a model's parameters by back-tests. Killed or out of time, the same command goes on where it was."""
    _say("Loading the models …", err=True)
    from storecast.tune import tune_model

    tune_model(_settings(data_dir), model, minutes, trials, report=_say)


@main.command()
@click.option("--entity", help="Only rows of this entity, e.g. order_lines.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="So many lines at most.")
@data_dir_option
@reporting_errors
def quarantine(entity: str | None, limit: int, data_dir: Path | None) -> None:
    """Say which rows broke a contract and why: newest first, by file and reason."""
    from storecast.cli.quarantine import quarantine_report

    _say(quarantine_report(_settings(data_dir), entity, limit))


@main.group()
def landed() -> None:
    """List the files that landed from the source, or let one go that landed by mistake."""


@landed.command(name="list")
@click.option("--all", "shows_all", is_flag=True, help="Those too that were replaced or let go.")
@data_dir_option
@reporting_errors
def landed_list(data_dir: Path | None, *, shows_all: bool) -> None:
    """List the landed files: hash, state, delivery, feed, path, rows, and what is to be said of it."""
    from storecast.landed_files import list_landed

    click.echo(list_landed(_settings(data_dir), shows_all=shows_all))


@landed.command(name="forget")
@click.argument("file")
@data_dir_option
@reporting_errors
def landed_forget(file: str, data_dir: Path | None) -> None:
    """Let go of FILE, a path as `landed list` shows it or the first digits of a hash: its rows no longer count."""
    from storecast.landed_files import let_go

    click.echo(let_go(_settings(data_dir), file))


@landed.command(name="restore")
@click.argument("file")
@data_dir_option
@reporting_errors
def landed_restore(file: str, data_dir: Path | None) -> None:
    """Take back FILE that was let go of."""
    from storecast.landed_files import take_back

    click.echo(take_back(_settings(data_dir), file))


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
    from storecast.forecasting.what_if import Change
    from storecast.price_question import answer

    _say(answer(Change(**change), _settings(data_dir)))


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
    _say("Loading the models …", err=True)
    from storecast.explanation_question import answer, explanations_of
    from storecast.forecasting.plots import explanation_plot
    from storecast.warehouse import Warehouse

    settings = _settings(data_dir)
    explanations = explanations_of(Warehouse.of(settings), product_id, channel, settings)
    if picture is not None:
        explanation_plot(explanations, f"{product_id} in {channel or 'all channels'}").savefig(picture)
    _say(answer(explanations))


@main.command()
@click.option("--version", type=click.IntRange(min=1), help="This version (default: the canary, else the challenger).")
@click.option("--veto", is_flag=True, help="Take it out of the race instead: the gate never promotes it.")
@by_option
@data_dir_option
@reporting_errors
def promote(version: int | None, veto: bool, by: str, data_dir: Path | None) -> None:
    """Make a version champion without waiting for the gate, then forecast with it and publish."""
    _say("Loading the models …", err=True)
    from storecast.promote import decide_on

    decide_on(_settings(data_dir), "veto" if veto else "promote", version, by, report=_say, started=STARTED)


@main.command()
@click.option("--to", "version", type=click.IntRange(min=1), help="To this version (default: the predecessor).")
@by_option
@data_dir_option
@reporting_errors
def rollback(version: int | None, by: str, data_dir: Path | None) -> None:
    """Take a promotion back: a former version is champion again, forecasts and is published."""
    _say("Loading the models …", err=True)
    from storecast.promote import decide_on

    decide_on(_settings(data_dir), "rollback", version, by, report=_say, started=STARTED)


def _say(text: str, *, err: bool = False) -> None:
    click.echo(visible(text), err=err)


def _settings(data_dir: Path | None) -> "Settings":
    from storecast.settings import load_settings, process_environment

    settings = load_settings(data_dir=data_dir)
    os.environ.update(process_environment(settings))
    return settings
