# The two main commands: `make serve` runs the server on an example, `make test` checks everything. Both work on a fresh
# checkout: they install missing tools if permitted, and name them if not. Nothing outside this folder is changed, except
# that system packages (PHP; for the bench nginx, php-fpm, wrk) are installed with apt if you are root or can use sudo
# without a password.

.POSIX:
.SILENT:
.PHONY: help serve test lint unit bench acceptance docs dist onefile clean

EXAMPLE = hello-php
BENCH =
JOBS =
TCP =
GRPC =
TEMPORAL =
WEBSOCKET =

help: ## print this list
	sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20
	echo
	echo '  variables           EXAMPLE=app-php  the folder of examples/ for "make serve"'
	echo '                      BENCH="--quick"  arguments for the bench; JOBS=, TCP=, GRPC=, TEMPORAL=, WEBSOCKET= for its parts'
	echo '                      PYTHON=, PHP=    the interpreters to use (Python 3.11, PHP 8.1 or newer)'

serve: ## run the server on an example (EXAMPLE=hello-php, app-php, python)
	exec sh scripts/serve.sh '$(EXAMPLE)'

test: ## run all checks: lint, types, layers, tests
	sh scripts/test.sh

lint: ## run ruff, mypy, import-linter
	sh scripts/venv.sh dev
	sh scripts/lint.sh

unit: ## run the unit tests only: no processes, no network, seconds
	sh scripts/venv.sh dev
	.venv/bin/python -m pytest -q tests/unit

bench: ## compare with nginx + php-fpm and the bare workers, measure jobs, TCP, gRPC, Temporal, WebSocket; writes docs/benchmarks.md
	@http=0; jobs=0; tcp=0; grpc=0; temporal=0; websocket=0; \
	sh scripts/bench.sh -m bench $(BENCH) || http=$$?; \
	sh scripts/bench.sh -m bench.jobs $(JOBS) || jobs=$$?; \
	sh scripts/bench.sh -m bench.tcp $(TCP) || tcp=$$?; \
	sh scripts/bench.sh -m bench.grpc $(GRPC) || grpc=$$?; \
	sh scripts/bench.sh -m bench.temporal $(TEMPORAL) || temporal=$$?; \
	sh scripts/bench.sh -m bench.websocket $(WEBSOCKET) || websocket=$$?; \
	exit $$((http | jobs | tcp | grpc | temporal | websocket))

acceptance: ## measure start, large bodies, overload, churn (4 minutes)
	sh scripts/bench.sh -m bench.acceptance $(BENCH)

docs: ## build the documentation as a site: build/site/index.html
	sh scripts/docs.sh

dist: ## build sdist and wheel, try them like a user; then the one file and the Debian package (Linux x86_64, 15 minutes)
	sh scripts/dist.sh
	sh scripts/onefile.sh

onefile: ## build only the one file and the Debian package
	sh scripts/onefile.sh

clean: ## remove .venv, builds and caches
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench -name __pycache__ -type d -prune -exec rm -rf '{}' +
