# Everything a developer types, and all that CI runs. `make` alone explains itself.

CARGO  ?= cargo
PYTHON := .venv/bin/python
BUF    := .venv/bin/buf
OPS    ?= 50000
SEED   ?= $(shell date +%s)
USAGES ?= 100000
STEPS  ?= 50000
RUNS   ?= 200
LANES  ?= 3
TRACE  ?= tests/data/gpu-jobs-300.csv

# `check` promises an order, and two cargo builds at once only wait for each other.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## This list
	@echo "Holdbook: make TARGET"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- run -------------------------------------------------------------------------------------------------------------

.PHONY: run demo
run: setup-run ## Start a private stack, play a scenario on it and keep serving (Ctrl-C ends it)
	@exec $(CARGO) run --locked -- dev --play

demo: setup-run ## The same scenario, then exit
	@exec $(CARGO) run --locked -- dev --play --exit

# --- what the machine needs ------------------------------------------------------------------------------------------

.PHONY: setup setup-run
setup: ## Install what is missing for tests: redis-server, PostgreSQL, .venv (starts no server)
	@bash .ci/setup.sh test

setup-run:
	@bash .ci/setup.sh run

# --- check -----------------------------------------------------------------------------------------------------------

.PHONY: check lint format clippy doc proto test chart sabotage-check fmt
check: lint sabotage-check test ## All that CI runs: format, clippy, docs, proto lint, sabotage patches, tests, chart
	@echo "make check: all passed"

lint: format clippy doc proto ## Format, clippy, docs and proto lint, warnings denied

format:
	$(CARGO) fmt --check

clippy:
	$(CARGO) clippy --locked --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

proto: setup
	$(BUF) lint

test: setup ## Every test: Rust over real Redis and Postgres, the Python client, the chart
	$(CARGO) test --locked
	@$(MAKE) --no-print-directory chart

chart: setup ## Lint and render helm/holdbook with Helm's own engine
	$(PYTHON) tests/python/chart_test.py

sabotage-check: ## See that each patch under tests/sabotage/ still applies
	bash tests/sabotage/run.sh --check

fmt: ## Format the code
	$(CARGO) fmt

# --- longer runs -----------------------------------------------------------------------------------------------------

.PHONY: model model-plans mutate-catalogs usages renewals chaos replay outage sabotage sabotage-chaos bench bench-smoke bench-memory
model: setup-run ## Random operations against the reference model: OPS=1000000 SEED=7
	@OPS=$(OPS) SEED=$(SEED) bash .ci/last_line.sh '^model: .* differences' $(CARGO) test --locked --test it model::random_sequences -- --nocapture --exact

model-plans: setup-run ## Random histories of subscriptions against their reference model: STEPS=200000 SEED=7
	@STEPS=$(STEPS) SEED=$(SEED) bash .ci/last_line.sh '^model-plans: .* differences' $(CARGO) test --release --locked --test it model_plans::random_subscriptions -- --nocapture --exact

mutate-catalogs: setup-run ## Change each number of the five catalogs: something must notice
	@bash .ci/last_line.sh '^mutate-catalogs: ' $(CARGO) test --locked --test it catalog::mutated -- --nocapture

usages: setup-run ## Random usages of the five catalogs: quote, hold and charge agree with the products' tables: USAGES=100000 SEED=7
	@USAGES=$(USAGES) SEED=$(SEED) bash .ci/last_line.sh '^usages: .* agree' $(CARGO) test --release --locked --test it catalog::usages -- --nocapture

renewals: setup-run ## Many accounts renew at one instant under load: ACCOUNTS=10000 RENEWALS=5
	@ACCOUNTS=$(or $(ACCOUNTS),10000) RENEWALS=$(or $(RENEWALS),5) bash .ci/last_line.sh '^renewals: .* each once' $(CARGO) test --release --locked --test it catalog::renewed::many_accounts -- --nocapture

chaos: setup-run ## Break real processes and stores under load, compare the ledger with the clients' journals: RUNS=200 SEED=7 FAULT=stale
	@FAULT="$(FAULT)" RUNS=$(RUNS) SEED=$(SEED) LANES=$(LANES) bash .ci/last_line.sh '^chaos: [0-9]' $(CARGO) test --locked --test it chaos::short -- --nocapture --exact

replay: setup-run ## Meter a job trace on a private stack: TRACE=FILE
	@test -f "$(TRACE)" || { echo "make replay TRACE=FILE: no such file: '$(TRACE)'" >&2; exit 2; }
	$(CARGO) run --release --locked -- replay --trace "$(TRACE)" --dev

outage: setup-run ## Postgres stopped for a minute at a thousand operations a second; prints its figures
	OUTAGE_SECONDS=60 $(CARGO) test --release --locked --test it outage::postgres_is_stopped_under_load -- --nocapture --exact

sabotage: setup ## Break copies of the product on purpose; each must fail the test it names
	bash tests/sabotage/run.sh

sabotage-chaos: setup ## Give those copies that name a fault to `make chaos`: in which of 50 runs it notices
	bash tests/sabotage/run.sh --chaos

bench-smoke: setup-run ## Latency and throughput as ratios to a call that does nothing
	$(CARGO) bench --locked --bench ratios -- smoke

bench: setup-run ## Every ratio to a call that does nothing, to the program by itself and to Postgres alone, with its bound: ROUNDS=5
	ROUNDS=$(ROUNDS) $(CARGO) bench --locked --bench ratios

bench-memory: setup-run ## Redis' memory with ACCOUNTS=10000000 in the ledger of which ACTIVE=10000 are used; FRESH=1 makes it anew, in FOLDER
	ACCOUNTS=$(ACCOUNTS) ACTIVE=$(ACTIVE) IDLE=$(IDLE) FRESH=$(FRESH) FOLDER="$(FOLDER)" $(CARGO) bench --locked --bench memory
