"""Every setting of Storecast in one typed object.

Read in this order, the later one wins: the defaults below, `storecast.toml`, the data folder's `shop.json` (which shop
it was first filled from, written by `storecast run`), `STORECAST_*` variables, arguments. Unknown names are refused.
Zone, currency and country are the source's; no one else sets them. Secrets are not settings: they stay in the
environment, and no error shows a value that may be one.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

SHOP_FILE = "shop.json"
PREFIX = "STORECAST_"
SOURCE_FACTS = ("timezone", "currency", "country")
"""Settings that the source decides: they come from it, or from the `shop.json` that was written with it."""
OTHER_VARIABLES = ("alert_urls", "warehouse")
"""Variables with our prefix that are no settings: the receivers of alerts, which are secrets, and dbt's place."""
OF_TESTS = ("STORECAST_TEST_", "STORECAST_PROOF_")
UNSAFE_IN_A_DATA_FOLDER = "%?#"
"""Characters with a meaning in addresses of databases, as which MLflow and Dagster keep paths in the data folder."""

QUIET = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Variables that keep every library's telemetry at home, and MLflow from unpickling and chatting."""


class Settings(BaseSettings):
    """What a run depends on besides its data; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )

    data_dir: Path = Field(default=Path("data"), description="All that a run writes lies below it.")

    source: Literal["demo", "online_retail_ii", "olist", "m5", "files"] = "demo"
    source_path: Path | None = Field(default=None, description="Folder of the source files; the demo makes its own.")
    source_config: Path | None = Field(default=None, description="Mapping of a user's own files, for source `files`.")
    product_limit: int | None = Field(default=None, ge=1, description="Only the first N products (source `m5`).")
    timezone: str = Field(default="Europe/Berlin", description="The source's: decides on which day a sale falls.")
    currency: str = Field(default="EUR", description="The source's.")
    country: str = Field(default="DE", description="The source's: whose public holidays count, an ISO 3166 code.")

    demo_products: int = Field(default=200, ge=1)
    demo_days: int = Field(default=730, ge=60)
    demo_end_date: date = date(2026, 9, 30)

    horizon_days: int = Field(default=28, ge=1, le=90)
    selection_origins: int = Field(default=3, ge=1, description="Back-test origins that choose the champions.")
    evaluation_origins: int = Field(default=2, ge=1, description="Newer origins that had no part in any choice.")
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Registry names that compete, in a variable with commas between; empty: the default set.",
    )
    max_product_partitions: int = Field(default=2_000, ge=1, description="Above it products share partition keys.")
    product_groups: int = Field(default=200, ge=1, description="How many keys products share above that number.")
    correction_days: int = Field(
        default=28,
        ge=0,
        description="So long after its days a published forecast is scored anew when sales are corrected; then its "
        "scores stay and its quantiles are dropped.",
    )
    retrain_days: int = Field(
        default=28, ge=1, description="A training is due once the newest is so old, in days of data."
    )
    retrain_budget_partitions: int = Field(
        default=50, ge=0, description="Most product partitions retrained a day of data."
    )
    retrain_cooldown_days: int = Field(
        default=14, ge=1, description="Days of data before a partition is retrained again."
    )
    canary_share: float = Field(
        default=0.1, ge=0, le=1, description="Share of the products that a promoted challenger forecasts first."
    )
    canary_days: int = Field(default=7, ge=0, description="Days of data after which it forecasts the others too.")
    seed: int = 20_261_120
    fit_processes: int = Field(default=2, ge=1, description="Processes that fit models side by side.")
    ray_address: str | None = Field(
        default=None,
        pattern=r"^[^\s/]+:\d+$",
        description="host:port of the Ray cluster that fits models instead; this machine is a node of it.",
    )
    panel_memory_gb: float = Field(
        default=1.0, gt=0, description="Largest panel held in memory; a larger one is read from files chunk by chunk."
    )
    lease_timeout_seconds: float = Field(default=900.0, gt=0, description="Longest wait for the warehouse.")
    run_timeout_hours: float = Field(
        default=8.0,
        gt=0,
        description="Dagster's daemon ends a run that takes longer than this.",
    )
    fresh_hours: float = Field(default=26.0, ge=1 / 60, description="What people read is to be made anew within these.")

    alert_repeat_hours: float = Field(default=24.0, gt=0, description="An open incident is told again after so long.")
    alert_stale_hours: float = Field(default=6.0, gt=0, description="Forecasts may lag a landing for so long.")
    alert_quarantine_share: float = Field(default=0.05, ge=0, le=1, description="Share of rows set aside, per entity.")
    alert_bias: float = Field(default=0.15, gt=0, description="Forecast less sold, over sold, in absolute value.")

    dagster_port: int = Field(default=3000, ge=1, le=65_535)
    mlflow_port: int = Field(default=5000, ge=1, le=65_535)
    reports_port: int = Field(default=3001, ge=1, le=65_535)

    @field_validator("models", mode="before")
    @classmethod
    def _split_at_commas(cls, names: object) -> object:
        return tuple(name.strip() for name in names.split(",") if name.strip()) if isinstance(names, str) else names

    @field_validator("source_path", "source_config")
    @classmethod
    def _from_anywhere(cls, path: Path | None) -> Path | None:
        """Make a path absolute: the data folder remembers it, and servers are started from elsewhere."""
        return None if path is None else path.absolute()

    @field_validator("data_dir")
    @classmethod
    def _plain(cls, path: Path) -> Path:
        unsafe = sorted({sign for sign in str(path) if sign in UNSAFE_IN_A_DATA_FOLDER or not sign.isprintable()})
        if unsafe:
            message = (
                f"the path holds {', '.join(map(repr, unsafe))}, which addresses of databases give another meaning: "
                "choose a folder without"
            )
            raise ValueError(message)
        return path

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _zones():
            message = "not a zone of the tz database; write e.g. 'Europe/Berlin'"
            raise ValueError(message)
        return zone

    @model_validator(mode="after")
    def _one_server_a_port(self) -> Self:
        if len({self.dagster_port, self.mlflow_port, self.reports_port}) < len(("dagster", "mlflow", "reports")):
            message = "dagster_port, mlflow_port and reports_port must differ: each server needs a port of its own"
            raise ValueError(message)
        return self

    @property
    def warehouse_path(self) -> Path:
        """The pipeline's own database; analysts never open it."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def published_path(self) -> Path:
        """The pointer to the newest immutable copy, for everyone."""
        return self.data_dir / "published" / "storecast.duckdb"

    @property
    def landing_dir(self) -> Path:
        """Source files, copied once and named by their content."""
        return self.data_dir / "landing"

    @property
    def panels_dir(self) -> Path:
        """What is too large for memory, for as long as a step needs it."""
        return self.data_dir / "panels"

    @property
    def mlflow_dir(self) -> Path:
        """MLflow's database and artifacts."""
        return self.data_dir / "mlflow"

    @property
    def reports_dir(self) -> Path:
        """HTML reports."""
        return self.data_dir / "reports"

    @property
    def alerts_dir(self) -> Path:
        """Who was told of which incident."""
        return self.data_dir / "alerts"

    @property
    def tuning_path(self) -> Path:
        """Every trial of every search for parameters, so that a search can go on."""
        return self.data_dir / "tuning.db"

    @property
    def dagster_home(self) -> Path:
        """Dagster's instance."""
        return self.data_dir / "dagster"

    @property
    def dbt_dir(self) -> Path:
        """What dbt compiles and logs."""
        return self.data_dir / "dbt"

    @property
    def source_folder(self) -> Path:
        """Where the source's files lie; for the demo shop a folder of the data folder."""
        return self.source_path if self.source_path is not None else self.data_dir / "demo_shop" / "source"

    @property
    def truth_folder(self) -> Path:
        """The demo shop's truth, which no pipeline reads."""
        return self.data_dir / "demo_shop" / "truth"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments beat variables; files reach this class through `load_settings` only."""
        return init_settings, env_settings


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


def load_settings(*, config: Path = Path("storecast.toml"), **arguments: Any) -> Settings:
    """Read the settings from their four places; an argument that is None is not given.

    Raises `ValueError` naming the file where one of them cannot be read, each name that is no setting with the nearest
    one, and else the setting, its value and the place it came from.
    """
    from_arguments = {name: value for name, value in arguments.items() if value is not None}
    from_config = _read_toml(config)
    _refuse_unknown(config, from_config)
    from_variables = {name for name in Settings.model_fields if _variable(name) in os.environ}
    data_dir = from_arguments.get("data_dir") or os.environ.get(_variable("data_dir")) or from_config.get("data_dir")
    data_dir = _resolved(Path(data_dir or "data"))
    from_shop = read_shop(data_dir / SHOP_FILE)
    places = {
        **dict.fromkeys(from_config, str(config)),
        **dict.fromkeys(from_shop, str(data_dir / SHOP_FILE)),
        **{name: _variable(name) for name in from_variables},
        **dict.fromkeys(from_arguments, "the arguments"),
    }
    from_files = {name: value for name, value in {**from_config, **from_shop}.items() if name not in from_variables}
    try:
        return Settings(**{**from_files, **from_arguments, "data_dir": data_dir})
    except ValidationError as error:
        raise ValueError(_explain(error, places)) from None  # pydantic's own text may hold what is not to be shown


def _variable(name: str) -> str:
    return f"{PREFIX}{name}".upper()


def _resolved(data_dir: Path) -> Path:
    """Return the folder's absolute path. Raises `ValueError` where its links lead in a circle."""
    try:
        data_dir.stat()
    except FileNotFoundError:
        pass  # a run makes it
    except OSError as error:
        message = f"the data folder {data_dir} cannot be used: {error.strerror}; name another one with --data-dir"
        raise ValueError(message) from error
    return data_dir.resolve()


