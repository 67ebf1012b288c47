"""`python -m benchmarks.exports NUMBER FOLDER`: write one export as a shop of its own, to look into it."""

import os
from pathlib import Path

import click

from benchmarks.exports import SEED
from benchmarks.exports.generator import export_of
from benchmarks.exports.playing import MAPPING, mapping_text


@click.command()
@click.argument("number", type=click.IntRange(min=0))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--seed", default=SEED, show_default=True)
def main(number: int, folder: Path, seed: int) -> None:
    """Write an export's files, delivery by delivery, its mapping, and say what is true."""
    export = export_of(f"e{number:03d}", number, seed)
    for count, delivery in enumerate(export.deliveries):
        place = folder / ("files" if count == 0 else f"later-{count}")
        place.mkdir(parents=True, exist_ok=True)
        for file in delivery:
            (place / file.name).write_bytes(file.content)
            os.utime(place / file.name, (file.changed_at.timestamp(),) * 2)
    (folder / MAPPING).write_text(mapping_text([export]), encoding="utf-8")
    sums = export.sums()
    click.echo(f"{export.name}: {export.shape}, {export.slip or 'no slip'}; {len(export.deliveries)} deliveries")
    click.echo(f"units {sum(sums.units.values())}, gross {sums.gross:f}, net {sums.net:f}")


if __name__ == "__main__":
    main()
