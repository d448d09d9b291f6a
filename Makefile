# Every target does its own set-up. `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install
HASHED := --require-hashes --no-deps
SAM := SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam

SEEDS ?= 100000
EXAMPLE ?= hello
FUNCTIONS ?= price-order=./docs/examples/calling-functions/price
INPUT ?= {"userId": 3}

## Daily work

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^## /{printf "\n%s\n", substr($$0, 4)} /^[a-z][a-z0-9-]*:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: $(VENV)/.dev ## Prepare .venv with everything that tests and checks need

.PHONY: run
run: $(VENV)/.local ## Start the platform, publish the examples, run one, keep serving
	@MILLRACE_LAMBDA_FUNCTIONS='$(FUNCTIONS)' exec $(BIN)/millrace dev --load docs/examples --run '$(EXAMPLE)' --input '$(INPUT)'

.PHONY: dev
dev: $(VENV)/.local ## Start the platform and publish the examples again whenever they change
	@MILLRACE_LAMBDA_FUNCTIONS='$(FUNCTIONS)' exec $(BIN)/millrace dev --watch docs/examples

.PHONY: test
test: $(VENV)/.dev .venv-sam/.ready ## Run the tests with their coverage gates
	$(BIN)/python tools/run_tests.py

.PHONY: lint
lint: $(VENV)/.dev ## Formatting, lint, types, contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tools/check_modules.py
	$(BIN)/python tools/check_purity.py
	$(BIN)/python tools/check_imports.py
	$(BIN)/cfn-lint template.yaml infra/*.yaml
	@for tool in generate_docs generate_openapi generate_reference generate_example; do \
	  if [ -f tools/$$tool.py ]; then $(BIN)/python tools/$$tool.py --check || exit 1; fi; done

.PHONY: check
check: lint test proof ## Exactly what CI runs

## Deeper checks

.PHONY: proof
proof: e2e-tools ## Play 10,000 seeds of faults; build for AWS and run ten workflows on an emulator
	$(BIN)/python -m tests.simulation 10000
	$(BIN)/python -m pytest -m e2e tests/e2e/deploy tests/infra

.PHONY: bench
bench: $(VENV)/.local ## Measure, as ratios to floors measured in the same run
	$(BIN)/python -m tests.bench

.PHONY: simulate
simulate: $(VENV)/.dev ## Run the fault simulator (SEEDS=100000)
	$(BIN)/python -m tests.simulation $(SEEDS)

.PHONY: explore
explore: $(VENV)/.dev ## Run the property tests with examples that were never drawn before
	MILLRACE_EXPLORE=1 $(BIN)/python -m pytest -q -n 2 -m hypothesis tests

.PHONY: mutate
mutate: $(VENV)/.dev ## Change the code at random places and count what the tests miss
	$(BIN)/python tools/mutate.py

.PHONY: e2e
e2e: $(VENV)/.dev ## Kill and restart a real server, many times
	$(BIN)/python -m pytest tests/e2e -m e2e -p no:randomly --ignore=tests/e2e/deploy

.PHONY: docs
docs: $(VENV)/.dev ## Write the generated reference, schemas and OpenAPI document
	@for tool in generate_docs generate_openapi generate_reference generate_example; do \
	  if [ -f tools/$$tool.py ]; then $(BIN)/python tools/$$tool.py || exit 1; fi; done

## AWS

.PHONY: build
build: .venv-sam/.ready ## Check the template and build what is deployed
	$(SAM) validate --lint --region us-east-1
	PATH="$$($(PYTHON) tools/find_python.py 3.13):$$PATH" $(SAM) build
	@PATH="$$($(PYTHON) tools/find_python.py 3.13):$$PATH" $(PYTHON) tools/finish_build.py .aws-sam/build

.PHONY: build-host
build-host: $(VENV)/.dev .venv-sam/.ready ## Build the same for this machine, if anything has changed
	@$(BIN)/python tools/build_host.py

.PHONY: e2e-deploy
e2e-deploy: e2e-tools ## Deploy to an emulator on this machine and run the whole corpus there
	$(BIN)/python -m tests.e2e.deploy

.PHONY: e2e-tools
e2e-tools: $(VENV)/.dev .venv-sam/.ready .venv-emulator/.ready ## Install what deploying to the emulator needs

## Housekeeping

.PHONY: lock
lock: ## Resolve requirements/*.in into lock files with hashes
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip -q install uv; }
	@PATH="$(CURDIR)/.venv-lock/bin:$$PATH" $(PYTHON) tools/lock.py

.PHONY: clean
clean: ## Remove what was built; keep data and virtual environments
	rm -rf .aws-sam build dist htmlcov .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

# A stamp is newer than the lock file it was made from, or its environment is made again in place.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Millrace needs Python 3.11 or newer: make PYTHON=python3.12")'
	@echo "making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.local: requirements/local.txt layers/core/pyproject.toml | $(VENV)/bin/python
	@echo "installing what the platform needs"
	@$(PIP) $(HASHED) -r requirements/local.txt
	@$(PIP) --no-deps --no-build-isolation --editable layers/core
	@touch $@

$(VENV)/.dev: requirements/dev.txt layers/core/pyproject.toml | $(VENV)/bin/python
	@echo "installing what tests and checks need"
	@$(PIP) $(HASHED) -r requirements/dev.txt
	@$(PIP) --no-deps --no-build-isolation --editable layers/core
	@touch $@ $(VENV)/.local

.venv-sam/.ready: requirements/sam.txt
	@echo "installing the SAM CLI into .venv-sam"
	@$(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/python -m pip --disable-pip-version-check --quiet install $(HASHED) -r requirements/sam.txt
	@touch $@

.venv-emulator/.ready: requirements/emulator.txt
	@echo "installing the emulator into .venv-emulator"
	@$(PYTHON) -m venv .venv-emulator
	@.venv-emulator/bin/python -m pip --disable-pip-version-check --quiet install $(HASHED) -r requirements/emulator.txt
	@touch $@
