"""A season of a small shop through the real daemon, with things going wrong in it.

Files of the next days are dropped, and the harness waits for the chain of runs that comes of them. By hand is done only
what goes wrong: a challenger whose champions are bad is registered, and later forced through by `storecast promote`; a
product's level moves; a channel's files cease.
"""

import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

import pandas as pd

from benchmarks.loop_shop import HISTORY_DAYS, LoopShop, day_of
from benchmarks.ports import PORTS, free_ports
from benchmarks.running_shop import (
    FILES_SENSOR,
    MADE_WITH,
    ChainError,
    Run,
    RunningShop,
    running_shop,
    storecast,
)
from storecast.forecasting import contracts as f
from storecast.registry import contracts as c
from storecast.registry.assets import newest_training, now
from storecast.registry.registration import register_training
from storecast.registry.store import ModelStore, aliases_of
from storecast.services import write_instance_config
from storecast.settings import Settings
from storecast.shop import bind
from storecast.warehouse.resources import WarehouseResource

DRIFTING: Final = "P03"
STOPPING: Final = "market"
BAD_MODEL: Final = "historic_average"
"""Knows no weekday, and weighs the months before the level rose as much as those since."""
PERSON: Final = "tester"
MODELS: Final = "window_average,theta,lightgbm"
KEPT: Final = {
    "promotions": "from ops.promotions order by decided_at",
    "requests": "from ops.retraining_requests order by all",
    "retrained": "from ops.retrained_series order by all",
}
SHADOWS: Final = "select model_version, origin_date, count(*) as rows from ops.shadow_forecasts group by all"
"""Looked at after each landing: they go when a version has no alias any more."""


@dataclass(frozen=True)
class Plan:
    """Days of data in each landing, and what goes wrong when; days are those of the season, from 0.

    The bad challenger is registered after so many landings, and promoted by hand after so many.
    """

    landings: tuple[int, ...]
    drifts_from: int
    stops_from: int
    registered_after: int
    promoted_after: int


WHOLE: Final = Plan((8, 16, 8, 14, 14), drifts_from=8, stops_from=46, registered_after=0, promoted_after=3)
"""Two weeks of shadows of the bad challenger, for a look of the gate, come before the next training replaces it."""
SHORT: Final = Plan((8, 16, 16, 7), drifts_from=0, stops_from=40, registered_after=0, promoted_after=2)
"""A bad version is taken back by the gate's second look at the earliest: a week is two blocks of days, which tell
nothing of how far they vary. So its next landing is of more than two weeks."""


@dataclass(frozen=True)
class Seen:
    """What stood when a landing's chain had ended: the last day, MLflow's aliases, what forecasts were made with."""

    day: date
    aliases: dict[str, str]
    made_with: frozenset[str]
    open_alerts: frozenset[tuple[str, str]]


@dataclass(frozen=True, eq=False)
class Season:
    """All that a season has left: what stood after each landing, its runs, and the tables `KEPT` at its end."""

    plan: Plan
    bad_version: str
    seen: tuple[Seen, ...]
    runs: tuple[Run, ...]
    tables: dict[str, pd.DataFrame]
    minutes: float

    @property
    def promoted_on(self) -> date:
        """The last day known when the bad version was forced through."""
        return self.seen[self.plan.promoted_after].day

    def day(self, number: int) -> date:
        """The date of a day of the season."""
        return day_of(HISTORY_DAYS + number)


def play(plan: Plan, folder: Path) -> Season:
    """Play a season in an empty folder. Raises `ChainError` where a chain of runs does not end."""
    started = time.monotonic()
    drifts = {DRIFTING: HISTORY_DAYS + plan.drifts_from}
    shop = LoopShop(folder, drifts=drifts, stops={STOPPING: HISTORY_DAYS + plan.stops_from})
    shop.write_days(0, HISTORY_DAYS)
    settings = Settings(source="files", source_config=shop.mapping, data_dir=folder / "data")
    settings = settings.model_copy(update=free_ports())
    bind(settings)
    write_instance_config(settings)
    ports = {f"STORECAST_{name}".upper(): str(getattr(settings, name)) for name in PORTS}
    variables = {**ports, "STORECAST_MODELS": MODELS, "STORECAST_FIT_PROCESSES": "1"}
    with running_shop(settings, variables) as running:
        bad_version, seen, shadows = through(plan, shop, running)
        return Season(
            plan,
            bad_version,
            tuple(seen),
            tuple(running.runs()),
            {name: running.published(sql) for name, sql in KEPT.items()} | {"shadows": shadows},
            (time.monotonic() - started) / 60,
        )


