# The one doorway. Every target sets up what it needs; a second run finds it in place.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check install
NEEDS_CC = command -v $${CC:-cc} >/dev/null || { echo "A C compiler is missing: install one (Debian: apt-get install gcc python3-dev)."; exit 1; }
DECLARED := $(shell find protocol billing_core gateway -name '*.pxd' 2>/dev/null)
SOURCES := $(shell find protocol billing_core gateway -name '*.pyx' 2>/dev/null) $(DECLARED) $(wildcard $(DECLARED:.pxd=.py)) setup.py pyproject.toml

.PHONY: help demo test soak wheel build lint types cover sanitize bench bench-quick bench-compare profile annotate docs clean truth mutate

help:
	@echo "make demo   run the daemon with simulated piles and print the bills"
	@echo "make test   run the tests"
	@echo "make truth  a simulated month of 200 piles with the faults of the field"
	@echo "make soak   the long rounds of the fault tests"
	@echo "make wheel  build dist/*.whl and try it in an environment of its own"
	@echo "make bench  measure against the plain C programs beside it (minutes); bench-quick, bench-compare, profile"
	@echo "make lint   and types, cover, mutate, annotate, clean"

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer (Debian: apt-get install python3)."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: install it, or name it with PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "The Python module venv is missing: install it (Debian: apt-get install python3-venv)."; exit 1; }
	@$(NEEDS_CC)
	@$(PYTHON) -m venv $(VENV)

$(STAMP): $(BIN)/python $(SOURCES)
	@$(NEEDS_CC)
	@echo "setting up $(VENV) (packages and the compiled cores; a minute or two)"
	@printf '#include <Python.h>\n' | $${CC:-cc} -E -I"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_paths()["include"])')" - >/dev/null 2>&1 || { echo "The C headers of Python are missing: install them (Debian: apt-get install python3-dev)."; exit 1; }
	@$(PIP) "setuptools>=77" "cython>=3.2,<4"
	@$(PIP) --no-build-isolation --editable ".[test]"
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

build: $(STAMP)

demo: $(STAMP)
	@$(BIN)/pilegate demo

test: $(STAMP)
	@tests/support/tools.sh $(VENV)/.tools-tried
	@$(BIN)/python -m pytest

truth: $(STAMP)
	@$(BIN)/python -m tests.truth

soak: $(STAMP)
	@$(BIN)/python -m pytest -m soak --timeout 0 tests

# A source archive, a wheel built from it, and the wheel in an environment of its own, away from these sources.
wheel: $(STAMP)
	@$(PIP) "build>=1.2,<2"
	@rm -rf dist build/installed && mkdir -p build
	@$(BIN)/python -m build --outdir dist . >build/wheel.log 2>&1 || { tail -30 build/wheel.log; exit 1; }
	@$(PYTHON) -m venv build/installed && build/installed/bin/python -m pip --quiet --quiet install dist/*.whl
	@cd build/installed && bin/pilegate states >/dev/null && bin/pilegate systemd >/dev/null && \
	  bin/pilegate decode 680C000000025503141278230500DA4C && bin/python -c "import gateway.api.server, gateway.forwarders.webhook"
	@ls dist/*.whl

bench: $(STAMP)
	@$(PIP) --editable ".[bench]" --no-build-isolation
	@$(BIN)/python -m bench $(BENCH)
	@$(BIN)/python -m bench.micro --fast --processes 3 --quiet --output bench/results/micro.json && $(BIN)/python -m pyperf show --quiet bench/results/micro.json

bench-quick: $(STAMP)
	@$(BIN)/python -m bench --quick $(BENCH)

# make bench-compare OLD=bench/results/first.json NEW=bench/results/latest.json
NEW ?= bench/results/latest.json
bench-compare: $(STAMP)
	@$(BIN)/python -m bench compare $(OLD) $(NEW)

# make profile WHAT=replay (or live): where the time goes, down to lines of Cython and C
WHAT ?= replay
profile: $(STAMP)
	@$(PIP) "py-spy>=0.4,<1"
	@PILEGATE_LINES=1 $(BIN)/python setup.py --quiet build_ext --inplace --force
	@$(BIN)/python -m bench.profile $(WHAT); status=$$?; \
	  $(BIN)/python setup.py --quiet build_ext --inplace --force; exit $$status

lint: $(STAMP)
	@$(PIP) --editable ".[lint]" --no-build-isolation
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && PATH="$(BIN):$$PATH" cython-lint protocol billing_core gateway && $(BIN)/codespell

types: $(STAMP)
	@$(PIP) --editable ".[lint]" --no-build-isolation
	@$(BIN)/mypy

# What the cores' own tests and the stories reach, line by line; the extensions of before are put aside and back.
COVERING := tests/unit/protocol tests/unit/billing_core tests/differential tests/property/test_stream.py tests/property/test_bills.py tests/replay/test_stories.py
cover: $(STAMP)
	@find protocol billing_core -name '*.so' | tar cf build/untraced.tar -T - && find billing_core -name '*.so' -delete
	@PILEGATE_TRACE=1 $(BIN)/python setup.py --quiet build_ext --inplace --force && \
	  $(BIN)/python -m pytest $(COVERING) \
	  -q --timeout 600 --cov=protocol --cov=billing_core --cov-report=term-missing:skip-covered; status=$$?; \
	  find protocol billing_core -name '*.c' -delete; tar xf build/untraced.tar; exit $$status

# make mutate MUTATE="--count 400 --seconds 900 --only kinds": would the tests notice a small fault in the rules?
mutate: $(STAMP)
	@$(PIP) --editable ".[mutate]" --no-build-isolation
	@find billing_core -name '*.so' -delete
	@PILEGATE_PLAIN=1 $(BIN)/python setup.py --quiet build_ext --inplace
	@$(BIN)/python -m tests.mutation $(MUTATE); status=$$?; \
	  $(BIN)/python setup.py --quiet build_ext --inplace; exit $$status

SANITIZED := build/sanitize/lib
SECONDS ?= 60
SEED ?= $(shell date +%s)

sanitize: $(STAMP)
	@PILEGATE_SANITIZE=1 $(BIN)/python setup.py --quiet build --build-base build/sanitize --build-lib $(SANITIZED) --force
	@LD_PRELOAD="$$($${CC:-cc} -print-file-name=libasan.so) $$($${CC:-cc} -print-file-name=libubsan.so)" PYTHONMALLOC=malloc \
	  ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH="$(SANITIZED):." \
	  $(BIN)/python -P tests/sanitize/fuzz.py $(SEED) $(SECONDS)

annotate: $(STAMP)
	@$(BIN)/cython -a protocol/*.pyx billing_core/*.pyx gateway/*.pyx gateway/framelog/*.pyx && echo "look at the .html beside each .pyx"

clean:
	@rm -rf $(VENV) build dist *.egg-info htmlcov .coverage .pytest_cache .hypothesis
	@find . -name '*.so' -delete; find . -name __pycache__ -type d -prune -exec rm -rf {} +
