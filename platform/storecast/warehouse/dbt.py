"""dbt's place: where the project lies, and its manifest, parsed once per state of project and shop."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from storecast.settings import Settings, process_environment

PROJECT_DIR = (Path(__file__).parents[1] / "dbt_project").resolve()
"""In the repository a link to the folder at its root, in a wheel a part of the package."""
PLANNED_DAYS = 90
BUILT = "built"
MANIFEST, PARSED = "manifest.json", "partial_parse.msgpack"
"""What dbt leaves of a parse: the manifest for us, and its own memory of the parsed project."""


class DbtError(RuntimeError):
    """dbt did not parse the project; the message carries what it said."""


def dbt_executable() -> str:
    """Return the dbt that belongs to this Python."""
    return str(Path(sys.executable).with_name("dbt"))


def dbt_vars(settings: Settings) -> dict[str, Any]:
    """Return the variables the models depend on."""
    return {
        "source_timezone": settings.timezone,
        "shop_timezone": settings.timezone,
        "currency": settings.currency,
        "country": settings.country,
        "horizon_days": PLANNED_DAYS,
    }


def manifest_path(settings: Settings) -> Path:
    """Return dbt's manifest, parsing the project where it or the shop has changed since.

    Raises `DbtError` with dbt's own words where the project does not parse.
    """
    variables = json.dumps(dbt_vars(settings), sort_keys=True)
    target = settings.dbt_dir / f"parsed-{_fingerprint(variables)}"
    manifest = target / MANIFEST
    if not manifest.exists():
        _parse(settings, variables, target)
    return manifest


def built_otherwise(settings: Settings) -> bool:
    """Tell whether the tables were last built by another state of project and shop: what grows must be built anew."""
    built = settings.dbt_dir / BUILT
    return built.exists() and built.read_text(encoding="utf-8") != manifest_path(settings).parent.name


def remember_built(settings: Settings) -> None:
    """Write down that all tables are built by the project as it is now."""
    (settings.dbt_dir / BUILT).write_text(manifest_path(settings).parent.name, encoding="utf-8")


def _parse(settings: Settings, variables: str, target: Path) -> None:
    building = target.with_name(f".{target.name}-{os.getpid()}")
    command = [dbt_executable(), "--quiet", "parse", "--vars", variables, "--target-path", str(building)]
    places = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR), "--log-path", str(building)]
    environment = {**os.environ, **process_environment(settings)}
    done = subprocess.run([*command, *places], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        message = f"dbt could not parse {PROJECT_DIR}:\n{done.stdout}{done.stderr}"
        raise DbtError(message)
    target.mkdir(parents=True, exist_ok=True)
    for name in (PARSED, MANIFEST):  # the manifest last: where it is, the other is too
        (building / name).replace(target / name)


def run_target(settings: Settings) -> Path:
    """Return the folder in which dbt runs, with what it parsed already, so that it need not parse again."""
    target = settings.dbt_dir / "run"
    parsed = manifest_path(settings).with_name(PARSED)
    if parsed.exists():  # a folder of an older version has none
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(parsed, target / PARSED)
    return target


def project_files() -> list[Path]:
    """Return the project's own files, without what dbt makes of them."""
    files = [path for path in sorted(PROJECT_DIR.rglob("*")) if path.is_file()]
    return [path for path in files if path.relative_to(PROJECT_DIR).parts[0] not in {"target", "logs"}]


def _fingerprint(variables: str) -> str:
    digest = hashlib.sha256(variables.encode())
    for path in project_files():
        digest.update(str(path.relative_to(PROJECT_DIR)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
