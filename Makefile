# make demo: set up what is missing, then a running release. make help: everything else.
# Works with GNU make 3.81 (macOS) and later.

PY := .venv/bin/python
SOURCES := $(shell find backend tui -name '*.py' 2>/dev/null)
SHIPPED := $(shell find config backend tui -type f ! -path '*/.*' ! -name '*.pyc' 2>/dev/null)
WORKERS := $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); \
             if [ $$n -gt 2 ]; then echo $$n; else echo 2; fi)
# An environment knows its own place: it is of no use after the directory was moved.
STALE := $(shell [ "$$(cat .venv/.ready 2>/dev/null)" = "$$(pwd)" ] && [ -x $(PY) ] || echo stale)

.PHONY: help demo test setup lint format pyz check-pyz snapshots screenshots bench bench-judge bench-long soak lock clean $(STALE)
.DEFAULT_GOAL := help

help:
	@echo 'make demo [ARGS="--mode act --fault errors"]   a real release under the agent, with the dashboard'
	@echo 'make test [ARGS="-k pause"]                    every check and the whole test suite'
	@echo 'make setup         only the set-up (.venv); the others do it by themselves'
	@echo 'make lint          ruff, mypy, import rules'
	@echo 'make format        ruff format, and the fixes ruff can do'
	@echo 'make pyz           the program in one file, hatchway.pyz'
	@echo 'make check-pyz     that file, and an installation as pipx does it, do work'
	@echo 'make snapshots     the pictures that every screen is compared with, anew (tests/tui/snapshots)'
	@echo 'make screenshots   screenshots/ anew from the running demo'
	@echo 'make bench         benchmarks, each with its figure and its bar'
	@echo 'make bench-long    every fault beside the theory, and releases with nothing wrong (40 min)'
	@echo 'make bench-judge   the judge beside other rules on the same simulated rollouts; its goals'
	@echo 'make soak          2,000 kills of real processes, and 400,000 simulated schedules (1 h)'
	@echo 'make lock          requirements*.txt anew from pyproject.toml (needs uv)'
	@echo 'make clean         remove everything that make made'

demo: setup
	@.venv/bin/hatchway demo $(ARGS)

test: lint .venv/.science
	$(PY) -m pytest -n $(WORKERS) $(ARGS)

setup: .venv/.compiled
	@:

.venv/.ready: requirements.txt pyproject.toml .ci/setup.sh .ci/install.sh $(STALE)
	@sh .ci/setup.sh

# The first start must be quick, also where PYTHONDONTWRITEBYTECODE is set.
.venv/.compiled: .venv/.ready $(SOURCES)
	@$(PY) -m compileall -q backend tui
	@touch $@

.venv/.science: requirements-science.txt .venv/.ready
	@sh .ci/install.sh --require-hashes -r requirements-science.txt
	@touch $@

lint: setup
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: setup
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

pyz: hatchway.pyz

hatchway.pyz: .venv/.compiled requirements-run.txt requirements-pyz.txt .ci/pyz.sh $(SHIPPED)
	@sh .ci/pyz.sh

check-pyz: hatchway.pyz
	@sh .ci/check_packages.sh

snapshots: setup
	@HATCHWAY_SNAPSHOTS=1 $(PY) -m pytest -q tests/tui/test_snapshots.py $(ARGS)
	@git status --short tests/tui/snapshots

screenshots: setup
	@$(PY) tests/system/screenshots.py $(ARGS)

bench-long: setup
	@for file in $(LONG); do echo "== $$file"; $(PY) $$file $(ARGS) || exit 1; done

bench-judge: setup .venv/.science
	@$(PY) tests/bench/judge/run.py $(ARGS)

# What CI does 300 and 100,000 times; seeds are new ones each time, and printed.
soak: setup
	HATCHWAY_KILLS=2000 HATCHWAY_SCHEDULES=400000 HATCHWAY_FIRST_SEED=$$(date +%s) \
	  $(PY) -m pytest -n $(WORKERS) -k "every_schedule or kill" tests/simulation $(ARGS)

# Half an hour of releases with nothing wrong, and every fault three times.
LONG := tests/bench/bench_no_fault.py tests/bench/bench_faults.py

bench: setup
	@for file in $(filter-out $(LONG),$(wildcard tests/bench/bench_*.py)); do \
	  echo "== $$file"; $(PY) $$file $(ARGS) || exit 1; \
	done

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-header --no-annotate --no-emit-index-url --no-emit-find-links

lock:
	$(LOCK) pyproject.toml --extra demo --extra sign --extra serve --group dev --group build -o requirements.txt
	$(LOCK) pyproject.toml -c requirements.txt -o requirements-run.txt
	$(LOCK) --group science -c requirements.txt -o requirements-science.txt
	$(LOCK) --group pyz --no-emit-package pip --no-emit-package setuptools -o requirements-pyz.txt

clean:
	rm -rf .venv build dist hatchway.pyz .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache
	find backend tui tests -name __pycache__ -type d -prune -exec rm -rf {} +
