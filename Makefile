# One word per task; `make help` explains them.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := packaging/requirements
VENDOR := controller/noc/static/vendor controller/documents/fonts
VENDORED := controller/noc/static/vendor/.done
NAME ?=
SEEDS ?= 1-20
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test check fmt bench sim year roads setup setup-test system-run system-test proto lock openapi coverage clean

help: ## Explain each word
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## Start everything on this machine, with a simulated M-PESA and a lab site; prints what to open
	@$(BIN)/lango trial $(ARGS)

test: setup-test ## All tests: pure, both databases, the kernel lab, the browser (ARGS="-k word" for some)
	@# What was compiled is kept, also where Python is told to keep none: workers and stories share it.
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m tests $(ARGS)

check: setup-test ## Formatting, lint and types; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

fmt: setup-test ## Format the code and fix what lint can fix
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup-test ## Measure against peers and limits (NAME=admission for one); one JSON line each
	@$(BIN)/python -m tests.bench $(NAME)

sim: setup-test ## Live simulated stories of a whole operator (SEEDS="7" or "1-100"); a failing seed replays
	@$(BIN)/python -m tests.simulation $(SEEDS)

year: setup-test ## A year of 10,000 subscribers, its books judged every night (ARGS="--seed 2 --days 90")
	@$(BIN)/python -m tests.simulation.year --subscribers 10000 $(ARGS)

roads: setup-test ## Every road by which money is told, with every fault (SEEDS="7" tells one run's story); 5,000 runs
	@$(BIN)/python -m tests.simulation.roads $(if $(filter command line environment,$(origin SEEDS)),$(SEEDS),1-5000)

coverage: setup-test ## Tests of the pure rules with branch coverage, which must be whole
	@$(BIN)/python -m pytest -q tests/billing --cov=billing --cov-branch --cov-fail-under=100

setup: system-run $(VENV)/.run $(VENDORED) ## System and Python packages and front-end files to run
	@# A start must not wait for the compiler, also where Python is told to keep no bytecode.
	@$(BIN)/python -m compileall -q agent billing controller portal proto/wirepb shaping

setup-test: system-test setup $(VENV)/.dev ## The same, and what tests need

system-run:
	@packaging/setup-system.sh run

system-test:
	@packaging/setup-system.sh test

$(VENV)/bin/python: | system-run
	@$(PYTHON) -c 'import sys; sys.exit("Lango needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(REQUIREMENTS)/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing Python packages ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(REQUIREMENTS)/dev.txt $(VENV)/.run
	@echo "Installing what tests need ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/dev.txt
	@touch $@

$(VENDORED): package-lock.json controller/vendor.py $(VENV)/.run | system-run
	@echo "Fetching front-end files ..."
	@npm ci --silent --no-audit --no-fund --ignore-scripts
	@$(BIN)/python -m controller.vendor
	@touch $@

proto: setup-test ## Write the generated wire code again
	@cd proto && PATH="$(CURDIR)/$(BIN):$$PATH" python -m grpc_tools.protoc -I. \
	    --python_out=. --mypy_out=. --grpc_python_out=. --mypy_grpc_out=. wirepb/v1/*.proto

openapi: setup ## Write docs/openapi.json again
	@$(BIN)/python -m controller.api.openapi

lock: ## Pin and hash the Python packages again (needs uv)
	@for part in run dev agent; do \
	    case $$part in \
	    run) of="--extra agent --extra controller --extra build" ;; \
	    dev) of="--extra agent --extra controller --extra build --extra dev -c $(REQUIREMENTS)/run.txt" ;; \
	    agent) of="--extra agent -c $(REQUIREMENTS)/run.txt" ;; \
	    esac; \
	    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	        --no-annotate --no-strip-extras --custom-compile-command "make lock" $$of \
	        pyproject.toml -o $(REQUIREMENTS)/$$part.txt; \
	done

clean: ## Remove what was built here: environment, front-end files, trial state
	@rm -rf $(VENV) node_modules $(VENDOR) build var
