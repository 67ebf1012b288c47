"""Free ports for the servers of a data folder."""

import socket
from contextlib import ExitStack
from typing import Final

PORTS: Final = ("dagster_port", "mlflow_port", "reports_port")


def free_ports() -> dict[str, int]:
    """A free port for each server, by the name of its setting."""
    with ExitStack() as open_at_once:
        probes = [open_at_once.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in PORTS]
        return {name: probe.getsockname()[1] for name, probe in zip(PORTS, probes, strict=True)}
