"""What a person does in Dagster's UI, by its own GraphQL, with the real webserver and the real daemon."""

import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import requests
from dagster._core.scheduler.instigation import TickStatus

from storecast.automation import JOBS
from storecast.ingestion.automation import SETTLED_SECONDS
from storecast.services import running_services, start_services, stop_services
from storecast.settings import Settings
from storecast.warehouse import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

REPOSITORY = Path(__file__).parents[1]
SNAPSHOT = Path(__file__).with_name("asset_graph.json")
BACKFILL_SECONDS, CHAIN_SECONDS, TICK_SECONDS = 400.0, 900.0, 120.0
POLL_SECONDS = 1.0
TAIL_LINES = 30
FIRST_ORIGIN, NEXT_ORIGIN = pd.Timestamp("2026-03-30"), pd.Timestamp("2026-04-06")
SPOILED_BY = 1_000_000
FORECASTS = ("demand_forecasts", "forecast_explanations", "revenue_forecasts")
ONE, MANY = "../../etc/passwd", ("007", "O'Brien's", "café", "100%25")
"""Partition keys, the last that of the product `100%`. They do not lie side by side: Dagster starts a run a range."""

GRAPH = "{ assetNodes { assetKey { path } dependencyKeys { path } groupName } }"
BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on PartitionKeysNotFoundError { message }
  }
}
"""
BACKFILL_STATUS = (
    "query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }"
)
RUNS = """
{ runsOrError { ... on Runs { results { runId jobName status creationTime startTime endTime tags { key value } } } } }
"""
SENSORS = """
{
  sensorsOrError(repositorySelector: {repositoryLocationName: "storecast", repositoryName: "__repository__"}) {
    ... on Sensors { results { sensorState { ticks(limit: 1) { timestamp error { message } } } } }
  }
}
"""


class Dagster:
    """Dagster's webserver as its UI talks to it; what it is asked to wait for is bound in time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the one answer to a question."""
        url = f"http://127.0.0.1:{self.settings.dagster_port}/graphql"
        answer = requests.post(url, json={"query": query, "variables": variables}, timeout=120).json()
        assert "errors" not in answer, answer["errors"]
        [data] = answer["data"].values()
        return data

    def materialise(self, keys: Sequence[str]) -> str:
        """Launch the backfill that the button `Materialize selected` launches, and return its id."""
        params = {
            "assetSelection": [{"path": ["gold", table]} for table in FORECASTS],
            "partitionNames": list(keys),
            "tags": [{"key": "dagster/from_ui", "value": "true"}],
        }
        launched = self.ask(BACKFILL, params=params)
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, oldest first, with their tags as a mapping."""
        found = self.ask(RUNS)["results"]
        runs = [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]
        return sorted(runs, key=lambda run: run["creationTime"])

    def ticked_since(self, moment: float) -> bool:
        """Tell whether every sensor has looked since a moment (seconds since 1970), none in vain."""
        ticks = [tick for sensor in self.ask(SENSORS)["results"] for tick in sensor["sensorState"]["ticks"]]
        assert [tick["error"] for tick in ticks if tick["error"]] == []
        return len(ticks) == len(json.loads(SNAPSHOT.read_text(encoding="utf-8"))["sensors"]) and all(
            tick["timestamp"] > moment for tick in ticks
        )

    def wait(self, what: str, is_done: Callable[[], bool], seconds: float) -> None:
        """Wait until something is done; fail with all there is to know once a run fails or the time is over."""
        deadline = time.monotonic() + seconds
        while not is_done():
            failed = [run for run in self.runs() if run["status"] in {"FAILURE", "CANCELED"}]
            if failed or time.monotonic() > deadline:
                reason = f"run {failed[0]['runId']} failed" if failed else f"{seconds:g} s are over"
                pytest.fail(f"waiting for {what}: {reason}\n{self.story()}")
            time.sleep(POLL_SECONDS)

    def story(self) -> str:
        """Return what happened: the runs, and the ends of the servers' and the runs' logs."""
        logs = [Path(service.log) for service in running_services(self.settings)]
        logs += sorted(self.settings.dagster_home.glob("storage/*/compute_logs/*.err"))[-2:]
        tails = [f"--- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-TAIL_LINES:]) for log in logs]
        return "\n".join([*(f"{run['jobName']}: {run['status']} {run['tags']}" for run in self.runs()), *tails])


@pytest.fixture
def shop(small_shop, tmp_path, free_ports, monkeypatch):
    copied = small_shop.copy(tmp_path / "shop")
    monkeypatch.setenv("STORECAST_FIT_PROCESSES", "1")
    for name, port in free_ports.items():
        monkeypatch.setenv(f"STORECAST_{name}".upper(), str(port))
    return copied


@pytest.fixture
def dagster(shop) -> Iterator[Dagster]:
    settings = shop.settings()
    start_services(settings, REPOSITORY, report=lambda _: None)
    yield Dagster(settings)
    stop_services(settings, report=lambda _: None)


def test_the_ui_shows_the_graph_makes_products_anew_and_follows_new_files_to_publication(
    shop, dagster, record_property
):
    assert_the_graph_is_there(dagster)
    before = spoil(dagster.settings)
    took = {"one product and four, s": timed(lambda: make_anew(dagster))}
    assert_only_these_were_made_anew(dagster.settings, before, {ONE, *MANY})

    known = {run["runId"] for run in dagster.runs()}
    took["new files to publication, s"] = timed(lambda: follow_new_days(shop, dagster, known))
    assert_each_stage_was_started_once_by_the_one_before(dagster, known)
    forecasts = shop.published("select origin_date, count(*) as rows from gold.demand_forecasts group by 1 order by 1")
    assert forecasts["origin_date"].tolist() == [FIRST_ORIGIN, NEXT_ORIGIN]
    assert shop.published("select max(date) as last from gold.daily_demand")["last"].item() == NEXT_ORIGIN

    looked = datetime.now(UTC).timestamp()
    dagster.wait("the sensors to look once more", lambda: dagster.ticked_since(looked), TICK_SECONDS)
    assert_each_stage_was_started_once_by_the_one_before(dagster, known)
    assert_a_run_by_hand_finds_nothing_new(shop)
    assert_all_ends(dagster.settings)
    for what, seconds in took.items():
        record_property(what, round(seconds))


def assert_a_run_by_hand_finds_nothing_new(shop) -> None:
    done = shop.run()
    assert done.returncode == 0, done.stderr
    assert "Nothing is new" in done.stdout


def timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def assert_the_graph_is_there(dagster: Dagster) -> None:
    shown = {
        "/".join(node["assetKey"]["path"]): sorted("/".join(key["path"]) for key in node["dependencyKeys"])
        for node in dagster.ask(GRAPH)
    }
    assert shown == json.loads(SNAPSHOT.read_text(encoding="utf-8"))["assets"]


def spoil(settings: Settings) -> pd.DataFrame:
    """Make every stored forecast wrong, so that those made anew can be told, and return what they were."""
    before = forecasts_of(settings)
    with Warehouse(settings.warehouse_path).writing() as connection:
        connection.execute(f"update gold.demand_forecasts set p95_units = p95_units + {SPOILED_BY}")
    return before


def forecasts_of(settings: Settings) -> pd.DataFrame:
    return Warehouse(settings.warehouse_path).read("select * from gold.demand_forecasts order by all")


def make_anew(dagster: Dagster) -> None:
    """Launch one product, and it with four that do not lie side by side, at once, and wait for both."""
    backfills = [dagster.materialise([ONE]), dagster.materialise([ONE, *MANY])]

    def all_done() -> bool:
        statuses = [dagster.ask(BACKFILL_STATUS, id=backfill)["status"] for backfill in backfills]
        assert not {"FAILED", "COMPLETED_FAILED", "CANCELED"} & set(statuses), dagster.story()
        return set(statuses) == {"COMPLETED_SUCCESS"}

    dagster.wait("the products to be made anew", all_done, BACKFILL_SECONDS)
    spans = sorted((run["startTime"], run["endTime"]) for run in dagster.runs() if "dagster/backfill" in run["tags"])
    assert len(spans) > len(backfills)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans)), "two runs at once"


def assert_only_these_were_made_anew(settings: Settings, before: pd.DataFrame, keys: set[str]) -> None:
    """Check that the keys' rows are those of the whole run again, and that every other row is still spoiled."""
    expected = before.copy()
    expected.loc[~before["partition_key"].isin(keys), "p95_units"] += SPOILED_BY
    assert keys <= set(before["partition_key"])
    pd.testing.assert_frame_equal(forecasts_of(settings), expected, check_exact=True)


