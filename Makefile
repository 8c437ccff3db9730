# Comity. `make help` lists the targets. Needs Python >= 3.11 with venv, and make; nothing else for the embedded default.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := build/bench
unexport PYTHONDONTWRITEBYTECODE  # else each of the hundreds of processes of the tests compiles everything anew
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

.DEFAULT_GOAL := help
.PHONY: help setup certify test test-quick soak soak-stalled gen gen-check lint format types mutants bench build clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "setup: Python >= 3.11 with venv is needed (on Debian: apt-get install python3 python3-venv); or set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(STAMP) ## Make .venv and install everything (a no-op when up to date)

certify: setup ## Certify the reference registry: simulated, embedded, and on every broker that can be had here
	$(BIN)/comity certify --reference --everywhere --report build/report

test: setup ## Run all tests, brokers included (under 10 minutes)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

test-quick: setup ## Run the tests that take no broker and no patience (under 1 minute)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not slow and not broker"

soak: setup ## Kill services and broker nodes under load, change their versions (about 5 minutes; COMITY_SEED=N repeats a schedule)
	$(BIN)/pytest tests/faults/soak.py --capture=no

gen: setup ## Regenerate everything that derives from spec/
	$(BIN)/python -m comity.compiler gen
	$(BIN)/comity spec coverage --write docs/coverage.md

gen-check: setup ## Fail where a generated file differs from what spec/ gives
	$(BIN)/python -m comity.compiler check

lint: setup ## Style, import contracts, spec lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/comity spec lint

format: setup ## Reformat hand-written code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

types: setup ## mypy and pyright, both strict
	$(BIN)/mypy
	$(BIN)/pyright

mutants: setup ## Prove that every MUST row has a property that bites (about a minute)
	$(BIN)/python -m tests.mutants.run

$(BENCH)/.installed: pyproject.toml tests/benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable '.[all]' -r tests/benchmarks/requirements.txt
	@touch $@

bench: $(BENCH)/.installed ## Measure, and write docs/benchmarks.md (about 15 minutes; with what `make soak-stalled` left, where it ran)
	$(BENCH)/bin/python -m tests.benchmarks.run --write docs/benchmarks.md

soak-stalled: $(BENCH)/.installed ## Measure memory under a stalled consumer on every broker (about 7 minutes)
	$(BENCH)/bin/python -m tests.benchmarks.soak_stalled --json > build/soak_stalled.new
	mv build/soak_stalled.new build/soak_stalled.json

build: setup ## Build the sdist and the wheel into dist/
	$(BIN)/python -m build --outdir dist

clean: ## Remove what the targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
