# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lint types imports tests quality train clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "%-10s %s\n", $$1, $$2}'

setup: $(VENV)/.ready ## Create the environment in .venv

$(VENV)/.ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV) (a few minutes the first time)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "Python 3.11 is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check \
	  -e '.[worker,train,api,flower,dev]' -c constraints.txt
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

tests: setup
	@$(BIN)/python -m pytest

quality: setup ## Measure the shipped models: make quality DATA=folder; writes docs/quality.md
	@test -n "$(DATA)" || { echo "usage: make quality DATA=folder with the data sets" >&2; exit 2; }
	@$(BIN)/python -m workers.quality.moderation --data "$(DATA)" --out docs/quality.md

train: setup ## Train the default moderation model: make train DATA=folder
	@test -n "$(DATA)" || { echo "usage: make train DATA=folder with the data sets" >&2; exit 2; }
	@$(BIN)/python -m workers.training.moderation --data "$(DATA)"

clean: ## Remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
