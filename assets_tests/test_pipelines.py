"""The pipelines of GitHub and Azure: the same steps, all of them make's, and each there."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[1]
GITHUB = REPOSITORY / ".github" / "workflows" / "ci.yml"
AZURE = REPOSITORY / "azure-pipelines.yml"
STEPS = ["make check", "make test", "make floor", "make package"]


def steps_of(path: Path, command: str, name: str) -> list[tuple[str, str]]:
    """Return the commands of a file's one job with the names that people read, in order."""
    jobs: Any = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    [job] = jobs.values() if isinstance(jobs, dict) else jobs
    return [(step[command], step[name]) for step in job["steps"] if command in step]


def test_both_files_run_the_same_steps_under_the_same_names():
    github, azure = steps_of(GITHUB, "run", "name"), steps_of(AZURE, "script", "displayName")
    assert github == azure
    assert [command for command, _ in github] == STEPS


@pytest.mark.parametrize("step", STEPS)
def test_each_step_is_a_target_of_the_makefile(step):
    plan = subprocess.run(
        [*step.split(), "--dry-run"],
        cwd=REPOSITORY,
        env={**os.environ, "MAKEFLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert plan.returncode == 0, plan.stderr
    assert ".venv/bin/" in plan.stdout
