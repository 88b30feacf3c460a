# `make help` lists the targets. Everything is installed into .venv; nothing outside this folder is touched.

PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
JOBS   ?= 2
NET    ?= 32-32-32
RUN    ?= runs/digits

BIN  := .venv/bin
PIP  := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CORE := .venv/.core-installed
FULL := .venv/.full-installed
DOCS := .venv/.docs-installed
# Where the wheel is tried: an environment that holds it and what it asks for, and nothing else.
ALONE := build/alone

.DEFAULT_GOAL := help
.PHONY: run test mutants lint docs wheel bench gpu figures figures-check figures-run clean help
.DELETE_ON_ERROR:

run: $(CORE)  ## record, export, plot, compare on the bundled digits, and a report of it (core packages only)
	$(BIN)/neurorules compare --rules sigprop,bptt,shallow --data digits --net $(NET) \
		--epochs 15 --batch-size 32 --seeds 3 --out $(RUN) --force
	$(BIN)/neurorules record $(RUN)/sigprop/seed0 --samples 10 --variables S,v --out $(RUN)/traces.h5 --force
	$(BIN)/neurorules export $(RUN)/traces.h5 --to npz --out $(RUN)/traces.npz
	$(BIN)/neurorules plot $(RUN)/traces.h5 --out $(RUN)/raster.png
	@echo "The report, open it in a browser: $(CURDIR)/$(RUN)/report.html"

test: $(FULL)  ## run the tests (JOBS=2 workers; all extras are installed)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

mutants: $(FULL)  ## break the code on purpose, break by break: do the tests see it? (ONLY=exports: one subject; 95 % must be seen)
	$(BIN)/python tests/mutants/mutant_round.py --jobs $(JOBS) $(if $(ONLY),--only '$(ONLY)')

lint: $(FULL)  ## ruff, formatting, types, and the floors of the house
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy neurorules hardware_models
	$(BIN)/lint-imports

docs: $(DOCS)  ## build the site of the documents into build/docs; every page of its gallery runs (minutes; asks no network)
	$(BIN)/python -m sphinx -W --keep-going -n -q -d build/doctrees docs build/docs
	@echo "The site, open it in a browser: $(CURDIR)/build/docs/index.html"

wheel: .venv/bin/python  ## build the wheel into dist/, install it alone in a new environment, and make a report with it in an empty folder
	rm -rf build dist *.egg-info
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	$(BIN)/python -m venv $(ALONE)
	$(ALONE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(ALONE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt dist/neurorules-*.whl
	mkdir $(ALONE)/empty
	cd $(ALONE)/empty && env -u PYTHONPATH ../bin/neurorules compare --rules sigprop,bptt,shallow --data digits \
		--net 16 --epochs 1 --out side
	test -s $(ALONE)/empty/side/report.html
	cd $(ALONE)/empty && env -u PYTHONPATH ../bin/neurorules --version
	rm -rf build *.egg-info
	@echo "The wheel runs by itself: $$(ls dist/neurorules-*.whl)"

bench: $(FULL)  ## a training step beside snnTorch and bare products
	$(BIN)/python benchmarks/training_step.py

gpu:  ## on a machine with a GPU, torch and triton: the CUDA tests, then figures, into runs/gpu.json (ten minutes; no .venv)
	@$(or $(PYTHON),python3) benchmarks/gpu.py --tests --out runs/gpu.json

figures: $(CORE)  ## write every figure of README.md and docs/ again from the results in docs/results/data
	$(BIN)/python docs/figures

figures-check: $(CORE)  ## fail where a page differs from the stored results (make test does this too)
	$(BIN)/python docs/figures --check

figures-run: run  ## run `make run`, keep its results, and write them into README.md
	$(BIN)/python docs/figures/store.py $(RUN) make-run
	$(BIN)/python docs/figures

clean:  ## remove .venv, caches and built files; run folders stay
	rm -rf docs/gallery docs/sg_execution_times.rst
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST)

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "neurorules needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv .venv

# A stamp is newer than what it was made from, so a second call installs nothing. The environment itself stands
# behind the bar: its time changes whenever a package is installed.
# torch goes in first and alone: asked for as the range of pyproject.toml, an index that also serves newer CUDA builds
# may answer with gigabytes of them. The exact version finds the build that CI ran, CPU-only where the index has it.
$(CORE): pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) torch==2.13.0
	$(PIP) -e .
	touch $@

$(FULL): pyproject.toml constraints.txt | $(CORE)
	$(PIP) -e '.[all,dev]'
	touch $@

$(DOCS): pyproject.toml constraints.txt | $(CORE)
	$(PIP) -e '.[brian2,nwb,neo,docs]'
	touch $@
