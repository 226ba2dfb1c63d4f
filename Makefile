# Commands for a bare clone and Python 3.11 or newer: `make demo`, `make study`, `make test`.
PYTHON ?= python3
VENV ?= .venv
DATA ?= prior
PLAN ?= quick
# Windows has other folders in a virtual environment; make needs a shell such as Git's there.
ifeq ($(OS),Windows_NT)
IN := Scripts
EXE := .exe
else
IN := bin
EXE :=
endif
BIN := $(VENV)/$(IN)
PIP := $(BIN)/python -m pip install --quiet -c constraints.txt
# DATA=path/ and DATA=path are one folder.
FOLDER := studies/$(PLAN)-$(notdir $(patsubst %/,%,$(DATA)))
ALL := train,report,formats,h36m,video,viewer,serve
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo study test check types lint kernels audit versions versions-newest versions-oldest docs tables clean

# Detector, a video of a person, and what becomes of it: BVH, GLB, a page to look at, a drawn video.
demo: $(BIN)/.installed-demo
	$(BIN)/graphlift model get blazepose
	$(BIN)/python recipes/get_films.py demo/films
	$(BIN)/graphlift lift demo/films/cam01.mp4 -o demo/cam01.npz -o demo/cam01.bvh -o demo/cam01.glb \
	  -o demo/cam01.html
	$(BIN)/graphlift render demo/films/cam01.mp4 demo/cam01.npz -o demo/cam01-drawn.mp4
	@echo "open demo/cam01.html in a browser"

study: $(BIN)/.installed-study
	$(BIN)/graphlift study run $(PLAN) --data $(DATA) --out $(FOLDER)
	$(BIN)/graphlift study report $(FOLDER) --table

test: $(BIN)/.installed-test
	$(MAKE) --no-print-directory check

# What `make test` checks once everything is installed.
check:
	$(MAKE) --no-print-directory -j2 types lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -q
	$(MAKE) --no-print-directory kernels

types:
	$(BIN)/mypy

lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml src
	$(BIN)/lint-imports
	$(BIN)/repo-review .

# The numeric tests once more, as other processors compute them.
kernels:
	$(BIN)/python tests/kernels.py

# Outside the gate, because it asks a service on the Internet: known faults of the pinned packages.
audit:
	$(PYTHON) -m venv --clear $(VENV)-audit
	$(VENV)-audit/$(IN)/python -m pip install --quiet pip-audit
	$(VENV)-audit/$(IN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

# Outside the gate: the suite with the newest and with the oldest dependencies that pyproject.toml
# allows, as uv resolves them. TORCH is a version of which pip finds a build for the CPU. Old
# packages warn of newer ones that they need in turn: warnings are no errors here.
TORCH ?= torch==2.13.0
versions: versions-newest versions-oldest

versions-newest: RESOLUTION := highest
versions-oldest: RESOLUTION := lowest-direct
versions-newest versions-oldest: versions-%:
	$(PYTHON) -m venv --clear $(VENV)-$*
	$(VENV)-$*/$(IN)/python -m pip install --quiet --upgrade uv 'pip>=25.1'
	echo '$(TORCH)' | $(VENV)-$*/$(IN)/uv pip compile --quiet pyproject.toml --all-extras --group dev \
	  --resolution $(RESOLUTION) --constraint - --output-file $(VENV)-$*/constraints.txt
	$(VENV)-$*/$(IN)/python -m pip install --quiet -c $(VENV)-$*/constraints.txt -e '.[$(ALL)]' --group dev
	OMP_NUM_THREADS=1 $(VENV)-$*/$(IN)/python -m pytest -n 2 -q -W default

$(BIN)/python$(EXE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "graphlift needs Python 3.11 or newer: make PYTHON=/path/to/python $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python$(EXE)
	$(PIP) -e '.[video,viewer]'
	@touch $@

$(BIN)/.installed-study: pyproject.toml constraints.txt | $(BIN)/python$(EXE)
	$(PIP) -e '.[train,report]'
	@touch $@

$(BIN)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python$(EXE)
	$(PIP) --upgrade pip  # dependency groups need 25.1
	$(PIP) -e '.[$(ALL)]' --group dev
	@touch $@ $(BIN)/.installed-demo $(BIN)/.installed-study

# The site, in build/site; a warning is an error.
docs: $(BIN)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# Every table of docs/ that needs only motion capture (MOCAP=DIR), written anew: after other weights.
MOCAP ?= ../shared/mocap
FIRST := recipes/weights/open-pre-agg.onnx recipes/weights/open-small-1.onnx
FILL := OMP_NUM_THREADS=1 $(BIN)/python benchmarks
tables: $(BIN)/.installed-study
	$(FILL)/strata.py $(MOCAP) open-base open-small $(FIRST) --docs docs/strata.md
	$(FILL)/accuracy.py $(MOCAP) open-base open-small $(FIRST) --docs docs/accuracy-tables.md \
	  --figure docs/figures/accuracy.png
	$(FILL)/half_bodies.py $(MOCAP) open-base open-small $(firstword $(FIRST)) --docs docs/half-bodies.md
	$(FILL)/motion_steps.py $(MOCAP) --model open-base --docs docs/motion-steps.md
	$(FILL)/refinement.py --data $(MOCAP) --model open-base --docs docs/refinement.md
	$(FILL)/clips.py $(MOCAP) open-base open-small $(firstword $(FIRST)) --docs docs/whole-clips.md
	$(FILL)/shared_floor.py $(MOCAP) --model open-base --docs docs/sizes.md
	$(FILL)/rig_turns.py $(MOCAP) --docs docs/formats-out.md

$(BIN)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python$(EXE)
	$(PIP) --upgrade pip
	$(PIP) -e . --group docs
	@touch $@

clean:
	rm -rf $(VENV) $(VENV)-audit $(VENV)-newest $(VENV)-oldest demo studies build
