"""Training, promotion and rollback killed at random moments and started again, against the same left undisturbed.

30 kills, of each in turn; the short form has 3.

Each is a command on a copy of a prepared data folder, which forecasts and publishes too. A moment is drawn evenly over
the time of the undisturbed command and named by its progress: so many lines printed, and a while after. Then its whole
process group gets SIGKILL, the same command is started again, and what it comes to is compared row for row.

Alias, registry and published file *never disagree* is looked at twice. Right after each kill, what people read, the
published file by itself: one champion, and forecasts all of it (and the canary), or all of the one that the last
decision in the same file replaced. And after the same command was started again: MLflow, warehouse and published file
name the same aliases, and the forecasts are theirs.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from benchmarks.loop_shop import LoopShop
from benchmarks.rows import Row
from benchmarks.running_shop import MADE_WITH, STORECAST
from benchmarks.same_rows import differences, read
from storecast.registry import contracts as c
from storecast.registry.store import ModelStore, aliases_of
from storecast.settings import Settings, process_environment
from storecast.warehouse import Warehouse

KILLS: Final = 30
SHORT_KILLS: Final = 3
KILLS_A_TRIAL: Final = 5
SEED: Final = 20_261_127
HISTORY_DAYS: Final = 150
NEW_DAYS: Final = 28
"""So old a training may be in days of data: with them another one is due."""
PRODUCTS: Final = 5
VARIABLES: Final = {
    "STORECAST_MODELS": "window_average,lightgbm",
    "STORECAST_HORIZON_DAYS": "14",
    "STORECAST_SELECTION_ORIGINS": "2",
    "STORECAST_EVALUATION_ORIGINS": "1",
    "STORECAST_FIT_PROCESSES": "1",
    "PYTHONUNBUFFERED": "1",
}
BY: Final = ("--by", "tester")
ALIASES: Final = f"select alias, model_version::varchar as version from {c.REGISTERED_MODELS} where alias is not null"
REPLACED: Final = f"""
    select champion_version from {c.PROMOTIONS} where kind in ('{c.PROMOTION}', '{c.ROLLBACK}', '{c.SETTINGS_CHANGED}')
    order by decided_at desc limit 1
"""


@dataclass(frozen=True)
class Moment:
    """So many seconds after so many lines were printed."""

    lines: int
    seconds: float


@dataclass(frozen=True)
class Undisturbed:
    """A command as it runs undisturbed: from a copy of the folder `start` to the folder `end`, in so many seconds.

    `printed` holds when each line was printed.
    """

    name: str
    command: tuple[str, ...]
    start: Path
    end: Path
    printed: tuple[float, ...]
    seconds: float

    def moment(self, share: float) -> Moment:
        """The moment at this share of its time.

        >>> Undisturbed("training", (), Path(), Path(), (1.0, 4.0), 10.0).moment(0.5)
        Moment(lines=2, seconds=1.0)
        """
        at = share * self.seconds
        before = [moment for moment in self.printed if moment <= at]
        return Moment(len(before), at - (before[-1] if before else 0.0))


@dataclass
class Found:
    """What kills have shown: how many hit each command, and everything that was not as it should be, in words."""

    kills: dict[str, int] = field(default_factory=dict)
    unequal_gold: list[str] = field(default_factory=list)
    unequal_others: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)


def run(*, is_short: bool) -> list[Row]:
    """Kill, start again, and say what was not as it should be."""
    kills, a_trial = (SHORT_KILLS, 1) if is_short else (KILLS, KILLS_A_TRIAL)
    with TemporaryDirectory(prefix="kills") as folder:
        return kill_rows(kill_and_compare(Path(folder), kills=kills, kills_a_trial=a_trial, seed=SEED), kills)


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


def kill_and_compare(folder: Path, *, kills: int, kills_a_trial: int, seed: int) -> Found:
    """Kill the commands of `prepared` so many times in all, in turn; each trial starts from a copy of its folder."""
    sequences, found, rng = prepared(folder), Found(), np.random.default_rng(seed)
    trial = 0
    while (left := kills - sum(found.kills.values())) > 0:
        one = sequences[trial % len(sequences)]
        killed_and_restarted(one, folder / f"trial-{trial}", min(kills_a_trial, left), rng, found)
        trial += 1
        print(f"{trial} trials: {found}", flush=True)  # noqa: T201 - it takes minutes
    return found


def prepared(folder: Path) -> tuple[Undisturbed, ...]:
    """Run a shop's first training, then training, promotion and rollback undisturbed, each in a copy of the former."""
    shop = LoopShop(folder / "shop", products=PRODUCTS)
    shop.write_days(0, HISTORY_DAYS)
    first = folder / "first"
    require_success(("run", "--source", "files", "--config", str(shop.mapping)), first)
    shop.write_days(HISTORY_DAYS, NEW_DAYS)
    training = undisturbed("training", ("run",), first, folder / "trained")
    promotion = undisturbed("promotion", ("promote", "--version", "2", *BY), training.end, folder / "promoted")
    rollback = undisturbed("rollback", ("rollback", "--to", "1", *BY), promotion.end, folder / "rolled_back")
    return training, promotion, rollback


