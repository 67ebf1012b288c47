"""When ingestion runs: once a day, and whenever the source holds something new. Both start the job `refresh`."""

import hashlib
import time

import dagster as dg

from storecast.ingestion.landing import SourceFile, find_files, unlanded
from storecast.ingestion.sources import Source, SourceFileError, resolve_source
from storecast.warehouse.resources import SettingsResource

REFRESH_JOB = "refresh"
EVERY_NIGHT = "30 3 * * *"
LOOKS_EVERY_SECONDS = 10
SETTLED_SECONDS = 10.0
"""A file that changed more lately than this may still be being written."""

daily_refresh = dg.ScheduleDefinition(
    name="daily_refresh",
    job_name=REFRESH_JOB,
    cron_schedule=EVERY_NIGHT,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads the source once a night, should the sensor be off or a file have been missed.",
)


@dg.sensor(
    job_name=REFRESH_JOB,
    minimum_interval_seconds=LOOKS_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts `refresh` once for new content in the source's files, whatever the files are called.",
)
def new_source_files(
    context: dg.SensorEvaluationContext, settings: SettingsResource
) -> dg.SensorResult | dg.SkipReason:
    """Look at names, sizes and times; where they changed, at the content; where that never landed, start the job.

    The run's key is the new content's hash: a run that fails is not started again for the same files.
    """
    shop = settings.get()
    source = resolve_source(shop)
    try:
        seen = glance(source)
        if seen == context.cursor:
            return dg.SkipReason("nothing changed in the source's folder")
        if time.time() - newest_change(source) < SETTLED_SECONDS:
            return dg.SkipReason(f"a file changed less than {SETTLED_SECONDS:g} s ago: it may still be being written")
        new = unlanded(source, shop.landing_dir)
    except SourceFileError as error:
        return dg.SkipReason(str(error))
    if not new:
        return dg.SensorResult(cursor=seen, skip_reason=dg.SkipReason("every file has landed already"))
    tags = {"storecast/new_files": str(len(new))}
    return dg.SensorResult(cursor=seen, run_requests=[dg.RunRequest(run_key=content_key(new), tags=tags)])


def glance(source: Source) -> str:
    """Return a hash of the names, sizes and times of the source's files; no file is opened."""
    digest = hashlib.sha256()
    for file in find_files(source):
        stat = file.path.stat()
        digest.update(f"{file.feed}\0{file.relative}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def newest_change(source: Source) -> float:
    """Return when the newest of the source's files changed, in seconds since 1970."""
    return max(file.path.stat().st_mtime for file in find_files(source))


def content_key(files: list[SourceFile]) -> str:
    """Return a hash of what files hold, whatever they are called."""
    return hashlib.sha256("\n".join(sorted(f"{file.feed} {file.sha256}" for file in files)).encode()).hexdigest()


SCHEDULES = [daily_refresh]
SENSORS = [new_source_files]
