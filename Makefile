# Works from a fresh clone with Python 3.11 and a package index: `make demo`, `make test`.
# `make venv UV=` installs with pip although uv is present; `make venv PYTHON=/path/to/python` chooses the interpreter.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

export OMP_NUM_THREADS := 1
export RAY_USAGE_STATS_ENABLED := 0
# Bytecode is written by the first import. Compiling all that is installed takes two minutes, most of it never imported;
# never writing any would compile torch and diffusers at every import.
unexport PYTHONDONTWRITEBYTECODE

# Two processes share the tests, a module staying with one: it makes what its tests share once. tests/conftest.py says
# which modules begin first.
BESIDE ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
VENV ?= .venv
UV ?= $(shell command -v uv 2>/dev/null)
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)

.PHONY: help venv demo test test-fast coverage rest chaos fuzz mutants notebooks docs check format lint types contracts wheel bench

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

venv: $(VENV)/.stamp ## Install everything into .venv, with uv when present and pip otherwise

$(VENV)/.stamp: pyproject.toml constraints.txt
ifneq ($(UV),)
	"$(UV)" venv --quiet --allow-existing --python 3.11 "$(VENV)"
	"$(UV)" pip install --python "$(VENV)" -c constraints.txt -e '.[dev]'
else
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed, but neither python3.11 nor a newer python3 was found;" \
		"install one, or name it: make venv PYTHON=/path/to/python" >&2; exit 2; }
	"$(PYTHON)" -m venv "$(VENV)"
	"$(VENV)/bin/python" -m pip install --disable-pip-version-check --no-compile -c constraints.txt -e '.[dev]'
endif
	touch "$@"

demo: venv runs/demo-pictures/metadata.jsonl ## Search the bundled model, export the found UNet, and tell it all in a page: runs/demo/report.html
	"$(VENV)/bin/nas" search experiments/demo.yaml --out runs/demo
	"$(VENV)/bin/nas" export runs/demo
	"$(VENV)/bin/nas" report runs/demo

runs/demo-pictures/metadata.jsonl: | venv
	"$(VENV)/bin/python" -m search_spaces.shapes runs/demo-pictures --num 1024

test: coverage rest ## Run the tests that need neither a GPU nor patience; those that are fast tell what they cover

rest: venv ## Run the tests that the fast tier leaves out
	"$(VENV)/bin/python" -m pytest --rest $(BESIDE)

test-fast: venv ## Run the tests that load no bundled model and start no process: while you write
	"$(VENV)/bin/python" -m pytest --fast --hypothesis-profile=quick $(BESIDE)

coverage: venv ## Print which lines and branches the fast tests reach; fails below the floor in pyproject.toml
	"$(VENV)/bin/python" -m coverage erase
	"$(VENV)/bin/python" -m coverage run -m pytest --fast $(BESIDE)
	"$(VENV)/bin/python" -m coverage combine --quiet
	"$(VENV)/bin/python" -m coverage report

chaos: venv ## Kill searches 20 times at random and compare their ends: runs/chaos
	rm -rf runs/chaos
	"$(VENV)/bin/python" -m experiments.chaos --kills 20

fuzz: venv ## Read 24,000 damaged inputs, within 15 minutes; finds are kept in runs/fuzz
	"$(VENV)/bin/python" -m experiments.fuzz

mutants: venv ## Plant faults in the code for half an hour, and list those that no test notices
	"$(VENV)/bin/python" -m experiments.mutants

notebooks: venv ## Execute the notebooks again into build/notebooks; the site shows what came out
	rm -rf build/docs-cache
	$(MAKE) build/docs-cache

build/docs-cache: | venv
	rm -rf build/notebooks
	mkdir -p build/notebooks
	cp notebooks/*.ipynb build/notebooks
	PYTHONWARNINGS=ignore:IProgress "$(VENV)/bin/python" -m pytest --override-ini addopts= --quiet --nbmake --overwrite --numprocesses 2 build/notebooks
	"$(VENV)/bin/python" -m tests.notebooks build/notebooks build/docs-cache

docs: venv build/docs-cache ## Build the site of the documentation: build/docs/index.html
	"$(VENV)/bin/sphinx-build" --fresh-env --fail-on-warning --keep-going --quiet --conf-dir docs . build/docs
	@echo "the site: build/docs/index.html"

check: lint contracts types wheel notebooks docs test ## Run everything that a change must pass

format: venv ## Rewrite the code in the house's format
	"$(VENV)/bin/ruff" format .
	"$(VENV)/bin/ruff" check --fix .

lint: venv ## Check format and style
	"$(VENV)/bin/ruff" format --check .
	"$(VENV)/bin/ruff" check .

types: venv ## Check types
	"$(VENV)/bin/python" -m mypy

contracts: venv ## Check the four storeys, the purity of the core and that no package has cycles
	"$(VENV)/bin/lint-imports"

wheel: venv ## Build the wheel into dist
	"$(VENV)/bin/python" -m build --wheel --no-isolation --outdir dist

bench: venv ## Run every benchmark in experiments/benchmarks, also where one fails
	@"$(VENV)/bin/python" -c 'from latency.backends.host import host_processor; print(host_processor())'
	@failed=""; for script in experiments/benchmarks/*.py; do module="$${script%.py}"; began=$$SECONDS; echo "== $$script"; \
		"$(VENV)/bin/python" -m "$${module//\//.}" || failed+=" $$script"; echo "-- $$((SECONDS - began)) s"; done; \
		[ -z "$$failed" ] || { echo "failed:$$failed" >&2; exit 1; }
