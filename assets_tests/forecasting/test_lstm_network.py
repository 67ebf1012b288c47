"""The network, its likelihood against SciPy's, and how Keras is imported."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from storecast.forecasting.features import encoders_of
from storecast.forecasting.lstm_network import (
    BLOCK_ROWS,
    Examples,
    NetworkShape,
    Schedule,
    initial_weights,
    learn,
    log_likelihood,
    predict,
)
from storecast.forecasting.panel import Panel
from storecast.forecasting.sequences import sequences_at_end

STEPS = 14
SHAPE = NetworkShape(context_days=28, cells=4, statics=(4, 3), events=2)
needs_keras = pytest.mark.skipif(find_spec("keras") is None, reason="extra `deep` not here")


@pytest.fixture(scope="module")
def known(panel: Panel) -> Panel:
    return panel.until(panel.days - STEPS, STEPS)


@pytest.fixture(scope="module")
def examples(panel: Panel, known: Panel) -> Examples:
    rows = panel.keys.get_indexer(known.keys)
    return Examples(sequences_at_end(known, STEPS, 28, encoders_of(panel)), panel.units[rows, -STEPS:])


def python(code: str, home: Path, **variables: str) -> str:
    """What a new Python prints; its home is `home`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, env={**environment, "HOME": str(home), **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@needs_keras
def test_the_likelihood_is_that_of_scipys_negative_binomial():
    units, mean, dispersion = np.array([0, 1, 7, 120]), np.array([0.3, 2.0, 5.0, 80.0]), np.array([0.1, 3.0, 0.5, 0.02])
    expected = stats.nbinom.logpmf(units, 1 / dispersion, 1 / (1 + dispersion * mean))
    np.testing.assert_allclose(log_likelihood(units.astype(float), mean, dispersion), expected, rtol=1e-4)


@needs_keras
@pytest.mark.slow
def test_learning_lowers_the_loss_and_keeps_the_weights_of_the_lowest(examples):
    weights, losses = learn(SHAPE, examples, examples, Schedule(0.01, epochs=20, patience=3), seed=1)
    assert losses[-1] < losses[0]
    mean, dispersion = predict(SHAPE, weights, examples.inputs)
    surprise = -stats.nbinom.logpmf(examples.units, 1 / dispersion, 1 / (1 + dispersion * mean))
    assert surprise.mean() == pytest.approx(min(losses), rel=1e-3)


@needs_keras
@pytest.mark.slow
def test_units_that_are_not_known_teach_nothing(examples):
    hidden = examples.units.copy()
    hidden[:, 5:] = np.nan
    shown = np.where(np.isnan(hidden), 1e6, hidden)
    schedule = Schedule(0.01, epochs=10, patience=10)
    weights, _ = learn(SHAPE, Examples(examples.inputs, hidden), examples, schedule, seed=1)
    others, _ = learn(SHAPE, Examples(examples.inputs, shown), examples, schedule, seed=1)
    again, _ = learn(SHAPE, Examples(examples.inputs, hidden), examples, schedule, seed=1)
    assert all(np.array_equal(one, other) for one, other in zip(weights, again, strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(weights, others, strict=True))


@needs_keras
@pytest.mark.slow
def test_a_row_says_the_same_wherever_it_stands_and_however_many_there_are(known):
    weights = [values + 0.1 for values in initial_weights(SHAPE, 1)]
    rows = np.random.default_rng(0).integers(0, len(known.keys), BLOCK_ROWS + 44)
    many = predict(SHAPE, weights, sequences_at_end(known.take(rows), STEPS, 28, encoders_of(known)))
    for place, row in list(enumerate(rows))[::37]:
        alone = predict(SHAPE, weights, sequences_at_end(known.take(np.array([row])), STEPS, 28, encoders_of(known)))
        np.testing.assert_array_equal(alone[0][0], many[0][place])
        np.testing.assert_array_equal(alone[1][0], many[1][place])


@needs_keras
def test_other_seeds_give_other_weights_of_the_same_shapes():
    one, same, other = initial_weights(SHAPE, 1), initial_weights(SHAPE, 1), initial_weights(SHAPE, 2)
    assert [values.shape for values in one] == [values.shape for values in other]
    assert all(np.array_equal(first, second) for first, second in zip(one, same, strict=True))
    assert not all(np.array_equal(first, second) for first, second in zip(one, other, strict=True))


def test_the_registry_does_not_import_keras(tmp_path):
    code = "import sys, storecast.forecasting.registry as r; print('lstm' in r.REGISTRY, 'keras' in sys.modules)"
    assert python(code, tmp_path) == "True False"


@needs_keras
@pytest.mark.slow
def test_importing_keras_chooses_jax_writes_nothing_and_leaves_the_environment(tmp_path):
    code = """if True:
        import os
        from storecast.forecasting.lstm_network import import_keras
        print(import_keras().config.backend(), [name for name in os.environ if name.startswith("KERAS_")])
        assert import_keras() is import_keras()"""
    assert python(code, tmp_path) == "jax []"
    assert not (tmp_path / ".keras").exists()


def test_another_backend_is_an_error_that_says_what_to_do(tmp_path):
    code = """if True:
        from storecast.forecasting.lstm_network import import_keras
        try:
            import_keras()
        except RuntimeError as error:
            print(error)"""
    assert "KERAS_BACKEND=jax" in python(code, tmp_path, KERAS_BACKEND="torch")


def test_without_the_extra_the_error_says_how_to_get_it(tmp_path):
    code = """if True:
        import sys
        sys.modules["jax"] = None
        from storecast.forecasting.lstm_network import import_keras
        try:
            import_keras()
        except ModuleNotFoundError as error:
            print(error)"""
    assert python(code, tmp_path) == "GlobalLSTM needs jax: run `make deep`, or pip install 'storecast[deep]'"
