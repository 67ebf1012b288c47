import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from storecast.forecasting import contracts as c
from storecast.forecasting.backtest import BacktestPlan, backtest
from storecast.forecasting.levels import levels_of
from storecast.forecasting.metrics import wape
from storecast.forecasting.panel import Panel
from storecast.forecasting.registry import REGISTRY, ModelSpec, models_named
from storecast.forecasting.tuned_parameters import Tuning, tuned_specs, tuned_table
from storecast.forecasting.tuning import Budget, Objective, tune

HORIZON = 14
PLAN = BacktestPlan(HORIZON, 2, 2)
LIGHTGBM = replace(
    REGISTRY["lightgbm"],
    search_space={name: REGISTRY["lightgbm"].search_space[name] for name in ("n_leaves", "min_rows_a_leaf")},
)
TRIALS = 12
"""More than the ten that TPE draws at random."""


def search(panel: Panel, storage: Path, trials: int = TRIALS, spec: ModelSpec = LIGHTGBM, **changes) -> Tuning:
    arguments = {"storage": storage, "study_name": "s", "seed": 5, **changes}
    return tune(panel, spec, PLAN, Budget(600.0, trials), **arguments)


@pytest.fixture(scope="module")
def tuning(panel, tmp_path_factory) -> Tuning:
    return search(panel, tmp_path_factory.mktemp("tuning") / "studies.db")


def test_the_loss_is_the_backtests_wape_over_seasonal_naives_by_level(panel):
    parameters = {"n_leaves": 7, "min_rows_a_leaf": 30}
    specs = [replace(LIGHTGBM, parameters=parameters), REGISTRY["seasonal_naive"]]
    results = backtest(panel, specs, PLAN, seed=5).of_split(c.SELECTION)
    errors = {
        name: [wape(level.total(results.actual), level.total(values)) for level in levels_of(panel)]
        for name, values in results.forecasts.items()
    }
    expected = np.mean(np.array(errors["lightgbm"]) / np.array(errors["seasonal_naive"]))
    objective = Objective(panel, LIGHTGBM, PLAN, seed=5, n_jobs=1, ray_address=None)
    assert objective(parameters) == pytest.approx(expected)


def test_the_result_is_never_worse_than_the_defaults(tuning):
    assert tuning.loss <= tuning.default_loss
    assert tuning.trials == TRIALS
    assert tuning.parameters.keys() == LIGHTGBM.search_space.keys()


def test_the_rows_that_evaluation_origins_forecast_are_never_read(panel, tuning, tmp_path):
    first_evaluated = panel.days - 2 * HORIZON
    assert tuning.last_day == panel.times[first_evaluated - 1]
    poisoned = panel.units.copy()
    poisoned[:, first_evaluated:] = 1e9
    drivers = {name: values.copy() for name, values in panel.drivers.items()}
    for values in drivers.values():
        values[:, first_evaluated:] = np.nan
    poisoned_panel = Panel(panel.keys, panel.times, poisoned, drivers, panel.statics, panel.event_names)
    assert search(poisoned_panel, tmp_path / "studies.db") == tuning


def test_a_price_that_was_not_planned_is_not_known_to_a_trial(panel):
    secret = {**panel.drivers, "is_price_planned": np.zeros_like(panel.drivers["is_price_planned"])}
    last_origin = panel.days - 3 * HORIZON
    dearer = {**secret, "unit_price": secret["unit_price"].copy()}
    dearer["unit_price"][:, last_origin:] *= 9
    losses = [
        Objective(
            Panel(panel.keys, panel.times, panel.units, drivers, panel.statics, panel.event_names),
            LIGHTGBM,
            BacktestPlan(HORIZON, 1, 2),
            seed=5,
            n_jobs=1,
            ray_address=None,
        )({})
        for drivers in (secret, dearer)
    ]
    assert losses[0] == losses[1]


def test_the_same_seed_and_number_of_trials_give_the_same_result_and_others_another(panel, tuning, tmp_path):
    assert search(panel, tmp_path / "same.db") == tuning
    other = search(panel, tmp_path / "other.db", trials=2, seed=6)
    assert other.default_loss != tuning.default_loss


@pytest.mark.slow
def test_processes_do_not_change_the_result(panel, tmp_path):
    here = search(panel, tmp_path / "here.db", trials=2)
    sent = replace(LIGHTGBM, milliseconds=1_000.0)  # worth a process of its own
    assert search(panel, tmp_path / "elsewhere.db", trials=2, spec=sent, n_jobs=2) == here


def test_a_search_goes_on_where_it_ended_and_finds_what_it_would_have_found_in_one_go(panel, tuning, tmp_path):
    lines: list[str] = []
    search(panel, tmp_path / "studies.db", trials=2)
    resumed = search(panel, tmp_path / "studies.db", report=lines.append)
    assert resumed == tuning
    assert len(lines) == TRIALS - 2
    assert lines[-1].startswith(f"tune lightgbm: trial {TRIALS} has loss ")
    assert search(panel, tmp_path / "studies.db", report=lines.append) == tuning
    assert len(lines) == TRIALS - 2


def test_another_study_name_begins_anew(panel, tmp_path):
    search(panel, tmp_path / "studies.db", trials=2)
    assert search(panel, tmp_path / "studies.db", trials=1, study_name="other data").trials == 1


