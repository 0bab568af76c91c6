# Everything about Limner that is more than one command. `make` alone lists the targets.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/limner-setup
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format evaluate-embedded train clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Make .venv with everything that Limner, its tests and its training need

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Limner needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/python"; exit 1; }
	@echo "==> Setting up $(VENV): the first time this fetches several GB, most of it torch"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
	@echo "==> $(VENV) is ready"

demo: $(STAMP) ## Build the sample library and compose three articles into demo/
	@echo "==> Running the demo"
	@$(BIN)/limner demo --out demo

test: $(STAMP) ## Run the tests; ARGS="-k index" goes to pytest
	@echo "==> Running the tests"
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 $(ARGS)

lint: $(STAMP) ## Check format, style and types
	@echo "==> Checking the format"
	@$(BIN)/ruff format --check .
	@echo "==> Checking the style"
	@$(BIN)/ruff check .
	@echo "==> Checking the types"
	@$(BIN)/basedpyright

format: $(STAMP) ## Bring the code into its format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

evaluate-embedded: $(STAMP) ## Measure the embedded models on what was held out from their training
	@echo "==> Evaluating the embedded models"
	@$(BIN)/python -m training.evaluate

train: $(STAMP) ## Train the embedded models anew: hours on two processors
	@echo "==> Training nano-clip, then nano-vlm; an interrupted training goes on"
	@$(BIN)/python -m training.pictures
	@$(BIN)/python -m training.nano_clip
	@$(BIN)/python -m training.nano_vlm

clean: ## Remove what was built: .venv, caches, the demo
	@rm -rf $(VENV) build dist demo *.egg-info .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
