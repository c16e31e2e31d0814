# Everything a developer or CI does with this repository. `make help` lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
SOURCES := settings.py process telemetry gateways domain web workers ops local migrations tests bench
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup run test test-pages screenshots chromium check lint types-pages types shape bench attack migrate lock lock-npm openapi clients

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/.installed ## make .venv with everything the lock names

.venv/.installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement <(sed -n '/^uv==/,/[^\\]$$/p' requirements.lock)
	$(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

run: setup ## start everything on this machine and buy credits once
	mana-credits dev

test: setup ## run the tests on real PostgreSQL, Valkey and the local Stripe
	pytest --numprocesses 2 --dist loadfile --ignore=tests/pages

test-pages: setup chromium types-pages ## run the tests of the pages in a real browser
	pytest tests/pages

screenshots: setup chromium .node/.installed ## take the pictures of docs/operating and docs/pages anew
	SCREENSHOTS=docs/operating pytest tests/pages --ignore=tests/pages/users
	SCREENSHOTS=docs/pages pytest tests/pages/users/test_every_page.py

chromium: # Debian's; nothing is done where there is one
	command -v chromium || command -v chromium-browser || { apt-get update && apt-get install --yes chromium; }

types-pages: .node/.installed ## types of the browser's modules
	.node/node_modules/.bin/tsc --project tsconfig.json

.node/.installed: tests/pages/package-lock.json # what only the pages' tests need of npm, checked by its hashes
	command -v npm || { apt-get update && apt-get install --yes nodejs npm; }
	mkdir -p .node && cp tests/pages/package.json tests/pages/package-lock.json .node
	npm ci --prefix .node --ignore-scripts --no-audit --no-fund --silent \
		--prefer-offline --fetch-timeout=20000 --fetch-retries=5
	touch $@

check: lint types shape test test-pages ## everything CI runs, in the same order

lint: setup ## style
	ruff format --check $(SOURCES)
	ruff check $(SOURCES)

types: setup ## types
	mypy

shape: setup ## who may import whom
	lint-imports

bench: setup ## measure beside pgbench, print the tables, write them into docs/performance.md
	python -m bench --write

attack: setup ## hostile clients and sick neighbours against a stack of its own, on this machine only
	python -m tests.attacks

migrate: setup ## bring the database of DATABASE_URL up to date
	alembic upgrade head

lock: setup ## write requirements.lock anew
	uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --group dev pyproject.toml -o requirements.lock

lock-npm: ## write the lock files of npm anew, with hashes and without addresses
	for directory in tests/pages tests/clients; do \
		npm install --prefix $$directory --package-lock-only --ignore-scripts --no-audit --no-fund --silent \
			--omit-lockfile-registry-resolved && $(PYTHON) -m tests.support.npm_lock $$directory/package-lock.json; \
	done

openapi: setup ## write docs/openapi.json anew
	python -m web.document

clients: setup ## generate a Python and a TypeScript client and let them work against a running stack; needs npm
	python -m tests.clients
