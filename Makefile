# Two commands: `make demo` runs the main job, `make test` passes the tests. Both set up first.

PYTHON ?= python3
VENV := .venv
FOOTNOTE := $(VENV)/bin/footnote
ARGS ?=
EXTRAS ?= cpu,fast,demo,dev

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test unit lint contracts contracts-check contracts-test setup bench-setup clean help
.PHONY: chaos power-loss mutants mutants-changed
.PHONY: simulate faults mutations attack
.PHONY: bench serve-bench soak fuzz audit screenshots

help:
	@echo "make demo            the whole story on this machine (ARGS=\"--once --json\" to end by itself)"
	@echo "make test            lint, types, house, contracts, and every test"
	@echo "make contracts       build contracts_abi/ from contracts/"
	@echo "make contracts-test  forge unit, fuzz and invariant tests"
	@echo "make mutants         single-line mutants of the contracts (CHANGED=<revision> for changed lines)"
	@echo "make simulate        SEEDS=1000 schedules in the simulator, and every wrong variant (FIRST=1)"
	@echo "make faults          SEEDS=100 schedules against a real chain and Redis (FIRST=1 ARGS=--postgresql)"
	@echo "make bench           CORPORA='DIR ...' judged: found, cited, refused, paid (docs/quality.md)"
	@echo "make chaos           everything killed and cut off for ten minutes (ARGS=\"--minutes 1\")"
	@echo "make power-loss      acknowledged answers after a power loss; needs root and loop devices"
	@echo "make attack          copies, stuffing, echoes, injections: who gains, who loses (CORPORA=\"DIR …\")"
	@echo "make mutations       wrong and right citations, and who tells them apart (CORPORA=\"DIR …\")"
	@echo "make serve-bench     throughput and latency beside LangChain services (CORPORA=\"DIR\")"
	@echo "make soak            an hour of steady load: memory, errors, the journal (ARGS=\"--minutes 1\")"
	@echo "make fuzz            schemathesis over every route (ARGS=\"--examples 100\")"
	@echo "make audit           known faults in dependencies; needs the network"
	@echo "make screenshots     the pictures of docs/page.md, made anew"
	@echo "make setup           .venv and node_modules only"
	@echo "make clean           remove what make made"

demo: setup
	@$(FOOTNOTE) demo $(ARGS)

test: lint contracts-check contracts-test mutants-changed unit

unit: setup
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest $(ARGS)

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/bandit -q -c pyproject.toml -r footnote rag indexer rewards api openlora cli

contracts: setup
	npm run -s build

contracts-check: setup
	npm run -s check

contracts-test: setup
	npm test --silent

CHANGED ?=
mutants: setup
	@npm run -s mutants -- $(if $(CHANGED),--changed $(CHANGED) --minutes 5) $(ARGS)

# What CI runs: the mutants of the lines that the newest commit changed.
mutants-changed: setup
	@if git rev-parse -q --verify HEAD~1 >/dev/null 2>&1; \
	 then npm run -s mutants -- --changed HEAD~1 --minutes 5; \
	 else echo "no earlier revision here: no mutants of changed lines"; fi

setup: $(VENV)/.installed node_modules/.installed

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "footnote: error: Python 3.11 or newer is missing: install it, or set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null \
	  || { echo "footnote: error: Python's venv module is missing: install python3-venv" >&2; exit 1; }
	@echo "installing Python packages into $(VENV) (a few minutes, once)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

node_modules/.installed: package.json package-lock.json
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' 2>/dev/null \
	  || { echo "footnote: error: Node 20 or newer is missing: install nodejs" >&2; exit 1; }
	@command -v npm >/dev/null \
	  || { echo "footnote: error: npm is missing: install it beside Node" >&2; exit 1; }
	@echo "installing npm packages"
	@npm ci --silent --no-audit --no-fund
	@touch $@

bench-setup: setup
	@$(VENV)/bin/python -m pip install --quiet -c constraints.txt -e ".[$(EXTRAS),bench]"

# Folders in the layout that docs/quality.md describes.
CORPORA ?=
bench: bench-setup
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m bench.judge $(CORPORA) $(ARGS)

# Each ends with one JSON object. Without FIRST the first seed is the time, so that seeds are fresh.
SEEDS ?=
FIRST ?=
CHOSEN = $(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST))

simulate: setup
	@OMP_NUM_THREADS=1 nice $(VENV)/bin/python -m tests.simulator $(CHOSEN) $(ARGS)

faults: setup
	@OMP_NUM_THREADS=1 nice $(VENV)/bin/python -m tests.faults $(CHOSEN) $(ARGS)

chaos: setup
	nice $(VENV)/bin/python -m bench.chaos $(ARGS)

# First with a journal that is not flushed, which must lose; then the real one, which must not.
power-loss: setup
	nice $(VENV)/bin/python -m bench.power_loss $(ARGS) --control NORMAL
	nice $(VENV)/bin/python -m bench.power_loss $(ARGS)

CORPORA ?=
mutations: setup
	@OMP_NUM_THREADS=1 nice $(VENV)/bin/python -m bench.mutations $(CORPORA) $(ARGS)

attack: setup
	@OMP_NUM_THREADS=1 nice $(VENV)/bin/python -m bench.attack $(CORPORA) $(ARGS)

serve-bench: bench-setup
	$(VENV)/bin/python -m bench.serve $(CORPORA) $(ARGS)

soak: setup
	nice $(VENV)/bin/python -m bench.soak $(ARGS)

fuzz: setup
	$(VENV)/bin/python -m tests.fuzz $(ARGS)

screenshots: setup
	$(VENV)/bin/python -m tests.screenshots docs/images

audit: setup
	$(VENV)/bin/pip-audit -r constraints.txt --no-deps --disable-pip

clean:
	rm -rf $(VENV) node_modules .demo contracts/out contracts/cache