def follow_new_days(shop, dagster: Dagster, known: set[str]) -> None:
    """Put a week of new files into the source's folder, and wait for the publication that comes of it.

    The daemon is killed while it looks at the files, or at what came of it, and started again.
    """
    shop.write(days=217)
    kill_in_a_tick(dagster.settings, "new_source_files", time.time() + SETTLED_SECONDS)
    start_services(dagster.settings, REPOSITORY, report=lambda _: None)

    def published() -> bool:
        new = [run for run in dagster.runs() if run["runId"] not in known]
        return any(run["jobName"] == "publish" and run["status"] == "SUCCESS" for run in new)

    dagster.wait("the new files to be published", published, CHAIN_SECONDS)


def kill_in_a_tick(settings: Settings, sensor: str, since: float) -> None:
    """Kill the daemon with all it has started as soon as a tick of a sensor is under way that began after a moment."""
    [daemon] = [service for service in running_services(settings) if service.name == "dagster-daemon"]
    deadline = time.monotonic() + TICK_SECONDS
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        [state] = [state for state in instance.all_instigator_state() if state.instigator_name == sensor]
        place = (state.instigator_origin_id, state.selector_id)
        while not instance.get_ticks(*place, after=since, limit=1, statuses=[TickStatus.STARTED]):
            assert time.monotonic() < deadline, f"{sensor} did not look"
            time.sleep(0.01)
    os.killpg(daemon.pid, signal.SIGKILL)
    while daemon in running_services(settings):
        time.sleep(0.01)


def assert_each_stage_was_started_once_by_the_one_before(dagster: Dagster, known: set[str]) -> None:
    runs = [run for run in dagster.runs() if run["runId"] not in known]
    assert [(run["jobName"], run["status"]) for run in runs] == [
        (job, "SUCCESS")
        for job in JOBS
        if job != "train"  # the newest training is a week old
    ], dagster.story()
    sensors = ["new_source_files", "train_or_forecast_follows_refresh", "publish_follows_forecast"]
    assert [run["tags"]["dagster/sensor_name"] for run in runs] == sensors
    assert int(runs[0]["tags"]["storecast/new_files"]) > 0
    keys = [run["tags"]["dagster/run_key"] for run in runs[1:]]
    assert keys == [run["runId"] for run in runs[:-1]]


def assert_all_ends(settings: Settings) -> None:
    assert len(stop_services(settings, report=lambda _: None)) >= 3
    assert running_services(settings) == []
    for port in (settings.dagster_port, settings.mlflow_port, settings.reports_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
