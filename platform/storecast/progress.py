"""How a run shows its progress on a terminal: one line an asset, with its seconds; what steps say; what fails."""

import logging
import sys
import time

import dagster as dg

from storecast.terminal import visible
from storecast.warehouse.resources import PROGRESS


class ProgressHandler(logging.Handler):
    """Prints a line when assets are made, a step fails or a check does not pass; Dagster's event log has it all."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._started: dict[str, float] = {}
        self._made: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a record says, if it is worth a line."""
        meta = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        if event is not None:
            self._on_event(event)
        elif PROGRESS.items() <= record.__dict__.items():
            self._say("·", meta["orig_message"])

    def _on_event(self, event: dg.DagsterEvent) -> None:
        step = event.step_key or ""
        if event.is_step_start:
            self._started[step] = time.monotonic()
        elif event.is_step_materialization:
            self._made[step] = self._made.get(step, 0) + 1
        elif event.is_step_success and step in self._made:
            seconds = time.monotonic() - self._started[step]
            count = f"({self._made[step]} materialisations)" if self._made[step] > 1 else ""
            self._say("✓", f"{_table(step):<32}{seconds:7.1f} s  {count}")
        elif event.is_step_failure:
            self._say("✗", f"{_table(step)} failed")
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if not check.passed:
                self._say("!", f"check {check.check_name} of {check.asset_key.to_user_string()} did not pass")

    @staticmethod
    def _say(mark: str, what: str) -> None:
        sys.stdout.write(f"  {mark} {visible(what)}\n")
        sys.stdout.flush()


@dg.logger
def progress_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger that `storecast run` uses."""
    logger = logging.Logger("storecast.progress", logging.DEBUG)
    logger.addHandler(ProgressHandler())
    return logger


def _table(step: str) -> str:
    return step.replace("__", ".", 1)
