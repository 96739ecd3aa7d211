# Everything one does with this repository. `make help` lists it.

UV_VERSION := 0.13.9
PYTHON := .venv/bin/python
UV := .venv/bin/uv
INSTALLED := .venv/.installed
ARGS ?=

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# The Python at hand is the one to use.
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(INSTALLED) ## Install Python packages into .venv (the other targets do so when needed)

.PHONY: up
up: install ## Start the whole system on this machine, or whatever of it is down
	@$(PYTHON) -m devstack up

.PHONY: down
down: install ## Stop the whole system; the data stays
	@$(PYTHON) -m devstack down

.PHONY: status
status: install ## Show what runs, where, and since when
	@$(PYTHON) -m devstack status

.PHONY: logs
logs: install ## Show the ends of the logs (ARGS="-f worker" follows the worker's)
	@$(PYTHON) -m devstack logs $(ARGS)

.PHONY: reset
reset: install ## Stop the whole system and delete its data
	@$(PYTHON) -m devstack reset

.PHONY: demo
demo: install ## Start the system if need be, and show what it does
	@$(PYTHON) -m devstack demo

.PHONY: latency
latency: install ## Time payments on the running system, one after the other
	@set -a; . .devstack/env; $(PYTHON) -m benchmarks.latency

.PHONY: audit
audit: install ## Compare all books of the running system: gateway, PostgreSQL, Kafka, Temporal, Ordering
	@set -a; . .devstack/env; $(PYTHON) -m audit $(ARGS)

.PHONY: test
test: install ## Run all tests (ARGS="-k refund" chooses)
	$(PYTHON) -m pytest -n 2 $(ARGS)

.PHONY: browser
browser: install ## Install Chromium for the browser tests, if there is none (Debian)
	@$(PYTHON) -m tests.programs chromium

.PHONY: pgbouncer
pgbouncer: install ## Install PgBouncer for its tests, if there is none (Debian)
	@$(PYTHON) -m tests.programs pgbouncer

.PHONY: simulate
simulate: install ## Try every pair of faults on simulated neighbours, and RUNS=n random cases
	$(PYTHON) -m tests.simulation $(if $(RUNS),--runs $(RUNS)) $(ARGS)

.PHONY: hostile
hostile: install ## Let neighbours answer badly (ANSWERS=n, then PAYMENTS=n whole payments, from SEED=n on)
	$(PYTHON) -m tests.hostile $(if $(ANSWERS),--answers $(ANSWERS)) $(if $(PAYMENTS),--payments $(PAYMENTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: chaos
chaos: install ## Pay PAYMENTS=n orders while processes and connections are broken, then audit
	$(PYTHON) -m tests.chaos $(if $(PAYMENTS),--payments $(PAYMENTS)) $(ARGS)

.PHONY: fuzz
fuzz: install ## Send hostile requests (INPUTS=n) and what OpenAPI suggests (EXAMPLES=n), then audit
	$(PYTHON) -m tests.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(EXAMPLES),--examples $(EXAMPLES)) $(ARGS)

.PHONY: overload
overload: install ## Let ten times as many pay as a system can serve, and see how many it serves
	$(PYTHON) -m tests.overload $(ARGS)

.PHONY: migrating
migrating: install ## Migrate a table of ROWS=n (a million) while it is written, and time the writers
	@$(PYTHON) -m tests.migrating $(if $(ROWS),--rows $(ROWS))

.PHONY: unit
unit: install ## Run the tests that need no servers of ours
	$(PYTHON) -m pytest tests/unit tests/workflow tests/simulation tests/hostile tests/chaos tests/replay -n 2 $(ARGS)

.PHONY: planted
planted: install ## Plant each known bug in a copy of the tree and see that a test catches it (ARGS="--only refund")
	@$(PYTHON) -m tests.planted $(ARGS)

.PHONY: check
check: install ## Check style, types and layers
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: format
format: install ## Format the code and repair what can be repaired
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

.PHONY: contract
contract: install ## Write docs/openapi.json and docs/asyncapi.json, which others rely on
	@$(PYTHON) -m tests.contract

.PHONY: lock
lock: $(UV) ## Pin the packages that pyproject.toml asks for (UPGRADE=1 takes the newest)
	$(COMPILE) pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	echo "uv==$(UV_VERSION)" | $(COMPILE) - --no-annotate --output-file requirements/uv.txt

# Compiled, because imports without bytecode take seconds and the environment may forbid writing it.
$(INSTALLED): requirements/dev.txt $(UV)
	$(UV) pip sync --quiet --python $(PYTHON) --require-hashes --compile-bytecode $<
	@touch $@

$(UV): requirements/uv.txt | .venv/bin/pip
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venv/bin/pip:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
		$$python -c '$(SUPPORTED)' 2>/dev/null || continue; \
		$$python -m venv --clear .venv && exit 0; \
		echo "$$python cannot make a virtual environment."; \
		echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; \
	done; \
	echo "There is no Python from 3.11 to 3.14 here. Install one, for example:"; \
	echo "  apt-get install python3 python3-venv   or   brew install python@3.14"; exit 1