def _refuse_unknown(config: Path, from_config: Iterable[str]) -> None:
    """Raise `ValueError` for names that are no settings, by which something was meant; values are never shown."""
    found = [f"{config}: {told}" for told in _strangers(from_config, {name: name for name in _own_settings()})]
    given = [name for name in os.environ if name.upper().startswith(PREFIX) and not name.startswith(OF_TESTS)]
    variables = {name: _variable(name) for name in (*_own_settings(), *OTHER_VARIABLES)}
    found += [f"environment: {told}" for told in _strangers(given, variables)]
    if found:
        raise ValueError("; ".join(found))


def _own_settings() -> list[str]:
    return [name for name in Settings.model_fields if name not in SOURCE_FACTS]


def _strangers(names: Iterable[str], known: Mapping[str, str]) -> Iterator[str]:
    """Say of each name that is none of the known ones, by how those are spelled here, what to do instead."""
    for name in sorted(set(names) - set(known.values())):
        meant = name.upper().removeprefix(PREFIX).lower()
        if meant in SOURCE_FACTS:
            yield f"{name} is not to be set: the source decides it; for your own files the mapping does"
        elif meant in OTHER_VARIABLES:
            yield f"{name} is no setting: set {_variable(meant)} in the environment; it is read nowhere else"
        else:
            [nearest] = get_close_matches(meant, known, n=1, cutoff=0.0)
            yield f"{name} is no setting; did you mean {known[nearest]}?"


