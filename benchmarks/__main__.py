"""`python -m benchmarks NAME …`: run benchmarks, print their tables, write their results."""

import importlib
import inspect

import click

from benchmarks.rows import misses, show, write

BENCHMARKS = (
    "m5",
    "cheap",
    "backtest",
    "scale",
    "out_of_core",
    "reconcile",
    "orange_juice",
    "censored",
    "lstm",
    "daily",
    "conformal",
    "quantiles",
    "explanations",
    "new_products",
    "drift",
    "gate",
    "replay",
    "demo",
    "season",
    "kills",
    "exports",
)
SEVERAL = {"all": BENCHMARKS, "loop": ("drift", "gate", "season", "kills")}
"""What more than one benchmark goes by: `loop` is the closed loop."""


@click.command(help=f"Run benchmarks by name: {', '.join((*BENCHMARKS, *SEVERAL))}.")
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS, *SEVERAL]), required=True)
@click.option("--short", "is_short", is_flag=True, help="On a part of the data; written to results/short.")
@click.option("--floor", "is_floor", is_flag=True, help="End with exit code 1 where a figure misses its target.")
def main(names: tuple[str, ...], is_short: bool, is_floor: bool) -> None:
    """Run benchmarks one after the other."""
    missed: list[str] = []
    for name in [own for given in names for own in SEVERAL.get(given, (given,))]:
        module = importlib.import_module(f"benchmarks.{name}")
        click.echo(f"\n{name}: {inspect.getdoc(module)}")
        rows = module.run(is_short=is_short)
        click.echo(f"\n{show(rows)}\nwritten to {write(name, rows, is_short=is_short)}")
        missed += [f"{name}: {miss}" for miss in misses(rows)]
    if is_floor and missed:
        raise click.ClickException("\n".join(missed))


if __name__ == "__main__":
    main()
