# `make help` lists the targets. Everything is installed into .venv; PYTHON chooses what makes it.
PYTHON ?= python3
PORT ?= 8000
# Tests wait more than they compute: a little more than there are cores.
PROCESSES ?= 3
VENV := .venv
BIN := $(VENV)/bin
# Node from elsewhere brings an npm of its own, beside which Debian's can't be installed.
DEBIAN := redis-server postgresql chromium pushpin zurl pgbouncer \
	$(if $(wildcard /usr/sbin/nginx),,nginx-light) \
	$(if $(shell command -v npm 2>/dev/null),,nodejs npm)
CLIENTS := tests/clients/node_modules/.package-lock.json
# What benchmarks compare with, and by; the Python packages have a virtual environment of their own.
BENCH_DEBIAN := gcc libc6-dev wrk redis-server libnginx-mod-nchan \
	$(if $(wildcard /usr/sbin/nginx),,nginx-light) \
	$(if $(shell command -v npm 2>/dev/null),,nodejs npm)
BENCH := .bench

export PORT

.DEFAULT_GOAL := help
.PHONY: help run test torture bench bench-full check format lock clean debian bench-debian

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | column -ts '|'

run: $(VENV)/.run ## Set up everything and serve on http://127.0.0.1:$PORT, with demo data.
	@$(BIN)/python scripts/free_port.py
	@DEBUG=1 $(BIN)/python manage.py migrate --verbosity 0
	@echo "Serving on http://127.0.0.1:$(PORT)/ (API: /api/), Ctrl-C ends."
	@DEBUG=1 $(BIN)/python manage.py demo
	@DEBUG=1 exec $(BIN)/gunicorn api.asgi:application

test: $(VENV)/.dev debian $(CLIENTS) ## Set up everything that the tests need, and run them all.
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile $(ARGS)

torture: $(VENV)/.dev debian ## Every fault at full size; the figures go to docs/reliability.md. ARGS="-k herd" for one.
	$(BIN)/python -m pytest tests/torture --timeout 900 $(ARGS); status=$$?; \
		$(BIN)/python -m tests.torture.report && exit $$status

bench: $(VENV)/.dev bench-debian $(BENCH)/.installed benchmarks/node/.installed ## Measure, and write docs/performance.md. ARGS="fanout" for one.
	$(BIN)/python -m benchmarks $(ARGS)

bench-full: $(VENV)/.dev bench-debian $(BENCH)/.installed benchmarks/node/.installed ## The same in more rounds, and what takes long.
	$(BIN)/python -m benchmarks --full $(ARGS)

check: $(VENV)/.dev ## Lint, types, layers, deployment settings, migrations, schema.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy realtime
	$(BIN)/lint-imports
	DEBUG=0 SECRET_KEY=$$(head -c 40 /dev/urandom | base64) ALLOWED_HOSTS=example.org \
		$(BIN)/python manage.py check --deploy --fail-level WARNING
	DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run
	DEBUG=1 $(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(VENV)/.dev ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## Write requirements.txt and requirements-dev.txt anew from the .in files.
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet pip-tools
	for file in requirements requirements-dev; do $(VENV)-lock/bin/pip-compile --quiet --upgrade \
		--strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-annotate --no-header $$file.in; done
	rm -r $(VENV)-lock

clean: ## Remove the virtual environment and what runs and tests leave behind.
	rm -rf $(VENV) $(BENCH) benchmarks/node/node_modules benchmarks/node/.installed db.sqlite3* .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/clients/node_modules

# Stamps: a requirement that changes is installed before anything runs.
$(VENV)/.run: requirements.txt
	$(PYTHON) scripts/python_version.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# What tests start themselves. Where it may not be installed, those that need it are skipped, and say so.
debian:
	@sh scripts/debian.sh $(DEBIAN)

bench-debian:
	@BECAUSE="What needs them is not measured." sh scripts/debian.sh $(BENCH_DEBIAN)

# What can't be installed is not measured, and named.
$(BENCH)/.installed: requirements.txt benchmarks/requirements.txt | $(VENV)/.run
	$(PYTHON) -m venv $(BENCH)
	-$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt \
		-r benchmarks/requirements.txt && touch $@

benchmarks/node/.installed: benchmarks/node/package-lock.json | bench-debian
	-@npm ci --silent --ignore-scripts --prefix benchmarks/node && touch $@

# Pusher's clients in JavaScript. Not before Debian's packages, which may bring npm.
$(CLIENTS): tests/clients/package-lock.json | debian
	@sh scripts/clients.sh
	@[ ! -e $@ ] || touch $@
