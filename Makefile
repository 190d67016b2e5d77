# Every target makes what it needs: a virtual environment in .venv with the package installed editable, re-synced when
# pyproject.toml or constraints.txt change. PYTHON picks the interpreter, ONLY=name the benchmarks or claims to run.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
ONLY ?=
export HF_HUB_OFFLINE ?= 1

.PHONY: install quickstart test test-slow claims bench lint types docs clean

install: .venv/.synced

.venv/.synced: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch  # first and alone: a CPU build that is already there is kept
	$(PIP) --editable '.[train,embed,dev]'
	touch $@

.venv/.bench: .venv/.synced
	$(PIP) --editable '.[bench]'
	$(PIP) --no-deps arena-rank==0.1.1  # it pins older versions of NumPy and JAX, but runs with these
	touch $@

.venv/.docs: .venv/.synced
	$(PIP) --editable '.[docs]'
	touch $@

quickstart: install
	$(BIN)/zermelo quickstart

# two processes, a file's tests together; models under test are tiny and use one thread each
test: install
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: install
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

claims: install
	$(BIN)/zermelo claims run $(if $(ONLY),$(ONLY),--all) --keep

bench: .venv/.bench
	$(BIN)/python -m benchmarks.run $(if $(ONLY),--only $(ONLY))

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install
	$(BIN)/mypy

docs: .venv/.docs
	$(BIN)/python docs/generate.py
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv site runs
