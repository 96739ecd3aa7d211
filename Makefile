# All commands of this repository, in groups. `make help` lists them.

UV_VERSION := 0.13.9
PYTHON := .venv/bin/python
UV := .venv/bin/uv
INSTALLED := .venv/.installed
ARGS ?=

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# Use the Python that is installed; download none.
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help

##@ Run the whole system on this machine

.PHONY: demo
demo: install ## Start the system if it is down, make payments, and show how they end (GATEWAY=stripe, CHECKOUT=hosted)
	@$(PYTHON) -m devstack demo

.PHONY: up
up: install ## Start the whole system, or the parts of it that are down (OBSERVE=1: with Prometheus)
	@$(PYTHON) -m devstack up

.PHONY: down
down: install ## Stop the whole system; the data stays
	@$(PYTHON) -m devstack down

.PHONY: status
status: install ## Show each process, its address, and since when it runs
	@$(PYTHON) -m devstack status

.PHONY: logs
logs: install ## Show the last lines of the logs (ARGS="-f worker" follows the log of the worker)
	@$(PYTHON) -m devstack logs $(ARGS)

.PHONY: reset
reset: install ## Stop the whole system and delete its data
	@$(PYTHON) -m devstack reset

##@ Look at the running system

.PHONY: latency
latency: install ## Measure how long one payment takes on the running system
	@set -a; . .devstack/env; $(PYTHON) -m benchmarks.latency

.PHONY: audit
audit: install ## Compare what gateway, PostgreSQL, Kafka, Temporal and Ordering have recorded
	@set -a; . .devstack/env; $(PYTHON) -m audit $(ARGS)

##@ Measure

.PHONY: load
load: install ## Measure payments a second, latency and costs with CALLERS=n for DURATION=n seconds (COMPARE=revision, or ROWS=n payments, or OBSERVE=metrics or traces)
	@$(PYTHON) -m benchmarks.load $(if $(CALLERS),--callers $(CALLERS)) $(if $(DURATION),--duration $(DURATION)) $(if $(COMPARE),--compare $(COMPARE)) $(if $(ROWS),--rows $(ROWS)) $(if $(OBSERVE),--observe $(OBSERVE)) $(ARGS)

##@ Develop

.PHONY: help
help: ## List these targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: install
install: $(INSTALLED) ## Install the Python packages into .venv (the other targets do it when needed)

.PHONY: check
check: install ## Check style, types and import direction
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: format
format: install ## Format the code, and fix what ruff can fix
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

.PHONY: unit
unit: install ## Run the tests that start no server
	$(PYTHON) -m pytest tests/unit -n 2 -m "not proof" $(ARGS)

.PHONY: test
test: install ## Run all tests but the long ones (ARGS="-k refund" selects some)
	$(PYTHON) -m pytest -n 3 -m "not proof" $(ARGS)

.PHONY: coverage
coverage: install ## Run these tests, and show which lines and branches none of them runs in its process
	$(PYTHON) -m pytest -n 2 -m "not proof" --cov --cov-report=term-missing:skip-covered $(ARGS)

.PHONY: contract
contract: install ## Write docs/openapi.json and docs/asyncapi.json
	@$(PYTHON) -m tests.support.contract

.PHONY: lock
lock: $(UV) ## Pin the dependencies of pyproject.toml (UPGRADE=1 takes the newest)
	$(COMPILE) pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) pyproject.toml --constraint requirements/dev.txt --output-file requirements/runtime.txt
	echo "uv==$(UV_VERSION)" | $(COMPILE) - --no-annotate --output-file requirements/uv.txt

##@ Prove (minutes to hours)

.PHONY: proof
proof: install ## Run the long tests, and a short part of each proof below (half an hour at most)
	$(PYTHON) -m pytest -n 2 -m proof
	$(PYTHON) -m tests.proofs.simulation --part 1/200 --runs 20000
	$(PYTHON) -m tests.proofs.hostile --answers 10000 --webhooks 10000 --payments 300
	$(PYTHON) -m tests.proofs.fuzz --inputs 50000 --examples 20
	$(PYTHON) -m tests.proofs.chaos --payments 300 --away 0
	$(PYTHON) -m tests.proofs.chaos --payments 100 --away 0 --gateway stripe
	$(PYTHON) -m tests.proofs.overload --seconds 10
	$(PYTHON) -m tests.proofs.migrating --rows 100000
	$(PYTHON) -m tests.proofs.planted --part 1/25

.PHONY: simulate
simulate: install ## Try every pair of faults on simulated services, and RUNS=n random cases (GATEWAY=stripe)
	$(PYTHON) -m tests.proofs.simulation $(if $(RUNS),--runs $(RUNS)) $(if $(GATEWAY),--gateway $(GATEWAY)) $(ARGS)

.PHONY: hostile
hostile: install ## Send wrong responses to the adapters (ANSWERS=n), wrong WEBHOOKS=n, then wrong responses to PAYMENTS=n; from SEED=n on
	$(PYTHON) -m tests.proofs.hostile $(if $(ANSWERS),--answers $(ANSWERS)) $(if $(WEBHOOKS),--webhooks $(WEBHOOKS)) $(if $(PAYMENTS),--payments $(PAYMENTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: chaos
chaos: install ## Pay PAYMENTS=n orders while processes and connections break, then audit (GATEWAY=stripe)
	$(PYTHON) -m tests.proofs.chaos $(if $(PAYMENTS),--payments $(PAYMENTS)) $(if $(GATEWAY),--gateway $(GATEWAY)) $(ARGS)

.PHONY: fuzz
fuzz: install ## Send hostile requests (INPUTS=n) and examples made from OpenAPI (EXAMPLES=n), then audit
	$(PYTHON) -m tests.proofs.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(EXAMPLES),--examples $(EXAMPLES)) $(ARGS)

.PHONY: overload
overload: install ## Send ten times the load that the system can serve, and measure what it serves
	$(PYTHON) -m tests.proofs.overload $(ARGS)

.PHONY: migrating
migrating: install ## Migrate a table of ROWS=n rows (a million) under load, and measure how long writers wait
	@$(PYTHON) -m tests.proofs.migrating $(if $(ROWS),--rows $(ROWS))

.PHONY: planted
planted: install ## Plant each known bug in a copy, and check that a test catches it (ARGS="--only refund")
	@$(PYTHON) -m tests.proofs.planted $(ARGS)

##@ Install what some tests need

.PHONY: browser
browser: install ## Install Chromium for the browser tests, if it is missing (Debian)
	@$(PYTHON) -m tests.support.programs browser

.PHONY: pgbouncer
pgbouncer: install ## Install PgBouncer for its tests, if it is missing (Debian)
	@$(PYTHON) -m tests.support.programs pgbouncer

.PHONY: prometheus
prometheus: install ## Unpack Prometheus for the tests of the alerts, if it is missing (Debian)
	@$(PYTHON) -m tests.support.programs prometheus

# With bytecode: imports without it take seconds, and the environment may forbid writing it later.
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
