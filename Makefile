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

$(STAMP): requirements/dev.txt requirements/tools.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "karpenter-bot needs Python 3.11 or newer (set PYTHON=...)")'
	@echo "setting up $(VENV): this takes some minutes, once" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/tools.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup ## the answer for a recorded cluster (CASE=name picks another, LANG_=ko another language)
	@$(BIN)/python -m tests.demo $(CASE) $(if $(LANG_),--lang $(LANG_))

playground: setup ## the bot in a Slack look-alike in the browser, on recorded clusters (Ctrl-C ends it)
	@$(BIN)/karpenter-bot playground

docs: setup ## the documentation site in build/site, made from docs/, playbooks and cases
	@$(BIN)/python -m tests.site

test: setup ## all tests but the test bed's (those of the oracle once `make native` has built it; JOBS=1: one after another)
	@$(BIN)/python -m pytest -m "not cluster" -n $(or $(JOBS),3) --dist loadfile
	@echo "NOT RUN: the test bed's tests (a real kube-apiserver, a real Karpenter). They are apart, for they take minutes: make test-bed"

test-bed: setup ## the tests on the test bed, two of them side by side (`make native` builds it)
	@$(BIN)/python -m pytest tests/cluster -m cluster -n 2 -o cache_dir=.pytest_cache/bed

native: setup ## builds the Go programs that tests compare with: the test bed and the oracle (needs Go; 15 minutes once)
	@$(BIN)/python -m tests.cluster.build
	@$(BIN)/python -m tests.oracle build

golden: setup ## writes the recorded cases' answers anew; read the difference before you commit it
	@$(BIN)/python -m tests.golden

lint: setup ## style, types, layers, playbooks
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/karpenter-bot playbooks check

manifests: setup ## writes deploy/manifests/bot.yaml anew from the Helm chart
	@$(BIN)/python -m tests.deploy.manifests

AUDIT := .cache/audit
$(AUDIT)/.set-up: requirements/audit.txt
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

sbom: $(AUDIT)/.set-up ## writes what the image's Python is made of to .cache/sbom.json (CycloneDX), from the hashed lock file
	@$(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o .cache/sbom.json requirements/run.txt

audit: $(AUDIT)/.set-up ## known vulnerabilities of the locked dependencies (asks the Python package index's advisory service)
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/run.txt 2>$(AUDIT)/said || { \
	  code=$$?; cat $(AUDIT)/said >&2; \
	  ! grep -qE 'Connection|Max retries|ServiceError|timed out' $(AUDIT)/said || \
	    echo "NOT CHECKED: the advisory service cannot be reached from here; nothing is known about these versions" >&2; \
	  exit $$code; }

load: setup ## 200 slash commands a second for a minute and 1,000 alerts (SECONDS_=10 for less); fails what is not acknowledged in 3 s
	@$(BIN)/python -m tests.load --seconds $(or $(SECONDS_),60)

soak: setup ## half an hour at one command a second: does memory stay flat? (SECONDS_=300 for less); curve in .cache/load
	@$(BIN)/python -m tests.load --rate 1 --alerts $(or $(ALERTS),300) --seconds $(or $(SECONDS_),1800)

chaos: setup ## ten minutes of replicas killed and all around them breaking, under load (MINUTES=2 for less)
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),10)

fuzz: setup ## 100,000 mutated payloads, webhooks, pasted texts and manifests (COUNT=1000 for less, SEED=n for others)
	@$(BIN)/python -m tests.fuzz --count $(or $(COUNT),100000) --seed $(or $(SEED),1)

bench: setup ## measured figures, never asserted
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench_serving
	@$(BIN)/python -m tests.bench_ec2

crash-matrix: setup ## 1,000 processes killed at every step of applying a change, on SQLite and PostgreSQL (KILLS=n)
	@$(BIN)/python -m tests.crash $(or $(KILLS),1000)

bench-storm: setup ## 1,000 alerts in a minute at a fake Slack with its limits, the bot killed three times (3 minutes)
	@$(BIN)/python -m tests.bench_storm
	@$(BIN)/python -m tests.bench_storm --kills 3

LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url

lock: ## recompile the lock files from pyproject.toml, keeping every pin that still fits (LOCK_FLAGS=--upgrade: newest)
	@test -x $(BIN)/uv || $(MAKE) --no-print-directory setup
	@$(LOCK) $(LOCK_FLAGS) --extra tracing pyproject.toml -o requirements/run.txt
	@$(LOCK) $(LOCK_FLAGS) -c requirements/run.txt --extra tracing --group dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) $(LOCK_FLAGS) --group audit -o requirements/audit.txt
	@$(LOCK) $(LOCK_FLAGS) -c requirements/dev.txt --group build -o requirements/build.txt

include tests/cluster/cluster.mk tests/oracle/oracle.mk

.PHONY: test-bed bench-storm manifests sbom audit help setup demo test native golden lint bench crash-matrix lock load soak chaos fuzz docs playground
