# `make` lists the targets. Everything runs in .venv, which `make setup` creates from requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup prepare audit train test check gradcam sweep evaluate predict compare report lint types docs bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=\"key=value ...\" passes overrides, e.g. make train ARGS=\"model=resnet50 seed=1\""

setup: .venv/ready ## Create .venv with the locked versions

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"xray needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Try: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock -e .
	@touch $@

prepare: setup ## Download, arrange and audit a public dataset: ARGS="source=kermany [path=<file>]"
	$(BIN)/python -m xray.prepare $(ARGS)

audit: setup ## Find duplicates, leaks and bad files: ARGS="data=folder data.root=<folder>"
	$(BIN)/python -m xray.audit $(ARGS)

train: setup ## Fine-tune VGG16 on phantoms (no download), test it, draw overlays
	$(BIN)/python -m xray.train experiment=demo $(ARGS)

test: setup ## Run lint, type checks, the import contract and all tests with coverage
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# One test process per core and one thread in each: idle threads would spin and slow the others down.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term $(ARGS)

check: setup ## Lint, types, import contract and the quick tests
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal -q -m "not slow" $(ARGS)

gradcam: setup ## Draw overlays of the newest run's test images, COVID-19 first
	$(BIN)/python -m xray.gradcam $(ARGS)

sweep: setup ## Run a small sweep over learning rate and dropout
	$(BIN)/python -m xray.train -m experiment=demo optim.lr=1e-3,1e-4 model.head.dropout=0.2,0.5 $(ARGS)

evaluate: setup ## Test the newest run's best checkpoint again
	$(BIN)/python -m xray.evaluate $(ARGS)

predict: setup ## Predict images, labeled or not: ARGS="input=<file or folder> [run=<dir>]"
	$(BIN)/python -m xray.predict $(ARGS)

report: setup ## Write the newest run's report again
	$(BIN)/python -m xray.report $(ARGS)

compare: setup ## Compare runs: ARGS="sweep=<dir>" or ARGS="runs=[<dir>,<dir>]"
	$(BIN)/python -m xray.compare $(ARGS)

lint: setup ## Run ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## Run mypy --strict and check the import contract
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: setup ## Build the documentation into site/ (warnings are errors)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: setup ## Measure speed against a plain loop and the machine's limits: ARGS="root=<folder> n=512 only=head"
	$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## Remove .venv and tool caches; outputs/ stays
	rm -rf .venv dist build site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
