"""The recurrent network of `GlobalLSTM`: Keras on JAX, pure functions of weights and arrays, reproducible to the bit.

Keras and JAX come with the extra `deep` and are imported when a network is first needed. Inputs go through in blocks of
`BLOCK_ROWS`, the last one filled up: so compiled code is the same for one series as for many, and so are the numbers.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from types import ModuleType
from typing import Any, Final

import numpy as np

from storecast.forecasting.features import FeatureArray
from storecast.forecasting.panel import FloatArray, IntArray
from storecast.forecasting.sequences import FUTURE_FEATURES, PAST_FEATURES, STATIC_CODES, Sequences

Weights = tuple[FeatureArray, ...]
BLOCK_ROWS: Final = 256
EMBEDDING: Final = 4
LARGEST_LOG_RATIO: Final = 5.0
LEAST_DISPERSION: Final = 1e-3
LARGEST_GRADIENT: Final = 1.0
OUTPUTS: Final = 2
JAX: Final = "jax"


@dataclass(frozen=True)
class NetworkShape:
    """What decides the compiled code: sizes of the context, the layers and the vocabularies (0 included)."""

    context_days: int
    cells: int
    statics: tuple[int, ...]
    events: int


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with the units that followed, (rows, days ahead); NaN where they are not to be learned from."""

    inputs: Sequences
    units: FloatArray


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn: at most `epochs` passes, until the hold-out has not gained for `patience`."""

    learning_rate: float
    epochs: int
    patience: int


def import_keras() -> ModuleType:
    """Keras on its JAX backend, imported at the first call; the environment is left as it is.

    Raises `RuntimeError` where another backend was chosen, by KERAS_BACKEND or by who imported Keras before, and
    `ModuleNotFoundError` where the extra `deep` is not installed.
    """
    imported = sys.modules.get("keras")
    backend = imported.config.backend() if imported else os.environ.get("KERAS_BACKEND", JAX)
    if backend != JAX:
        raise RuntimeError(f"keras runs on {backend!r}, not on {JAX!r}: start Python with KERAS_BACKEND={JAX}")
    if imported:
        return imported
    try:
        with _environment(KERAS_BACKEND=JAX, KERAS_HOME=os.devnull):  # no folder: keras reads and writes no file there
            import jax  # noqa: F401, PLC0415
            import keras  # noqa: PLC0415
    except ModuleNotFoundError as error:
        message = f"GlobalLSTM needs {error.name}: run `make deep`, or pip install 'storecast[deep]'"
        raise ModuleNotFoundError(message, name=error.name) from error
    return keras


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Set variables, and have them as they were after it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _network(shape: NetworkShape, seed: int) -> Any:
    """Encoder over the context, its state with the statics as the decoder's first, decoder over the days ahead.

    Outputs a day ahead: the log of its mean over the level, and what softplus makes the dispersion of.
    """
    keras = import_keras()
    layers, seeds = keras.layers, count(seed)

    def seeded() -> dict[str, Any]:
        return {"kernel_initializer": keras.initializers.GlorotUniform(seed=next(seeds))}

    def lstm(**options: Any) -> Any:
        orthogonal = keras.initializers.Orthogonal(seed=next(seeds))
        return layers.LSTM(shape.cells, recurrent_initializer=orthogonal, **seeded(), **options)

    past = keras.Input((shape.context_days, len(PAST_FEATURES)))
    future = keras.Input((None, len(FUTURE_FEATURES)))
    events = keras.Input((None,), dtype="int32")
    statics = keras.Input((len(STATIC_CODES),), dtype="int32")
    embedded = [  # from zero: what training never saw stays there
        layers.Embedding(size, EMBEDDING, embeddings_initializer="zeros")(statics[:, place])
        for place, size in enumerate(shape.statics)
    ]
    of_events = layers.Embedding(shape.events, EMBEDDING, embeddings_initializer="zeros")(events)
    _, hidden, cell = lstm(return_state=True)(past)
    first = layers.Dense(shape.cells, activation="tanh", **seeded())(layers.Concatenate()([hidden, *embedded]))
    decoded = lstm(return_sequences=True)(layers.Concatenate()([future, of_events]), initial_state=[first, cell])
    return keras.Model([past, future, events, statics], layers.Dense(OUTPUTS, **seeded())(decoded))


@dataclass(frozen=True, eq=False)
class _Functions:
    """A shape's network, what it says of inputs, and its loss on examples; compiled at their first call."""

    network: Any
    predict: Callable[..., Any]
    loss: Callable[..., Any]


