# Everything a person needs: `make demo` and `make test`. The rest is for those who change the code.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CASE ?= seed-efa-8-on-g6e-8xlarge
STAMP := $(VENV)/.set-up

help: ## what can be made
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | sed -E 's/:.*?## /\t/' | expand -t 20

setup: $(STAMP) ## the environment in .venv, from the hashed lock files

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "karpenter-bot needs Python 3.11 or newer (set PYTHON=...)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## the answer for a recorded cluster (CASE=name picks another, LANG_=ko another language)
	@$(BIN)/python -m tests.demo $(CASE) $(if $(LANG_),--lang $(LANG_))

test: setup ## all tests (those of the test bed and the oracle once `make native` has built them)
	@$(BIN)/python -m pytest

native: setup ## builds the Go programs that tests compare with: the test bed and the oracle (needs Go; 15 minutes once)
	@$(BIN)/python -m tests.cluster build
	@$(BIN)/python -m tests.oracle build

golden: setup ## writes the recorded cases' answers anew; read the difference before you commit it
	@$(BIN)/python -m tests.golden

lint: setup ## style, types, layers, playbooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/karpenter-bot playbooks check

bench: setup ## measured figures, never asserted
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench_serving

LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url

lock: ## recompile the lock files from pyproject.toml, keeping every pin that still fits (LOCK_FLAGS=--upgrade: newest)
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory setup
	@$(LOCK) $(LOCK_FLAGS) pyproject.toml -o requirements/run.txt
	@$(LOCK) $(LOCK_FLAGS) -c requirements/run.txt --group dev pyproject.toml -o requirements/dev.txt

include tests/cluster/cluster.mk tests/oracle/oracle.mk

.PHONY: help setup demo test native golden lint bench lock