def undisturbed(name: str, command: tuple[str, ...], start: Path, end: Path) -> Undisturbed:
    """Run a command on a copy of a folder."""
    shutil.copytree(start, end, symlinks=True)
    began = time.monotonic()
    with started(command, end) as process:
        printed = tuple(time.monotonic() - began for _ in process.stdout or ())
    if process.returncode != 0 or (wrong := contradictions(end)):
        raise RuntimeError(f"{name} undisturbed in {end}: exit code {process.returncode}, {wrong}")
    return Undisturbed(name, command, start, end, printed, time.monotonic() - began)


def killed_and_restarted(one: Undisturbed, folder: Path, kills: int, rng: np.random.Generator, found: Found) -> None:
    """Kill a command so many times, let it end, and note what was not as it should be; the folder is gone after."""
    shutil.copytree(one.start, folder, symlinks=True)
    for _ in range(kills):
        if not kill_at(one.moment(rng.uniform()), one.command, folder):
            break  # it ended before
        found.kills[one.name] = found.kills.get(one.name, 0) + 1
        found.contradictions += [f"{one.name}, killed: {what}" for what in unreadable(folder)]
    require_success(one.command, folder)
    found.contradictions += [f"{one.name}, started again: {what}" for what in contradictions(folder)]
    for table in differences(published(folder), published(one.end)):
        (found.unequal_gold if table.startswith("gold.") else found.unequal_others).append(f"{one.name}: {table}")
    shutil.rmtree(folder)


def started(command: tuple[str, ...], folder: Path) -> subprocess.Popen[str]:
    """Start `storecast …` on a data folder, in a process group of its own."""
    return subprocess.Popen(
        [str(STORECAST), *command, "--data-dir", str(folder)],
        env={**os.environ, **process_environment(Settings(data_dir=folder)), **VARIABLES},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_at(moment: Moment, command: tuple[str, ...], folder: Path) -> bool:
    """Start a command and kill its process group at a moment; False where it ended before."""
    with started(command, folder) as process:
        for _ in range(moment.lines):
            if process.stdout is None or not process.stdout.readline():
                return False
        try:
            process.wait(moment.seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True
    return False


def require_success(command: tuple[str, ...], folder: Path) -> None:
    """Run a command to its end. Raises `RuntimeError` where it fails."""
    with started(command, folder) as process:
        said, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"`storecast {' '.join(command)}` in {folder} failed:\n{said}")


def published(folder: Path) -> Path:
    """The pointer to a folder's published file."""
    return Settings(data_dir=folder).published_path


def unreadable(folder: Path) -> list[str]:
    """What a reader could not make sense of at this moment, in words.

    The published file is one moment of the warehouse: one version is champion, and the newest forecasts are those of
    champion and canary, or still those of the champion that the file's last decision replaced.
    """
    path = published(folder)
    if not path.exists():
        return [f"{path} is not there, and was before"]
    aliases = dict(read(path, ALIASES).itertuples(index=False, name=None))
    made_with = set(read(path, MADE_WITH)["model_version"])
    replaced = set(read(path, REPLACED)["champion_version"])
    wanted = {aliases.get(alias) for alias in c.FORECASTING}
    if c.CHAMPION_ALIAS not in aliases or not (made_with <= wanted or made_with == replaced):
        return [f"the published file's forecasts are of {made_with}, its aliases {aliases}, replaced was {replaced}"]
    return []


def contradictions(folder: Path) -> list[str]:
    """Where MLflow, the warehouse and the published file disagree at rest, in words.

    The aliases of all three are the same, the newest published forecasts are the champion's, or the canary's too, and
    no decision is left half done.
    """
    settings = Settings(data_dir=folder)
    warehouse, path = Warehouse(settings.warehouse_path), published(folder)
    in_mlflow = aliases_of(ModelStore.of(settings).client())
    in_warehouse = dict(warehouse.read(ALIASES).itertuples(index=False, name=None))
    in_published = dict(read(path, ALIASES).itertuples(index=False, name=None))
    made_with = set(read(path, MADE_WITH)["model_version"])
    wanted = {in_mlflow.get(alias) for alias in c.FORECASTING}
    half_done = warehouse.read(f"select decided_at from {c.PROMOTIONS} where applied_at is null")
    wrong = []
    if not in_mlflow == in_warehouse == in_published:
        wrong.append(f"MLflow says {in_mlflow}, the warehouse {in_warehouse}, the published file {in_published}")
    if in_mlflow.get(c.CHAMPION_ALIAS) not in made_with or not made_with <= wanted:
        wrong.append(f"published forecasts are of {made_with}, MLflow says {in_mlflow}")
    if len(half_done):
        wrong.append(f"{len(half_done)} decisions are half done")
    return wrong
