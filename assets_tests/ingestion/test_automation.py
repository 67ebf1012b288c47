import os
from pathlib import Path

import dagster as dg
import pytest

from storecast.ingestion import automation
from storecast.ingestion.landing import land
from storecast.ingestion.sources import resolve_source
from storecast.settings import Settings
from storecast.warehouse.resources import SettingsResource


@pytest.fixture
def settings(shop) -> Settings:
    return Settings(data_dir=shop.landing_dir.parent, source="demo", source_path=shop.folder)


def tick(settings: Settings, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    with dg.build_sensor_context(cursor=cursor) as context:
        return automation.new_source_files(context, settings=SettingsResource.of(settings))


def settled(path: Path) -> Path:
    """Make a file look as if it had been written a minute ago."""
    written = path.stat().st_mtime - 60
    os.utime(path, (written, written))
    return path


def test_a_file_that_may_still_be_being_written_is_left_until_it_rests(shop, settings: Settings) -> None:
    path = shop.write("sellers.csv", "seller_id,name,country,city\nS01,a,DE,b\n")
    early = tick(settings)
    assert isinstance(early, dg.SkipReason)
    assert "may still be being written" in (early.skip_message or "")
    settled(path)
    assert isinstance(tick(settings), dg.SensorResult)


def test_new_content_is_asked_for_once(shop, settings: Settings, now) -> None:
    settled(shop.write("sellers.csv", "seller_id,name,country,city\nS01,a,DE,b\n"))
    first = tick(settings)
    assert isinstance(first, dg.SensorResult)
    assert [request.tags["storecast/new_files"] for request in first.run_requests or []] == ["1"]
    assert isinstance(tick(settings, first.cursor), dg.SkipReason)
    again = tick(settings)
    assert isinstance(again, dg.SensorResult)
    assert (again.run_requests or [])[0].run_key == (first.run_requests or [])[0].run_key
    land(resolve_source(settings), settings.landing_dir, now)
    landed = tick(settings)
    assert isinstance(landed, dg.SensorResult)
    assert not landed.run_requests


def test_a_touched_file_is_looked_at_but_not_loaded_again_and_a_changed_one_is(shop, settings: Settings, now) -> None:
    path = settled(shop.write("sellers.csv", "seller_id,name,country,city\nS01,a,DE,b\n"))
    first = tick(settings)
    assert isinstance(first, dg.SensorResult)
    land(resolve_source(settings), settings.landing_dir, now)
    os.utime(path, (1, 1))
    touched = tick(settings, first.cursor)
    assert isinstance(touched, dg.SensorResult)
    assert not touched.run_requests
    settled(shop.write("sellers.csv", "seller_id,name,country,city\nS02,a,DE,b\n"))
    changed = tick(settings, touched.cursor)
    assert isinstance(changed, dg.SensorResult)
    assert len(changed.run_requests or []) == 1
    assert (changed.run_requests or [])[0].run_key != (first.run_requests or [])[0].run_key


def test_a_source_without_files_is_skipped_with_the_reason(settings: Settings) -> None:
    skipped = tick(settings)
    assert isinstance(skipped, dg.SkipReason)
    assert "no file below" in (skipped.skip_message or "")


def test_schedule_and_sensor_start_the_job_refresh() -> None:
    assert [schedule.job_name for schedule in automation.SCHEDULES] == ["refresh"]
    assert [sensor.job_name for sensor in automation.SENSORS] == ["refresh"]
