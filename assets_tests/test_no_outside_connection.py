"""Proof that no library's telemetry leaves the machine: every Python process notes each address it asks for."""

import ipaddress
import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from storecast.services import start_services

REPOSITORY = Path(__file__).parents[1]

RECORDER = """
import json, os, sys

EVENTS = {"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}
HOME = {"localhost", "0.0.0.0", "::", "::1", "", "None"}

def note(**what):
    line = json.dumps({"process": os.getpid(), "command": getattr(sys, "orig_argv", []), **what}) + "\\n"
    file = os.open(os.environ["STORECAST_TEST_CONNECTIONS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line.encode())
    os.close(file)

def hook(event, arguments):
    if event in EVENTS:
        address = arguments[1] if event in {"socket.connect", "socket.sendto"} else arguments
        if isinstance(address, tuple):  # a path is a socket in the file system
            host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
            if host not in HOME and not host.startswith("127."):
                note(event=event, host=host)

sys.addaudithook(hook)
note(event="started")
"""


@pytest.fixture
def connections(tmp_path, monkeypatch) -> Path:
    """Let every Python process started from here note its connections in a file."""
    folder = tmp_path / "recorder"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(RECORDER, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setenv("STORECAST_TEST_CONNECTIONS", str(tmp_path / "connections.jsonl"))
    return tmp_path / "connections.jsonl"


def noted(connections: Path) -> tuple[list[str], set[str]]:
    """Return the commands of the processes that noted, and the hosts outside."""
    lines = [json.loads(line) for line in connections.read_text(encoding="utf-8").splitlines()]
    started = [" ".join(line["command"]) for line in lines if line["event"] == "started"]
    return started, {line["host"] for line in lines if line["event"] != "started"}


def test_the_recorder_sees_what_a_process_and_its_children_ask_for(connections):
    child = "import socket; socket.socket().connect_ex(('127.0.0.1', 9)); socket.getaddrinfo('outside.invalid', 443)"
    parent = (
        "import socket, subprocess, sys; near = socket.socket(); near.settimeout(0.1);"
        "near.connect_ex(('192.0.2.1', 80));"
        f"subprocess.run([sys.executable, '-c', {child!r}], stderr=subprocess.DEVNULL)"
    )
    subprocess.run([sys.executable, "-c", parent], check=True)
    started, hosts = noted(connections)
    assert len(started) == 2
    assert hosts == {"192.0.2.1", "outside.invalid"}


@pytest.mark.slow
def test_a_run_of_the_main_job_asks_for_no_address_outside(connections, tmp_path, monkeypatch):
    for name, value in {"PRODUCTS": "8", "DAYS": "200"}.items():
        monkeypatch.setenv(f"STORECAST_DEMO_{name}", value)
    monkeypatch.setenv("STORECAST_DATA_DIR", str(tmp_path / "data"))
    command = [str(Path(sys.executable).with_name("storecast")), "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    started, hosts = noted(connections)
    assert any("storecast run" in process for process in started)
    assert any("dbt" in process for process in started)
    assert hosts == set()


@pytest.mark.slow
def test_the_servers_ask_for_no_address_outside(connections, server_settings):
    for service in start_services(server_settings, REPOSITORY, report=lambda _: None):
        if service.url is not None:
            assert requests.get(service.url, timeout=30).ok
    started, hosts = noted(connections)
    for server in ("dagster_webserver", "dagster._daemon", "mlflow"):
        assert any(server in process for process in started)
    assert hosts == set()


@pytest.mark.slow
def test_a_ray_cluster_and_who_shares_work_out_to_it_ask_for_no_address_outside(connections, start_ray_cluster):
    work = "import sys; from storecast.forecasting.fan_out import fan_out;"
    work += "print(*fan_out(pow, [(2, 3)], ray_address=sys.argv[1]))"
    with start_ray_cluster() as cluster:
        command = [sys.executable, "-c", work, cluster.address]
        environment = {**os.environ, **cluster.environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        family = [psutil.Process(cluster.pid), *psutil.Process(cluster.pid).children(recursive=True)]
        peers = {found.raddr.ip for process in family for found in process.net_connections("inet") if found.raddr}
    assert done.stdout == "8\n", done.stderr
    assert peers
    assert all(ipaddress.ip_address(peer.removeprefix("::ffff:")).is_loopback for peer in peers)
    started, hosts = noted(connections)
    assert any("ray start" in process for process in started)
    assert any("default_worker" in process for process in started)
    assert hosts == set()
