# Every target is complete on a fresh machine with python3 (3.11 or newer) and make: it builds .venv first if need be.
# Another interpreter: make PYTHON=python3.12 …

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help venv demo test test-all lint format bench

help:
	@echo 'make venv      build .venv, nothing else'
	@echo 'make demo      train on handwritten digits, then read some with the saved weights (a few minutes)'
	@echo 'make test      lint, types, import rules and the fast tests (under ten minutes on two cores)'
	@echo 'make test-all  the slow tests too'
	@echo 'make lint      ruff, mypy, import-linter'
	@echo 'make format    let ruff lay out the code'
	@echo 'make bench     measure speed against the peers'

venv: $(READY)

# The stamp is written last: an environment whose building was interrupted is built again from the start.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'inceptions needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)' >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo 'Building .venv: a few minutes, most of them to download torch.'
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	@# A network to compare with, whose metadata asks for the torch of 2024.
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps facenet-pytorch==2.6.0
	@touch $@

# The folder is the demo's own, so it may start afresh each time.
demo: $(READY)
	rm -rf runs/demo
	$(BIN)/inceptions train --run runs/demo
	$(BIN)/inceptions predict runs/demo runs/demo/samples --top 1

# Two processes, each with one thread (tests/conftest.py): what the smallest machine has cores for.
test: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: lint
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'slow or not slow'

lint: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(READY)
	$(BIN)/python -m benchmarks
