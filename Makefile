# Two commands: `make serve` runs the server on an example, `make test` checks everything. Both work on a fresh checkout:
# what is missing is installed where that is allowed, and named where it is not. Nothing outside this folder is
# changed, except that system packages (PHP; for the bench nginx, php-fpm, wrk) come from apt when you are root or may
# use sudo without a password.

.POSIX:
.SILENT:
.PHONY: help serve test lint unit bench acceptance dist clean

EXAMPLE = hello-php
BENCH =

help: ## this list
	sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20
	echo
	echo '  variables           EXAMPLE=app-php  which folder of examples/ "make serve" runs'
	echo '                      BENCH="--quick"  arguments of the bench'
	echo '                      PYTHON=, PHP=    the interpreters to use (Python 3.11, PHP 8.1 or newer)'

serve: ## run the server on an example (EXAMPLE=hello-php, app-php, python)
	exec sh scripts/serve.sh '$(EXAMPLE)'

test: ## everything that must hold: lint, types, layers, tests
	sh scripts/test.sh

lint: ## ruff, mypy, import-linter
	sh scripts/venv.sh dev
	sh scripts/lint.sh

unit: ## the unit tests only: no process, no network, seconds
	sh scripts/venv.sh dev
	.venv/bin/python -m pytest -q tests/unit

bench: ## measure against nginx + php-fpm and the bare workers; writes docs/benchmarks.md
	sh scripts/bench.sh -m bench $(BENCH)

acceptance: ## measure starting, large bodies, overload, churn (4 minutes)
	sh scripts/bench.sh -m bench.acceptance $(BENCH)

dist: ## build sdist and wheel, install them elsewhere and serve the example from there
	sh scripts/dist.sh

clean: ## remove .venv, builds and caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf '{}' +
