"""What Dagster's webserver is asked: whether it has the graph, whether the daemons beat, to end runs and to go on."""

import http.client
import json
from collections.abc import Mapping, Sequence
from typing import Any

HOST = "127.0.0.1"
ANSWER_SECONDS = 10.0
DOING_SECONDS = 120.0
"""What is asked to be done takes longer than a look: a run is planned anew before the answer comes."""

GRAPH = (
    "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus locationOrLoadError "
    "{ ... on PythonError { message causes { message } } } } } } }"
)
DAEMON_HEARTBEATS = "{ instance { daemonHealth { allDaemonStatuses { required lastHeartbeatTime } } } }"
TERMINATE = (
    "mutation ($runs: [String!]!, $policy: TerminateRunPolicy) "
    "{ terminateRuns(runIds: $runs, terminatePolicy: $policy) { __typename } }"
)
GO_ON = (
    "mutation ($run: String!) { launchRunReexecution(reexecutionParams: "
    "{ parentRunId: $run, strategy: ALL_STEPS, useParentRunTags: true }) { __typename } }"
)


class ServiceError(RuntimeError):
    """A service did not start, or does not load the graph; the message says what to do, or what Python said."""


def graph_is_loaded(port: int) -> bool:
    """Tell whether the webserver has the graph. Raises `ServiceError` where it does not load."""
    answer = _graphql(port, GRAPH)
    if answer is None:
        return False
    locations = answer["workspaceOrError"]["locationEntries"]
    for location in locations:
        error = location["locationOrLoadError"] or {}
        if "message" in error:
            told = "\n".join(each["message"].strip() for each in (error, *error["causes"]))
            message = f"the asset graph does not load: {told}"
            raise ServiceError(message)
    return all(location["loadStatus"] == "LOADED" for location in locations)


def daemons_beat_since(port: int, moment: float) -> bool:
    """Tell whether every daemon that is needed has given a sign of life since a moment, in seconds since 1970."""
    answer = _graphql(port, DAEMON_HEARTBEATS)
    if answer is None:
        return False
    daemons = answer["instance"]["daemonHealth"]["allDaemonStatuses"]
    return all((daemon["lastHeartbeatTime"] or 0) > moment for daemon in daemons if daemon["required"])


def cancel_runs(port: int, run_ids: Sequence[str], *, at_once: bool) -> bool:
    """Ask runs to end as cancelled, or call them cancelled at once; tell whether the webserver has taken it."""
    policy = "MARK_AS_CANCELED_IMMEDIATELY" if at_once else "SAFE_TERMINATE"
    return _graphql(port, TERMINATE, {"runs": list(run_ids), "policy": policy}, DOING_SECONDS) is not None


def go_on(port: int, run_id: str) -> bool:
    """Start a run again, with its tags, in a new one; tell whether the webserver has taken it."""
    answer = _graphql(port, GO_ON, {"run": run_id}, DOING_SECONDS)
    return answer is not None and answer["launchRunReexecution"]["__typename"] == "LaunchRunSuccess"


def answers(port: int, path: str) -> bool:
    """Tell whether a server on this machine gives a good answer."""
    return _ask(port, "GET", path) is not None


def _graphql(
    port: int, query: str, variables: Mapping[str, Any] | None = None, seconds: float = ANSWER_SECONDS
) -> dict[str, Any] | None:
    """Return the data of a good answer, None where there is none yet."""
    answer = _ask(port, "POST", "/graphql", {"query": query, "variables": variables or {}}, seconds)
    return None if answer is None else json.loads(answer)["data"]


def _ask(
    port: int, method: str, path: str, question: Mapping[str, Any] | None = None, seconds: float = ANSWER_SECONDS
) -> bytes | None:
    """Return the body of a good answer, None where there is none yet; no proxy comes between."""
    connection = http.client.HTTPConnection(HOST, port, timeout=seconds)
    try:
        body = None if question is None else json.dumps(question)
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.read() if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