@lru_cache(maxsize=8)
def _functions(shape: NetworkShape) -> _Functions:
    """Functions of weights and arrays; the network in them lends its structure, its own weights are not used."""
    network = _network(shape, 0)
    import jax  # noqa: PLC0415

    state = [variable.value for variable in network.non_trainable_variables]

    def predict(weights: Any, inputs: Any) -> tuple[Any, Any]:
        *arrays, levels = inputs
        raw, _ = network.stateless_call(list(weights), state, arrays)
        ratio = jax.numpy.exp(jax.numpy.clip(raw[..., 0], -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
        return levels[:, None] * ratio, jax.nn.softplus(raw[..., 1]) + LEAST_DISPERSION

    def loss(weights: Any, inputs: Any, units: Any, is_counted: Any) -> Any:
        surprise = -log_likelihood(units, *predict(weights, inputs))
        return (surprise * is_counted).sum() / jax.numpy.maximum(is_counted.sum(), 1)

    return _Functions(network, jax.jit(predict), jax.jit(loss))


@lru_cache(maxsize=8)
def _learner(shape: NetworkShape, learning_rate: float) -> tuple[Callable[..., Any], list[Any]]:
    """One step of Adam on a block of examples, and the state it begins with."""
    functions = _functions(shape)
    import jax  # noqa: PLC0415
    import keras  # noqa: PLC0415

    adam = keras.optimizers.Adam(learning_rate, global_clipnorm=LARGEST_GRADIENT)
    adam.build(functions.network.trainable_variables)

    def step(weights: Any, state: Any, *block: Any) -> Any:
        return adam.stateless_apply(state, jax.grad(functions.loss)(weights, *block), weights)

    return jax.jit(step), [variable.value for variable in adam.variables]


def log_likelihood(units: Any, mean: Any, dispersion: Any) -> Any:
    """Log of the negative binomial's probability of `units`, its mean m and dispersion a: variance m + a m².

    Salinas, Flunkert, Gasthaus and Januschowski 2020 (DeepAR), section 3.2. Defined for fractions of units too.
    """
    import jax.numpy as jnp  # noqa: PLC0415
    from jax.scipy.special import gammaln  # noqa: PLC0415

    size = 1 / dispersion
    ways = gammaln(units + size) - gammaln(size) - gammaln(units + 1)
    return ways - size * jnp.log1p(dispersion * mean) + units * (jnp.log(mean) - jnp.log(size + mean))


def initial_weights(shape: NetworkShape, seed: int) -> Weights:
    """Weights to begin from, drawn by Glorot's and orthogonal initialisers."""
    return tuple(np.asarray(variable.value) for variable in _network(shape, seed).trainable_variables)


def learn(
    shape: NetworkShape, training: Examples, holdout: Examples, schedule: Schedule, seed: int
) -> tuple[Weights, tuple[float, ...]]:
    """Learn until the hold-out's loss stops falling: the weights at its lowest, and that loss before and by epoch."""
    step, state = _learner(shape, schedule.learning_rate)
    random = np.random.default_rng(seed)
    weights = best = initial_weights(shape, seed)
    losses = [_mean_loss(shape, weights, holdout)]
    for epoch in range(1, schedule.epochs + 1):
        for block in _blocks(training, random.permutation(len(training.units))):
            weights, state = step(weights, state, *block)
        losses.append(_mean_loss(shape, weights, holdout))
        if losses[-1] < np.nanmin(losses[:-1]):
            best = weights
        elif epoch - int(np.nanargmin(losses)) >= schedule.patience:
            break
    return tuple(np.asarray(values) for values in best), tuple(losses)


def predict(shape: NetworkShape, weights: Weights, inputs: Sequences) -> tuple[FloatArray, FloatArray]:
    """Means in units and dispersions of the negative binomial, each (rows, days ahead)."""
    function = _functions(shape).predict
    rows, steps = inputs.events.shape
    examples = Examples(inputs, np.full((rows, steps), np.nan))
    parts = [np.stack(function(weights, block[0])) for block in _blocks(examples, np.arange(rows))]
    mean, dispersion = np.concatenate(parts, axis=1)[:, :rows].astype(np.float64)
    return mean, dispersion


def _mean_loss(shape: NetworkShape, weights: Any, examples: Examples) -> float:
    blocks = list(_blocks(examples, np.arange(len(examples.units))))
    losses = [float(_functions(shape).loss(weights, *block)) for block in blocks]
    return float(np.average(losses, weights=[block[2].sum() for block in blocks]))


def _blocks(examples: Examples, order: IntArray) -> Iterator[tuple[Any, FeatureArray, FeatureArray]]:
    """Inputs, units and what of them counts, in blocks of equal size; what fills up the last one does not count."""
    for start in range(0, len(order), BLOCK_ROWS):
        rows = order[start : start + BLOCK_ROWS]
        filled = np.resize(rows, BLOCK_ROWS)
        units = examples.units[filled]
        is_counted = ~np.isnan(units) & (np.arange(BLOCK_ROWS) < len(rows))[:, None]
        inputs = tuple(array[filled] for array in examples.inputs.arrays)
        yield inputs, np.nan_to_num(units).astype(np.float32), is_counted.astype(np.float32)