@pytest.mark.slow
def test_a_search_that_was_killed_goes_on_with_every_trial_it_had_done(panel, tuning, tmp_path):
    np.savez(tmp_path / "panel.npz", units=panel.units, **panel.drivers)
    panel.statics.to_json(tmp_path / "statics.json", orient="table")
    code = f"""if True:
        import os, signal
        import numpy as np, pandas as pd
        from dataclasses import replace
        from pathlib import Path
        from storecast.forecasting.backtest import BacktestPlan
        from storecast.forecasting.panel import Panel
        from storecast.forecasting.registry import REGISTRY
        from storecast.forecasting.tuning import Budget, tune
        with np.load("panel.npz") as stored:
            drivers = dict(stored)
        statics = pd.read_json("statics.json", orient="table")
        keys = pd.MultiIndex.from_frame(statics[["product_id", "channel"]])
        units = drivers.pop("units")
        times = pd.date_range({str(panel.times[0])!r}, periods=units.shape[1], name="date")
        panel = Panel(keys, times, units, drivers, statics, {panel.event_names!r})
        spec = REGISTRY["lightgbm"]
        spec = replace(spec, search_space={{name: spec.search_space[name] for name in {[*LIGHTGBM.search_space]!r}}})
        done = []
        def killing(line):
            done.append(line)
            if len(done) == 2:
                os.kill(os.getpid(), signal.SIGKILL)
        tune(panel, spec, BacktestPlan({HORIZON}, 2, 2), Budget(600.0, 99), storage=Path("studies.db"), study_name="s",
             seed=5, report=killing)"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    with sqlite3.connect(tmp_path / "studies.db") as connection:
        assert connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone() == (2,)
    connection.close()
    assert search(panel, tmp_path / "studies.db") == tuning


def test_the_budget_ends_a_search_before_the_trial_that_would_exceed_it(panel, tmp_path):
    minutes = count(0, 60)  # each look at the clock finds it a minute later
    budget = Budget(5 * 60.0, clock=lambda: float(next(minutes)))
    found = tune(panel, LIGHTGBM, PLAN, budget, storage=tmp_path / "studies.db", study_name="s", seed=5)
    assert found.trials == 2


def test_without_any_time_the_defaults_are_tried(panel, tmp_path):
    found = tune(panel, LIGHTGBM, PLAN, Budget(0.0), storage=tmp_path / "studies.db", study_name="s", seed=5)
    assert found.trials == 1
    assert found.loss == found.default_loss


def test_a_model_without_a_search_space_is_an_error_that_names_it(panel, tmp_path):
    with pytest.raises(ValueError, match="'tsb' has no search space"):
        tune(panel, REGISTRY["tsb"], PLAN, Budget(1.0), storage=tmp_path / "studies.db", study_name="s")


def test_search_spaces_are_of_global_models_and_hold_their_defaults():
    for spec in REGISTRY.values():
        assert spec.is_global or not spec.search_space
        defaults = spec.make(0, 1, HORIZON).get_params() if spec.search_space else {}
        for name, values in spec.search_space.items():
            assert values.low <= defaults[name] <= values.high
            assert isinstance(defaults[name], int) == isinstance(values.low, int)


def test_the_table_keeps_its_contract_and_gives_the_models_their_parameters(panel, tuning):
    table = c.TunedParameters.validate(tuned_table([tuning]))
    specs = tuned_specs(models_named(["lightgbm", "tsb"]), table, panel, PLAN)
    by_name = {spec.name: spec for spec in specs}
    assert by_name["lightgbm"].parameters == tuning.parameters
    assert by_name["tsb"].parameters == {}
    made = by_name["lightgbm"].forecaster(3, 1, HORIZON).get_params()
    assert {name: made[name] for name in tuning.parameters} == tuning.parameters
    assert (made["seed"], made["longest_step"]) == (3, HORIZON)


def test_a_backtest_uses_the_tuned_parameters(panel):
    tuned = replace(REGISTRY["lightgbm"], parameters={"n_trees": 5})
    results = backtest(panel, [tuned], PLAN, seed=5)
    origin = results.origins[0][0]
    rows = np.flatnonzero(panel.first_day < origin)
    known = panel.take(rows).until(origin, HORIZON)
    by_hand = REGISTRY["lightgbm"].make(5, 1, HORIZON).set_params(n_trees=5).fit_panel(known).predict_panel(HORIZON)
    np.testing.assert_array_equal(results.forecasts["lightgbm"][0, rows], by_hand)


def test_parameters_chosen_on_days_that_are_now_for_evaluation_are_refused(panel, tuning):
    with pytest.raises(ValueError, match="tune again"):
        tuned_specs(models_named(["lightgbm"]), tuned_table([tuning]), panel, BacktestPlan(HORIZON, 2, 3))


def test_parameters_that_a_model_no_longer_has_are_refused(panel, tuning):
    table = tuned_table([replace(tuning, parameters={"n_branches": 3})])
    with pytest.raises(ValueError, match="n_branches"):
        tuned_specs(models_named(["lightgbm"]), table, panel, PLAN)


def test_without_tunings_the_models_are_as_the_registry_has_them(panel):
    specs = models_named()
    assert tuned_specs(specs, tuned_table([]), panel, PLAN) == specs
    assert isinstance(tuned_table([]), pd.DataFrame)
