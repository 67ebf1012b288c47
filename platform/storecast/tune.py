"""Tuning as `storecast tune` starts it: one search at a time in a data folder, and in words what it found."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from storecast import automation
from storecast.definitions import compose
from storecast.forecasting.registry import REGISTRY, models_named
from storecast.services import write_instance_config
from storecast.settings import Settings
from storecast.shop import with_source_facts
from storecast.warehouse import Lease, Warehouse

ASSET = "ops__tuned_parameters"
FOUND_SQL = "select * from ops.tuned_parameters where model = ?"


def tune_model(
    settings: Settings, model: str, minutes: float, trials: int | None, report: Callable[[str], None]
) -> None:
    """Search for a model's parameters until the time is over or there are `trials`, and say what was found.

    Raises `ValueError` where the model is none that can be tuned, `FileNotFoundError` where nothing was loaded yet,
    `LeaseError` where another search is under way in the folder, and `StageError` where the search fails.
    """
    require_tunable(model)
    warehouse = Warehouse.of(settings)
    if not warehouse.exists("gold.daily_demand"):
        raise FileNotFoundError(f"{settings.data_dir} holds no demand yet: `storecast run` loads it")
    config = {"model": model, "minutes": minutes} | ({} if trials is None else {"trials": trials})
    with Lease(settings.data_dir / "tuning", timeout_seconds=1.0).exclusive():
        write_instance_config(settings)
        report(f"Tuning {model} for {minutes:g} minutes on the back-test's selection origins …")
        automation.run_stages(
            compose(with_source_facts(settings)),
            ["tune"],
            starter=automation.TUNING_CLI,
            configs={ASSET: {"config": config}},
        )
    [found] = warehouse.read(FOUND_SQL, [model]).to_dict("records")
    report(in_words(found))


def require_tunable(model: str) -> None:
    """Raise `ValueError` where a model is not in the registry, or has no parameters to tune there."""
    models_named([model])
    tunable = sorted(name for name, spec in REGISTRY.items() if spec.search_space)
    if model not in tunable:
        raise ValueError(f"--model is {model!r}, which has no parameters to tune: choose from {tunable}")


def in_words(found: Mapping[Any, Any]) -> str:
    """A row of `ops.tuned_parameters` as people read it, with what to do next.

    >>> row = {"model": "lightgbm", "parameters": '{"n_leaves": 63}', "loss": 0.72, "default_loss": 0.75, "trials": 31}
    >>> print(in_words(row))
    lightgbm after 31 trials: error 0.7200 of seasonal naive's, 4.0 % below the 0.7500 of its defaults.
    Its parameters: n_leaves = 63.
    `storecast run` trains with them; `storecast tune` would go on searching.
    """
    gain = 100 * (1 - found["loss"] / found["default_loss"]) if found["default_loss"] else 0.0
    parameters = json.loads(found["parameters"]).items()
    told = [f"{name} = {value:.4g}" if isinstance(value, float) else f"{name} = {value}" for name, value in parameters]
    return (
        f"{found['model']} after {found['trials']} trials: error {found['loss']:.4f} of seasonal naive's, "
        f"{gain:.1f} % below the {found['default_loss']:.4f} of its defaults.\n"
        f"Its parameters: {', '.join(told)}.\n"
        "`storecast run` trains with them; `storecast tune` would go on searching."
    )
