# Makes .venv from the lock, and calls `storecast`, pytest and the linters. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= $(shell command -v python3.12 || command -v python3)
BIN := .venv/bin
INSTALLED := .venv/.installed
LOCK := uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --python-version 3.12

.PHONY: help run up down test check bench floor package deep ray clean lock

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1: /p' $(MAKEFILE_LIST)

run: $(INSTALLED) ## the main job; SOURCE=… DATA=folder CONFIG=mapping.toml PRODUCTS=n choose other input than the demo shop
	@$(BIN)/storecast run $(if $(SOURCE),--source "$(SOURCE)") $(if $(DATA),--path "$(DATA)") \
		$(if $(CONFIG),--config "$(CONFIG)") $(if $(PRODUCTS),--products "$(PRODUCTS)")

up: $(INSTALLED) ## start Dagster's UI and daemon and MLflow's UI
	@$(BIN)/storecast up

down: $(INSTALLED) ## end what `make up` started
	@$(BIN)/storecast down

test: $(INSTALLED) ## the whole test suite, fast tests first, on up to four cores; ARGS=… go to pytest
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 $(ARGS)

check: $(INSTALLED) ## linters, types, import contracts, size limits
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.azure-pipelines --regex-variant python azure-pipelines.yml
	$(BIN)/pytest -q assets_tests/test_house_rules.py

bench: $(INSTALLED) ## every benchmark on a part of its data; `make bench-NAME` runs one whole, such as bench-m5
	$(BIN)/python -m benchmarks --short all

bench-%: $(INSTALLED)
	$(BIN)/python -m benchmarks $*

floor: $(INSTALLED) ## the benchmark on the demo shop alone; fails where a figure misses its target
	$(BIN)/python -m benchmarks --floor demo

package: $(INSTALLED) ## build the code location, dist/*.whl, and load the graph from the wheel alone
	rm -rf build dist
	$(BIN)/pip wheel --disable-pip-version-check --no-deps --no-build-isolation --quiet --wheel-dir dist .
	$(BIN)/pip install --disable-pip-version-check --no-deps --quiet --target build/site dist/storecast-*.whl
	cd build && PYTHONPATH=site STORECAST_DATA_DIR=data DAGSTER_DISABLE_TELEMETRY=yes \
		../$(BIN)/dagster definitions validate --module-name storecast.definitions

deep: $(INSTALLED) ## install what the LSTM needs, Keras on JAX: 95 MB to fetch, 415 MB on disk
	$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-deep.lock

ray: $(INSTALLED) ## install Ray, to fit past one machine: 70 MB to fetch, 270 MB on disk
	$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements-ray.lock

clean: ## remove .venv and caches; the data folder stays
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache platform/storecast.egg-info

lock: ## resolve all locks anew (needs uv): hashes, no index addresses
	$(LOCK) --group dev --constraint constraints.txt pyproject.toml --output-file requirements.lock
	@for extra in deep ray; do "$(PYTHON)" -c 'import sys, tomllib; project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*project["optional-dependencies"][sys.argv[1]], sep="\n")' $$extra \
		| $(LOCK) --constraint requirements.lock --output-file requirements-$$extra.lock -; done

# Without the stamp the folder is made anew, and an old stamp goes before anything is changed: an installation that was
# killed starts again. `--no-deps`: the lock is complete, and pip mixes up extras and hashes where it resolves itself.
$(INSTALLED): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' || { echo "Storecast needs Python 3.12," \
		"this is $(or $(PYTHON),none): install it, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "Installing the locked packages into .venv; the first time about 1 GB and some minutes"
	@if [ -e $@ ]; then rm $@; else "$(PYTHON)" -m venv --clear .venv; fi
	$(BIN)/pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
