from dataclasses import replace

import numpy as np
import pytest

from storecast.forecasting.chunks import Part, forecast_chunk, forecasts_of, threads_do
from storecast.forecasting.registry import REGISTRY


def parts_of(panel, *models):
    return [Part(REGISTRY[model], panel.days, np.arange(len(panel.keys))) for model in models]


@pytest.fixture
def many(panel):
    """The small shop's sixteen times over: 144 series."""
    return panel.take(np.tile(np.arange(len(panel.keys)), 16))


def test_chunks_hold_every_row_once_in_order_and_cost_about_twenty_seconds():
    part = Part(REGISTRY["auto_ets"], 100, np.arange(5, 7_005))
    assert [len(rows) for rows in part.chunks()] == [2222, 2222, 2222, 334]
    np.testing.assert_array_equal(np.concatenate(part.chunks()), part.rows)


def test_a_global_model_learns_from_all_its_rows_at_once():
    assert len(Part(REGISTRY["lightgbm"], 100, np.arange(30_000)).chunks()) == 1


def test_few_series_and_cheap_models_are_not_worth_sending(panel):
    few, cheap = parts_of(panel, "auto_ets", "seasonal_naive")
    assert not few.is_costly
    assert not cheap.is_costly
    assert Part(REGISTRY["auto_ets"], 100, np.arange(100)).is_costly


def test_a_chunk_s_numbers_are_those_of_all_series_together(many):
    part = Part(replace(REGISTRY["auto_ets"], milliseconds=400.0), many.days, np.arange(len(many.keys)))
    assert [len(rows) for rows in part.chunks()] == [50, 50, 44]
    whole = forecast_chunk(many, many.days, part.rows, "auto_ets", 7, 0)
    ((same, chunked),) = forecasts_of([part], many, horizon=7, n_jobs=2)
    assert same is part
    assert chunked.tobytes() == whole.tobytes()


def test_the_costly_parts_come_first(many):
    found = forecasts_of(parts_of(many, "seasonal_naive", "auto_ets"), many, horizon=7)
    assert [part.spec.name for part, _ in found] == ["auto_ets", "seasonal_naive"]


def test_threads_do_unless_python_has_much_to_compute_or_a_model_wants_a_process_of_its_own():
    def part(model: str, series: int) -> Part:
        return Part(REGISTRY[model], 400, np.arange(series))

    assert threads_do([part("lightgbm", 30_000), part("auto_ets", 300)])
    assert not threads_do([part("lightgbm", 30_000), part("auto_ets", 3_000)])
    assert not threads_do([part("lstm", 10)])


def test_threads_and_processes_give_the_same_numbers(many, monkeypatch):
    parts = parts_of(many, "lightgbm", "auto_ets")
    assert threads_do(parts)
    by_threads = [forecast.tobytes() for _, forecast in forecasts_of(parts, many, horizon=7, n_jobs=2)]
    monkeypatch.setattr("storecast.forecasting.chunks.WORTH_PROCESSES_MILLISECONDS", 0.0)
    assert not threads_do(parts)
    assert [forecast.tobytes() for _, forecast in forecasts_of(parts, many, horizon=7, n_jobs=2)] == by_threads
