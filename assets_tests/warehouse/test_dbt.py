"""When dbt's project is parsed, and when what grows is built anew."""

import json

import pytest

from storecast.settings import Settings
from storecast.warehouse.dbt import PARSED, built_otherwise, manifest_path, remember_built, run_target


@pytest.mark.slow
def test_the_project_is_parsed_once_and_what_grows_is_built_anew_when_the_shop_changes(tmp_path):
    settings = Settings(data_dir=tmp_path)
    manifest = manifest_path(settings)
    assert "model.storecast.daily_demand" in json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    written = manifest.stat().st_mtime_ns
    assert manifest_path(settings) == manifest
    assert manifest.stat().st_mtime_ns == written
    assert not built_otherwise(settings), "nothing is built yet"
    remember_built(settings)
    assert not built_otherwise(settings)
    assert built_otherwise(settings.model_copy(update={"timezone": "America/New_York"}))


@pytest.mark.slow
def test_dbt_runs_with_what_it_parsed_already(tmp_path):
    settings = Settings(data_dir=tmp_path)
    parsed = manifest_path(settings).with_name(PARSED).read_bytes()
    assert (run_target(settings) / PARSED).read_bytes() == parsed
    (run_target(settings) / PARSED).write_bytes(b"of another state of the project")
    assert (run_target(settings) / PARSED).read_bytes() == parsed