def _explain(error: ValidationError, places: Mapping[str, str]) -> str:
    told = []
    for problem in error.errors():
        message = problem["msg"].removeprefix("Value error, ")
        if problem["loc"]:
            name = str(problem["loc"][0])
            shown = "" if problem["type"] == "extra_forbidden" else _shown(problem["input"])
            message = f"setting {name}{shown} from {places.get(name, 'the defaults')}: {message}"
        told.append(message)
    return "; ".join(told)


def _shown(value: object) -> str:
    """Write a value down, unless it may hold a password, as an address may.

    >>> _shown(91), _shown("ray://shop:secret@cluster:10001")
    (' = 91', ' (not shown)')
    """
    text = str(value)
    may_be_secret = "://" in text or "@" in text or not isinstance(value, str | int | float | date | Path)
    return " (not shown)" if may_be_secret else f" = {text if isinstance(value, Path) else value!r}"


def process_environment(settings: Settings) -> dict[str, str]:
    """Return the variables under which a process of Storecast runs: one process, one data folder."""
    return {
        **QUIET,
        f"{PREFIX}DATA_DIR": str(settings.data_dir),
        f"{PREFIX}WAREHOUSE": str(settings.warehouse_path),
        "DAGSTER_HOME": str(settings.dagster_home),
        "MPLCONFIGDIR": str(settings.data_dir / "matplotlib"),
    }


def _read_toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{path} is not valid TOML: {error}. Mend the line it names, or remove the file."
        raise ValueError(message) from error


def read_shop(path: Path) -> dict[str, Any]:
    """Return what a data folder's `shop.json` says, nothing where there is none.

    Raises `ValueError` naming the file where it is damaged.
    """
    if not path.is_file():
        return {}
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(_damaged(path, str(error))) from error
    if not isinstance(fields, dict):
        raise ValueError(_damaged(path, "it holds no names with values"))
    return fields


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged ({why}): remove it, then `storecast run` with the source that the folder was filled from "
        "writes it anew"
    )
