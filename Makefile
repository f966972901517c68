# make demo | setup | test | check | ui | bench | finetune RECIPE=name | tune RECIPE=name | compare RECIPE=name
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
RECIPE ?= reviews
# Tests without a daemon run in as many processes, each of which takes a core and up to 3 GB.
WORKERS ?= 2

.PHONY: setup demo finetune tune compare ui test check bench

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: setup
	@$(BIN)/luthier run reviews

finetune: setup
	@$(BIN)/luthier run $(RECIPE)

tune: setup
	@$(BIN)/luthier tune $(RECIPE)

compare: setup
	@$(BIN)/luthier compare $(RECIPE)

ui: setup
	@$(BIN)/luthier ui

test: setup
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/e2e
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/e2e

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m dagster definitions validate --workspace workspace.yaml
	$(BIN)/luthier recipe check

bench: setup
	$(BIN)/python benchmarks/training_speed.py
	$(BIN)/python benchmarks/data_scale.py
	$(BIN)/python benchmarks/naive_split.py questions
	$(BIN)/python benchmarks/memory_estimate.py
	$(BIN)/python benchmarks/tuning_cost.py
	$(BIN)/python benchmarks/serving_speed.py
