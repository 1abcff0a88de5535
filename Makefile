# The commands of the project. Nothing is needed but make and Python 3.11 or newer with venv;
# everything else is installed, from hash-pinned locks, into .venv.

CONFIG ?= routes.yaml
PORT ?= 8000
ADMIN_PORT ?= 8001
# More of the command line, e.g. make run SERVE="--host 0.0.0.0"; make test TESTS="tests/unit -k retry"
SERVE ?=
TESTS ?=
BENCH ?=
FIRE ?=
DURATION ?= 600
JOBS ?= 2
# Read by scripts/find-python: the Python to make .venv with. Empty: the newest that works.
PYTHON ?=
export PYTHON

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES = $(wildcard proxy mock_upstreams bench)

# A tree that was copied together with its environment must not run the original's code,
# and an environment whose Python was removed cannot run at all (wildcard sees no dangling link).
ifneq ($(shell cat $(VENV)/.path 2>/dev/null)$(wildcard $(BIN)/python),$(shell pwd -P)$(BIN)/python)
.PHONY: $(READY)
endif

.DEFAULT_GOAL := help
.PHONY: help run test check lint audit types bench fire soak lock format clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: $(READY) ## start the mock upstreams and the gateway (CONFIG=, PORT=, ADMIN_PORT=, SERVE=); Ctrl-C stops both
	@$(BIN)/python scripts/run.py all -- serve --config $(CONFIG) --port $(PORT) --admin-port $(ADMIN_PORT) $(SERVE)

test: lint types ## everything that must pass: lint, types, tests, branch coverage (TESTS=, JOBS=)
	$(BIN)/python -m pytest -n $(JOBS) --cov --cov-report=term $(TESTS)

check: lint types ## lint, types, and routes.yaml itself, with the tests in it
	$(BIN)/proxy-composer check $(CONFIG)
	$(BIN)/proxy-composer test $(CONFIG)

lint: $(READY) ## ruff: rules and format; bandit: what is known to be unsafe
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit -q -r --severity-level medium proxy mock_upstreams

audit: $(READY) ## look the locked versions up among known vulnerabilities (needs the network; AUDIT=strict: all of them)
	$(BIN)/python scripts/audit.py

types: $(READY) ## mypy, strict
	$(BIN)/mypy $(SOURCES)

format: $(READY) ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## this gateway beside others, about ten minutes (BENCH="small --rounds 9" and the like; docs/performance.md)
	$(BIN)/python -m bench $(BENCH)

fire: $(READY) ## 100 reloads and 20 replacements of the process under 500 requests/s; nothing may fail (FIRE="--workers 2")
	$(BIN)/python -m bench.fire $(FIRE)

soak: $(READY) ## ten minutes of load, drawn as docs/soak.svg (DURATION= in seconds)
	$(BIN)/python -m bench.soak --seconds $(DURATION)

lock: ## resolve setup.cfg anew into requirements/*.lock (needs the network); UPGRADE=1 takes newer versions
	scripts/lock $(if $(UPGRADE),--upgrade)

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements/dev.lock setup.cfg pyproject.toml scripts/set-up
	@scripts/set-up $(VENV)
