# `make` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROTOS := nf/southbound/southbound.proto nf/runtime/flow_state.proto nf/asset_monitor/state.proto
PROTOS_PY := $(PROTOS:.proto=_pb2.py)
DECODER := controlplane/registers/libcells.so
P4_SOURCES := $(shell find p4src -name '*.p4')
P4_BUILD := p4src/build
OTHER_PROGRAMS := tests/programs experiments/bench_switch/program

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SHELLFLAGS := -eu -c
# Tests and measurements are not to share the machine with each other, with -j neither.
.NOTPARALLEL:

.PHONY: help
help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- what everything else needs ------------------------------------------------

# What is imported is compiled then; most of it never is.
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo '$(PYTHON) is not Python 3.11 or later: name one with PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo '$(PYTHON) has no venv: install the package python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP_INSTALL) -e '.[dev]'
	$(PIP_INSTALL) --no-deps ptf
	touch $@

$(PROTOS_PY): %_pb2.py: %.proto $(VENV)/installed
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. $<
	touch $@

$(DECODER): controlplane/registers/cells.c
	$(CC) -O2 -Wall -Wextra -shared -fPIC $< -o $@

.PHONY: setup setup-dev clean
setup: $(PROTOS_PY) $(DECODER)  ## Make the virtual environment and the generated code.
setup-dev: setup $(VENV)/installed-dev  ## The same, with what the tests need.

clean:  ## Remove everything that was made: environments, generated code, results.
	rm -rf .venv .venv-shell .cache .run out *.egg-info
	rm -rf .hypothesis .pytest_cache .ruff_cache
	rm -f $(DECODER) $(PROTOS_PY) $(PROTOS_PY:.py=.pyi) $(PROTOS_PY:_pb2.py=_pb2_grpc.py)
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- checks --------------------------------------------------------------------

# A target that is named here and missing fails its tests; any other is skipped.
export REQUIRE_TARGETS ?= embedded

ON_ALL_CORES := -n auto --dist worksteal

# As root or not, in namespaces of its own; a killed make takes it along.
SANDBOX := exec $(BIN)/python -m bmv2.tether $$PPID $(BIN)/python -m testbed.sandbox

.PHONY: test format lint types unit ptf differential integration conformance
test: lint types unit ptf integration  ## Run all checks and tests.

format: setup-dev  ## Format the Python code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: setup-dev  ## Check format and lint.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: setup-dev  ## Check types, strictly.
	$(BIN)/basedpyright

unit: setup-dev  ## Run the tests that need no network.
	$(BIN)/pytest -q $(ON_ALL_CORES) tests/unit

ptf: setup-dev  ## Run the tests of the P4 program, packet by packet, on every switch target.
	@$(SANDBOX) $(BIN)/pytest -q $(ON_ALL_CORES) tests/ptf

differential: setup-dev  ## Compare the embedded switch with simple_switch_grpc on small P4 programs.
	@$(SANDBOX) $(BIN)/pytest -q tests/differential

# A test bed with BMv2 needs all cores for itself.
# In the sandbox there is no network to install p4runtime-shell from; its test then skips.
integration: setup-dev  ## Run the tests of the whole system on live namespaces.
	-@$(BIN)/python -c 'from pathlib import Path; from controlplane.cli.shell import environment; \
	    environment(Path.cwd())'
	@$(SANDBOX) $(BIN)/pytest -q $(ON_ALL_CORES) -k 'not simple_switch' tests/integration
	@$(SANDBOX) $(BIN)/pytest -q -k simple_switch tests/integration

# Programs that p4c has built, ours and the small ones of the tests.
FUZZ_SECONDS ?= 60
FUZZ_SEED ?= 1

.PHONY: fuzz
fuzz: setup  ## Look for packets that crash the embedded switch (FUZZ_SECONDS, FUZZ_SEED).
	@exec $(BIN)/python -m bmv2 fuzz $(P4_BUILD)/uhaul.json tests/programs/build/*.json \
	    --seconds $(FUZZ_SECONDS) --seed $(FUZZ_SEED)

.PHONY: model-check
model-check: setup  ## Walk through every interleaving of a move in its Promela model (needs spin).
	@exec $(BIN)/python -m experiments.model_check

conformance: setup  ## Play the STF scripts of a directory on the embedded switch (SAMPLES).
	@[ -n "$(SAMPLES)" ] || { echo 'name a directory with SAMPLES=…' >&2; exit 1; }
	@exec $(BIN)/python -m bmv2 stf --directory "$(SAMPLES)"

# --- the P4 program -------------------------------------------------------------

.PHONY: p4
p4: $(P4_BUILD)/uhaul.json  ## Rebuild the P4 program (needs p4c) and the constants made from it.

$(P4_BUILD)/uhaul.json: $(P4_SOURCES) p4src/generate_constants.py p4src/build.py
	$(PYTHON) p4src/generate_constants.py
	$(PYTHON) p4src/build.py

# Those of the tests and of the benchmark.
.PHONY: other-programs
other-programs:  ## Rebuild all other P4 programs (needs p4c).
	for directory in $(OTHER_PROGRAMS); do $(PYTHON) p4src/build.py $$directory; done

# --- the test bed, the demo and the benchmark -------------------------------------

# A killed make takes along what it has started: --die-with-parent, and exec so that
# no shell stands between the two.
TARGET ?= auto
LOAD_OPTIONS = --target $(TARGET) $(if $(SCALE),--scale $(SCALE)) $(if $(RATE),--rate $(RATE)) \
    $(if $(SEED),--seed $(SEED)) $(if $(DURATION),--duration $(DURATION)) --die-with-parent

.PHONY: run-bmv2 demo chaos bench bench-switch bench-move
run-bmv2: setup  ## Run switch, instances, controller, load (TARGET, DURATION, SCALE, RATE, SEED, INSTANCES).
	@exec $(BIN)/python -m testbed run $(LOAD_OPTIONS) $(if $(INSTANCES),--instances $(INSTANCES))

demo: setup  ## Move all flows, then elephants (TARGET, DURATION, SCALE, RATE, SEED, GUARANTEE, KEEP_AT, STRATEGIES).
	@exec $(BIN)/python -m experiments.demo $(LOAD_OPTIONS) \
	    $(if $(GUARANTEE),--guarantee $(GUARANTEE)) $(if $(KEEP_AT),--keep-at $(KEEP_AT)) \
	    $(if $(STRATEGIES),--trials $(STRATEGIES))

ROUNDS ?= 200

chaos: setup  ## Kill, hang and cancel while flows move, on live traffic (TARGET, ROUNDS, SEED).
	@exec $(BIN)/python -m experiments.chaos --target $(TARGET) --rounds $(ROUNDS) \
	    $(if $(SEED),--seed $(SEED)) --die-with-parent

bench: bench-switch bench-move  ## Measure everything that is measured.

bench-switch: setup  ## Measure the switch targets: packets, latency, control plane.
	@exec $(BIN)/python -m experiments.bench_switch --die-with-parent

bench-move: setup  ## Measure moves: every strategy, guarantee and buffer place.
	@exec $(BIN)/python -m experiments.bench_move --die-with-parent $(BENCH_MOVE_ARGS)
