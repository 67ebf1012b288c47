"""`storecast tune` from end to end: killed, resumed, taken up by the next training."""

import json
import sqlite3
import subprocess

import pytest
from click.testing import CliRunner

from storecast.cli import main
from storecast.forecasting.contracts import TunedParameters
from storecast.tune import require_tunable
from storecast.warehouse import Warehouse
from storecast.warehouse.contracts import sql_types

MODEL = "lightgbm"


def trials_done(shop) -> int:
    if not shop.settings().tuning_path.exists():
        return 0
    with sqlite3.connect(shop.settings().tuning_path) as connection:
        found = connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()
    connection.close()
    return int(found[0])


def kill_after_two_trials(shop) -> None:
    command = [*shop.command()[:1], "tune", "--minutes", "60"]
    process = subprocess.Popen(
        command, cwd=shop.elsewhere, env=shop.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process:
        for line in process.stdout:
            if "trial 2 has loss" in line:
                break
        process.kill()


@pytest.mark.slow
def test_a_killed_search_goes_on_and_the_next_run_trains_with_what_it_found(small_shop, tmp_path):
    shop = small_shop.copy(tmp_path / "shop")
    kill_after_two_trials(shop)
    before = trials_done(shop)
    assert before >= 2
    done = shop.run("tune", "--minutes", "60", "--trials", str(before + 1))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"trial {before + 1} has loss" in done.stdout
    assert "trial 1 has loss" not in done.stdout
    assert f"{MODEL} after {before + 1} trials: error " in done.stdout

    warehouse = Warehouse(shop.settings().warehouse_path)
    tuned = warehouse.read("select * from ops.tuned_parameters")
    assert tuned["model"].tolist() == [MODEL]
    assert list(tuned.columns) == list(sql_types(TunedParameters))
    run = shop.run()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Nothing is new" not in run.stdout
    fitted = warehouse.read("select parameters from ops.fitted_models where model = ?", [MODEL])
    parameters = json.loads(fitted["parameters"][0])
    expected = json.loads(tuned["parameters"][0])
    assert {name: parameters[name] for name in expected} == pytest.approx(expected)
    assert "Nothing is new" in shop.run().stdout


def test_a_model_without_parameters_to_tune_is_an_error_that_names_those_with():
    with pytest.raises(ValueError, match=r"'tsb'.*lightgbm"):
        require_tunable("tsb")


def test_a_folder_without_demand_is_an_error_that_says_what_to_do(tmp_path):
    answer = CliRunner().invoke(main, ["tune", "--data-dir", str(tmp_path / "data")])
    assert answer.exit_code == 1
    assert "`storecast run` loads it" in answer.output
