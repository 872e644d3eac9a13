# gliowatch. `make demo` shows the main job, `make test` and `make test-long` prove it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-long lint types layers unit faults scale release clean

demo: $(VENV)/.installed
	$(BIN)/python -m tools.demo

test: lint types layers unit

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

layers: $(VENV)/.installed-dev
	$(BIN)/lint-imports

# Three files of tests at a time: they wait for processes more than they compute, each with one thread.
unit: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --durations 10 -m "not long"

# Real counterparts (Orthanc, DCMTK), browsers, fuzz, and the fault suite at a small scale.
test-long: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations 10 -m long

# The long form of tests/faults/test_short_form.py: hours, and as root, since it mounts small disks.
FAULTS ?= --markdown faults.md --json faults.json
faults: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults $(FAULTS)

# How fast an index of a million scans is read; beside waitress and Flask, which nothing else needs.
SCALE ?= --markdown scale.md --json scale.json
scale: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[scale]"
	$(BIN)/python -m tests.scale $(SCALE)

# Wheel, sdist, SBOM, licences and checksums into dist/, or what is missing; it tags nothing.
release: $(VENV)/.installed-dev
	$(BIN)/python -m tools.release

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gliowatch needs Python 3.11 or later: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing; this takes half a minute ..."
	$(BIN)/python -m pip install -q --no-compile --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) demo build dist *.egg-info
