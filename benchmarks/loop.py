"""The closed loop: what drift and gate can tell, a season through the real daemon, and kills at random moments.

The season is 60 days of a shop of 12 products in two channels, in 8 landings: a run of Dagster's costs seconds of
start alone, and 15 minutes hold some 40 runs. Time passes in the data, nothing waits for a clock. `season.py` tells
what goes wrong in it, `season_events.py` what is held to be right. Days until something is noticed count from its first
day of data to the last day of the landing by which it was.

The kills are those of `kills.py`: 30 in all, of training, promotion and rollback in turn, each of which forecasts and
publishes. *Never disagree* is looked at twice. Right after each kill, what people read, the published file by itself:
one champion, and forecasts all of it (and the canary), or all of the one that the last decision in the same file
replaced. And after the same command was started again: MLflow, warehouse and published file name the same aliases, and
the forecasts are theirs.

The rows of drift and gate are those of the benchmarks of these names. The short form has 4 landings and 3 kills, and is
without them.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import drift, gate
from benchmarks.kills import Found, kill_and_compare
from benchmarks.rows import Row
from benchmarks.season import SHORT, WHOLE, play
from benchmarks.season_events import season_rows

KILLS: Final = 30
SHORT_KILLS: Final = 3
KILLS_A_TRIAL: Final = 5
SEED: Final = 20_261_127


def run(*, is_short: bool) -> list[Row]:
    """The figures of issue 4: drift and gate, the season, the kills."""
    with TemporaryDirectory(prefix="season") as folder:
        season = play(SHORT if is_short else WHOLE, Path(folder))
    kills, a_trial = (SHORT_KILLS, 1) if is_short else (KILLS, KILLS_A_TRIAL)
    with TemporaryDirectory(prefix="kills") as folder:
        found = kill_and_compare(Path(folder), kills=kills, kills_a_trial=a_trial, seed=SEED)
    told = [] if is_short else [*drift.run(is_short=False), *gate.run(is_short=False)]
    return [*told, *season_rows(season), *kill_rows(found, kills)]


def kill_rows(found: Found, wanted: int) -> list[Row]:
    """What kills have shown, as rows."""
    kills = sum(found.kills.values())
    return [
        Row("killed at random moments and started again", "kills", float(kills), bound=float(wanted), is_floor=True),
        *(Row(f"kills: of {name}", "kills", float(count)) for name, count in sorted(found.kills.items())),
        Row("kills: gold tables not equal row for row", "tables", float(len(found.unequal_gold)), bound=0.0),
        Row("kills: other published tables not equal", "tables", float(len(found.unequal_others)), bound=0.0),
        Row(
            "kills: alias, registry or published file disagreed, right after a kill or started again", "times",
            float(len(found.contradictions)), bound=0.0,
        ),
    ]  # fmt: skip
