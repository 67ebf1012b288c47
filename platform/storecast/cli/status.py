"""`storecast status`: what runs, what is at work since when, and what was published; nothing is waited for."""

from collections.abc import Iterator

from storecast import summary
from storecast.services import MAIN_JOB, running_services
from storecast.settings import Settings
from storecast.warehouse import Lease
from storecast.work_in_progress import runs_at_work

COMMAND = "storecast "


def status_lines(settings: Settings) -> Iterator[str]:
    """Yield the lines one after the other."""
    services = running_services(settings)
    for service in services:
        yield f"running: {service.name} (process {service.pid}) {service.url or ''}"
    yield from _at_work(settings, has_daemon=any(service.name == "dagster-daemon" for service in services))
    yield summary.of(settings)


def _at_work(settings: Settings, *, has_daemon: bool) -> Iterator[str]:
    """Say which command is at work, and which runs of Dagster; what a killed process left behind is no work."""
    holder = Lease(settings.data_dir / MAIN_JOB).holder()
    has_command = holder is not None and holder.program.startswith(COMMAND)  # a sensor may look too, for a moment
    if has_command:
        yield f"in progress: {holder}"
    for run in runs_at_work(settings) if has_command or has_daemon else []:
        if has_daemon if run.is_daemons else has_command:
            yield f"in progress: `{run.job}` since {run.since:%Y-%m-%d %H:%M:%S} UTC (Dagster run {run.run_id})"
