# `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := nf/southbound/southbound.proto nf/runtime/flow_state.proto nf/asset_monitor/state.proto
PROTOS_PY := $(PROTOS:.proto=_pb2.py)
P4_SOURCES := $(shell find p4src -name '*.p4')
P4_BUILD := p4src/build

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SHELLFLAGS := -eu -c

.PHONY: help
help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what everything else needs ------------------------------------------------

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo 'Python 3.11 or later is needed; name one with PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	    || { echo 'no venv: install the package python3-venv' >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps ptf
	touch $@

$(PROTOS_PY): %_pb2.py: %.proto $(VENV)/installed
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. $<
	touch $@

.PHONY: setup setup-dev
setup: $(PROTOS_PY)  ## Make the virtual environment and the generated code.
setup-dev: setup $(VENV)/installed-dev  ## The same, with what the tests need.

# --- checks --------------------------------------------------------------------

.PHONY: format lint types
format: setup-dev  ## Format the Python code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup-dev  ## Check format and lint.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup-dev  ## Check types, strictly.
	$(BIN)/basedpyright

# --- the P4 program -------------------------------------------------------------

.PHONY: p4
p4: $(P4_BUILD)/uhaul.json  ## Rebuild the P4 program (needs p4c) and the constants made from it.

$(P4_BUILD)/uhaul.json: $(P4_SOURCES) p4src/generate_constants.py p4src/build.py
	$(PYTHON) p4src/generate_constants.py
	$(PYTHON) p4src/build.py

# --- the test bed, the demo and the benchmark -------------------------------------

# A killed make takes along what it has started: --die-with-parent, and exec so that
# no shell stands between the two.
TARGET ?= auto
LOAD_OPTIONS = --target $(TARGET) $(if $(SCALE),--scale $(SCALE)) $(if $(RATE),--rate $(RATE)) \
    $(if $(SEED),--seed $(SEED)) $(if $(DURATION),--duration $(DURATION)) --die-with-parent

.PHONY: run-bmv2 demo bench
run-bmv2: setup  ## Run switch, instances, controller and load (TARGET, SCALE, RATE, SEED).
	@exec $(BIN)/python -m testbed run $(LOAD_OPTIONS)

demo: setup  ## Move all flows, then only elephants (TARGET, DURATION, SCALE, RATE, SEED).
	@exec $(BIN)/python -m experiments.demo $(LOAD_OPTIONS)

bench: setup  ## Measure packets per second of the switch targets.
	@exec $(BIN)/python -m experiments.bench --die-with-parent
