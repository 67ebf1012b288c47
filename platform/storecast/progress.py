"""How a run shows its progress on a terminal: one line a step, with its seconds and rows."""

import logging
import sys
import time

import dagster as dg


class ProgressHandler(logging.Handler):
    """Prints a line when a step ends or fails and when a check fails; all the rest stays in Dagster's event log."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._started: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a record says of a step, if anything."""
        event: dg.DagsterEvent | None = getattr(record, "dagster_event", None)
        if event is None:
            return
        step = event.step_key or ""
        if event.is_step_start:
            self._started[step] = time.monotonic()
        elif event.is_step_success:
            self._say("✓", step, f"{time.monotonic() - self._started.get(step, time.monotonic()):6.1f} s")
        elif event.is_step_failure:
            self._say("✗", step, "failed")
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION and not event.asset_check_evaluation_data.passed:
            self._say("!", f"{event.asset_check_evaluation_data.check_name} of {event.asset_key}", "did not pass")

    @staticmethod
    def _say(mark: str, step: str, what: str) -> None:
        sys.stdout.write(f"  {mark} {step.replace('__', '.', 1):<44} {what}\n")
        sys.stdout.flush()


@dg.logger
def progress_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """Return the logger that `storecast run` uses."""
    logger = logging.Logger("storecast.progress", logging.INFO)
    logger.addHandler(ProgressHandler())
    return logger
