# `make` lists the targets. Everything runs in .venv, which `make setup` builds from the lock.
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup prepare audit train test gradcam sweep evaluate compare lint types bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=\"key=value ...\" passes overrides, e.g. make train ARGS=\"model=resnet50 seed=1\""

setup: .venv/ready ## Build .venv with the locked versions

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"xray needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Try: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock -e .
	@touch $@

prepare: setup ## Fetch, lay out and audit a public dataset: ARGS="source=kermany [path=<file>]"
	$(BIN)/python -m xray.prepare $(ARGS)

audit: setup ## Duplicates, leaks, bad files: ARGS="data=folder data.root=<folder>"
	$(BIN)/python -m xray.audit $(ARGS)

train: setup ## Fine-tune VGG16 on phantoms (no download), test it, draw Grad-CAM overlays
	$(BIN)/python -m xray.train experiment=demo $(ARGS)

test: setup ## Lint, types, import contract, then all tests with coverage
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# A test process a core, and one thread in each and in what it starts: threads that wait for a core spin.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term $(ARGS)

gradcam: setup ## Overlays of the newest run's test images, COVID-positive first
	$(BIN)/python -m xray.gradcam $(ARGS)

sweep: setup ## A multirun over learning rate and dropout, with a table at the end
	$(BIN)/python -m xray.train -m experiment=demo optim.lr=1e-3,1e-4 model.head.dropout=0.2,0.5 $(ARGS)

evaluate: setup ## Test the newest run's best checkpoint again
	$(BIN)/python -m xray.evaluate $(ARGS)

compare: setup ## Runs side by side: ARGS="sweep=<dir>" or ARGS="runs=[<dir>,<dir>]"
	$(BIN)/python -m xray.compare $(ARGS)

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict, and the import contract
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup ## Ratios against a plain loop and the machine's limits: ARGS="root=<folder> n=512 only=head"
	$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## Remove .venv and tool caches; outputs/ stays
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
