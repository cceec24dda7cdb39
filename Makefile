# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
BENCH  := .venv-bench

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types imports tests contract gpu bench chaos quality train clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "%-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Create the environment in .venv

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  -e '.[worker,train,api,flower,parquet,dev]' -c constraints.txt
	@touch $@

demo: setup ## Moderate the shipped sample end to end on the embedded default
	@$(BIN)/python -m lepton_tasks.samples.demo

test: setup ## Set up, then everything CI runs
	@$(MAKE) --no-print-directory check

check: lint types imports tests ## Format, lint, types, import direction, tests

format: setup ## Rewrite the sources in the project's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports

# Two files of tests at a time: most of a test's time is waiting for processes to start and to end.
tests: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile

bench: setup $(BENCH)/.ready ## Measure against the peers: make bench [QUICK=1] [ONLY="queue model"]; writes docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks --peers $(BENCH)/bin/python \
	  $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# celery-batches asks for an older Celery than its peers here run, and works with theirs;
# mosec is left out where it does not install. The page names what was there.
$(BENCH)/.ready: tests/benchmarks/requirements.txt
	@echo "Setting up $(BENCH), the peers' environment (a few minutes the first time)"
	@test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check -r $<
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check --no-deps celery-batches==0.11
	@$(BENCH)/bin/python -m pip install -qq --disable-pip-version-check mosec==0.9.8 || \
	  echo "mosec does not install here: it is left out" >&2
	@touch $@

chaos: setup ## Break a running system on purpose: make chaos [DB=sqlite] [ONLY="faults poison"] [QUICK=1]; writes docs/reliability.md
	@$(BIN)/python -m tests.chaos $(if $(QUICK),--quick) $(if $(DB),--db $(DB)) \
	  $(if $(ONLY),--only $(ONLY))

contract: setup ## Hold the API to its OpenAPI document for longer: make contract [DB=sqlite] [EXAMPLES=500]
	@$(BIN)/python -m tests.support.described $(if $(DB),--db $(DB)) \
	  $(if $(EXAMPLES),--examples $(EXAMPLES))

gpu: setup ## Check the GPU against the CPU, on a machine that has one
	@$(BIN)/python -m pytest -m gpu tests/gpu

quality: setup ## Measure the shipped models: make quality DATA=folder [ONLY="moderation"]; writes docs/quality.md
	@test -n "$(DATA)" || { echo "usage: make quality DATA=folder with the data sets" >&2; exit 2; }
	@$(BIN)/python -m workers.quality --data "$(DATA)" --out docs/quality.md \
	  $(if $(ONLY),--only $(ONLY))

train: setup ## Train a default model anew: make train TASK=moderation DATA=folder
	@test -n "$(DATA)" || { echo "usage: make train TASK=task DATA=folder with the data sets" >&2; exit 2; }
	@$(BIN)/python -m workers.training.$(subst -,_,$(or $(TASK),moderation)) --data "$(DATA)"

clean: ## Remove the environment and caches
	@rm -rf $(VENV) $(BENCH) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
