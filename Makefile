# Two commands for a bare clone and Python 3.11 or newer: `make study` and `make test`.
PYTHON ?= python3
VENV ?= .venv
DATA ?= prior
PLAN ?= quick
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet -c constraints.txt
# DATA=path/ and DATA=path are one folder.
FOLDER := studies/$(PLAN)-$(notdir $(patsubst %/,%,$(DATA)))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: study test check clean

study: $(BIN)/.installed-study
	$(BIN)/graphlift study run $(PLAN) --data $(DATA) --out $(FOLDER)
	$(BIN)/graphlift study report $(FOLDER) --table

test: $(BIN)/.installed-test
	$(MAKE) --no-print-directory check

# What `make test` checks once everything is installed.
check:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -q

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "graphlift needs Python 3.11 or newer: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed-study: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[train,report]'
	@touch $@

$(BIN)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[train,report,dev]'
	@touch $@ $(BIN)/.installed-study

clean:
	rm -rf $(VENV) studies
