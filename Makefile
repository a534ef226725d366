# Two commands do everything: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MINUTES ?= 10

.PHONY: demo demo-history test test-gpu torture unit lint audit bench bench-train screenshots wheel clean

demo: $(READY)  ## install, make the sample project with its four weeks, open the app
	$(BIN)/workbench demo

demo-history: $(READY)  ## train the rounds that ship with the sample anew; prints the learning curve
	$(BIN)/python -m workbench.demo.history

test: $(READY)  ## lint, types and every test that needs no browser, GPU or minutes; docs/testing.md has the others
	$(MAKE) --no-print-directory --jobs=2 lint unit

unit: $(READY)  ## the tests alone, a process on each core
	$(BIN)/python -m pytest -q --numprocesses=logical --dist=worksteal

test-gpu: $(READY)  ## what only a CUDA GPU can show; 8 bits need `pip install bitsandbytes`
	$(BIN)/python -m pytest -m gpu tests/trainer tests/workbench/web

torture: $(READY)  ## kill the real worker in every step and at random moments: make torture MINUTES=30
	MINUTES=$(MINUTES) $(BIN)/python -m pytest -m torture tests/torture

lint: $(READY)  ## format, lint, types, import contracts, insecure calls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml workbench trainer db

audit: $(READY)  ## the pinned packages against known vulnerabilities; asks a service on the network
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	@$(VENV)/audit/bin/pip-audit --strict --requirement requirements.txt --no-deps --disable-pip \
	    || { echo "Not audited: a package is vulnerable, or the service could not be reached; the lines above say which."; exit 1; }

bench: $(READY)  ## ratios of speed, measured in one run on this machine
	$(BIN)/python -m tests.benchmarks

bench-train: $(READY)  ## training speed against the Trainer of transformers, on this machine
	$(BIN)/python -m tests.benchmarks.training

screenshots: $(READY)  ## every page of the demo, in four widths, two themes, two languages; needs Chromium
	$(BIN)/python -m tests.e2e.screenshots

wheel: $(READY)  ## a wheel that carries sample and starter
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build demo screenshots

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $(READY)