def through(plan: Plan, shop: LoopShop, running: RunningShop) -> tuple[str, list[Seen], pd.DataFrame]:
    """Land the season's days; return the bad version, what stood after each landing, and all shadows of challengers."""
    day, seen, bad_version, shadows = HISTORY_DAYS, [], "", []
    for number, days in enumerate((0, *plan.landings)):
        if days:
            shop.write_days(day, days)
        day += days
        follow_landing(running, number + 1)
        seen.append(look(running, day_of(day - 1)))
        shadows.append(running.published(SHADOWS))
        print(f"{len(running.runs())} runs to {seen[-1]}", flush=True)  # noqa: T201 - half an hour needs a sign of life
        if number == plan.registered_after:
            bad_version = register_bad(running)
        if number == plan.promoted_after:
            force_through(running, bad_version)
    return bad_version, seen, pd.concat(shadows).drop_duplicates(["model_version", "origin_date"])


def follow_landing(running: RunningShop, landings: int) -> None:
    """Wait until the files were taken, all that came of them has ended, and all that drifted was trained anew."""

    def is_taken(runs: list[Run]) -> bool:
        taken = [run for run in runs if run.sensor == FILES_SENSOR and run.status == "SUCCESS"]
        return len(taken) >= landings and nothing_waits(running)

    running.follow(is_taken)


def nothing_waits(running: RunningShop) -> bool:
    """Whether the newest report's requests were all answered."""
    if not running.warehouse.exists("ops.retraining_requests"):
        return False
    newest = "where report_date = (select max(report_date) from ops.product_drift)"
    asked = running.warehouse.read(f"select product_id, channel from ops.retraining_requests {newest}")
    if asked.empty:
        return True
    if not running.warehouse.exists("ops.retrained_series"):
        return False
    return len(running.warehouse.read(f"select product_id, channel from ops.retrained_series {newest}")) == len(asked)


def look(running: RunningShop, day: date) -> Seen:
    """Look at what stands now."""
    alerts = running.published("select kind, subject from ops.alerts where resolved_at is null")
    return Seen(
        day,
        aliases_of(ModelStore.of(running.settings).client()),
        frozenset(running.published(MADE_WITH)["model_version"]),
        frozenset(alerts.itertuples(index=False, name=None)),
    )


def register_bad(running: RunningShop) -> str:
    """Register a copy of the newest training in which the bad model is every series' champion; return its version.

    Its id is that of a training with the same settings and code, of other data.
    """
    shop = running.settings.model_copy(update={"models": tuple(MODELS.split(","))})
    training = newest_training(WarehouseResource.of(shop), shop)
    training_id = f"{training.training_id.rpartition('-')[0]}-bad"
    bad = {c.CHAMPIONS: training.tables[c.CHAMPIONS].assign(**{f.MODEL: BAD_MODEL, f.REASON: "forced"})}
    tables = {
        name: frame.assign(training_id=training_id) if name in c.KEPT_TABLES else frame
        for name, frame in {**training.tables, **bad}.items()
    }
    registered = register_training(shop, replace(training, training_id=training_id, tables=tables), now())
    return str(registered.model_version)


def force_through(running: RunningShop, version: str) -> None:
    """Promote a version by the command, and wait until its forecasts are published."""
    done = storecast(running.settings, "promote", "--version", version, "--by", PERSON)
    if done.returncode != 0:
        raise ChainError(f"`storecast promote` failed:\n{done.stdout}{done.stderr}")
    running.follow(lambda _: set(running.published(MADE_WITH)["model_version"]) == {version})
