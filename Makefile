# Every target is a command that can be typed by hand once `make setup` has run and .venv is active.
# PROVIDER, SQLITE, OWNER, QUARANTINE, REPORT, CONFIRM, FILE, MASKED and STATE reach the playbooks through the environment (inventories/dev/group_vars/dev).
PYTHON ?= python3
ENV ?= dev
export PROVIDER SQLITE OWNER QUARANTINE REPORT CONFIRM FILE MASKED STATE

# ENV=prod reaches `dhafnck-db` as the DATABASE_TYPE of that environment; what is of development alone refuses it.
DATABASE_TYPE_dev := postgresql
DATABASE_TYPE_prod := supabase
ifneq ($(findstring /,$(ENV)),)  # some shells name a file of theirs in ENV
ENV := dev
else ifneq ($(origin ENV),file)
export DATABASE_TYPE := $(or $(DATABASE_TYPE_$(ENV)),$(error ENV=$(ENV) is neither dev nor prod))
endif
development_alone = @[ "$(ENV)" = dev ] || { echo "make $@ is of development alone, not of ENV=$(ENV); nothing was done" >&2; exit 2; }

VENV := $(CURDIR)/.venv
export PATH := $(VENV)/bin:$(PATH)
.DEFAULT_GOAL := help
.PHONY: help setup dev migrate rollback sample rehearse rehearse-schema health serve psql status stop reset image test test-python test-molecule lint bench bench-import bench-audit bench-serve scoreboard lock doctor backup drill backups restore parity

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready ## Install what is pinned into .venv and .collections

dev: setup ## Provision the development database [SQLITE=old.db] [OWNER=id] [QUARANTINE=1] [REPORT=old.html] [PROVIDER=docker|native]
	$(development_alone)
	@ansible-playbook dev.yml

migrate: setup ## Schema to head, then SQLITE=old.db if given, verified, and the env file switched [ENV=dev]
	@ansible-playbook playbooks/migrate.yml -e env=$(ENV)

rollback: setup ## Put back the env file from before the switch; no data is touched [ENV=dev]
	@ansible-playbook playbooks/rollback.yml -e env=$(ENV)

sample: setup ## Write a small legacy file to .local/sample.db, to try the import with
	@mkdir -p .local
	@dhafnck-db sqlite sample .local/sample.db

rehearse: setup ## The whole production run against a stand-in for the project, without an account
	@env -u DATABASE_URL -u SUPABASE_DB_PASSWORD -u DB_SSLROOTCERT SUPABASE_ACCESS_TOKEN=sbp_0000000000000000000000000000000000000000 \
		ansible-playbook playbooks/rehearse.yml -e @playbooks/vars/rehearsal.yml

rehearse-schema: setup ## Try the pending revisions on a copy: up, down and up, with times and locks [LAST=n] [ENV=dev]
	@dhafnck-db schema rehearse $(if $(LAST),--last $(LAST))

health: setup ## Measure the database; fails when it is unhealthy [ENV=dev]
	@dhafnck-db health

serve: setup ## Serve health, metrics and a page [PORT=8080] [HOST=127.0.0.1] [ENV=dev]
	@dhafnck-db serve $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))

doctor: setup ## Name what is wrong and what mends it; fails on a finding [ENV=dev]
	@dhafnck-db doctor

psql: setup ## Open psql on the database [ENV=dev]
	@dhafnck-db psql

status: setup ## Show provider, server, schema, data and health [ENV=dev]
	@ansible-playbook playbooks/status.yml -e env=$(ENV)

stop: setup ## Stop the development server; its data stays
	$(development_alone)
	@ansible-playbook playbooks/stop.yml

backup: setup ## Dump the database into the folder of backups [ENV=dev]
	@dhafnck-db backup create

backups: setup ## Have backups made at set times, by systemd or cron [STATE=absent] [ENV=dev]
	@ansible-playbook playbooks/backup.yml -e env=$(ENV)

restore: setup ## Dump and remake the development database, and restore FILE=.local/backups/NAME.dump into it [MASKED=1]
	$(development_alone)
	@ansible-playbook playbooks/restore.yml

drill: setup ## Restore the newest backup into a server of its own, and compare it [ENV=dev]
	@dhafnck-db backup drill

parity: setup ## Compare two databases: environments, env files or snapshots [FROM=dev] [TO=prod] [EXPECTED=ours.toml] [REPORT=parity.html]
	@dhafnck-db parity $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO)) $(if $(EXPECTED),--expected $(EXPECTED)) $(if $(REPORT),--report $(REPORT))

reset: setup ## Dump, remove and remake the development databases [CONFIRM=dhafnck_mcp_dev]
	$(development_alone)
	@ansible-playbook playbooks/reset.yml

image: setup ## Build a local PostgreSQL image, for machines that reach no container registry
	@ansible-playbook playbooks/image.yml

test: lint test-python test-molecule ## Run what CI runs

test-python: setup ## Unit and integration tests on each PostgreSQL server at hand
	@scripts/test-python

test-molecule: setup ## The Molecule scenarios, on Docker and native
	@scripts/test-molecule

lint: setup ## yamllint, ansible-lint (production), ruff, mypy (strict), and the revisions
	@yamllint --strict .
	@ansible-lint --offline
	@ruff check . && ruff format --check .
	@cd python && mypy
	@dhafnck-db schema lint

bench: setup ## Time provisioning and the commands beside their bare minimum
	@python scripts/bench.py

bench-import: setup ## Time the import beside pgloader and psql's \copy [SIZE=small|big] [RUNS=3]
	@python scripts/bench_import.py --size $(or $(SIZE),small) $(if $(RUNS),--runs $(RUNS))

bench-audit: setup ## Time what the audit trail costs a row [ROWS=50000]
	@python scripts/bench_audit.py $(if $(ROWS),--rows $(ROWS))

bench-serve: setup ## Time the health service under 200 probes at once beside SELECT 1 [SECONDS=60]
	@python scripts/bench_serve.py $(if $(SECONDS),--seconds $(SECONDS))

scoreboard: setup ## Every file of the corpus through pgloader and through this import [WRITE=1 for docs/scoreboard.md]
	@python scripts/scoreboard.py $(if $(WRITE),--write docs/scoreboard.md)

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile python/pyproject.toml --group python/pyproject.toml:ansible --group python/pyproject.toml:dev \
		--universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade --output-file requirements.lock

$(VENV)/.ready: requirements.lock collections.lock requirements.yml python/pyproject.toml scripts/fetch_collections.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make setup PYTHON=python3.11")'
	@echo "installing into .venv and .collections (once; about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@pip install -qq --disable-pip-version-check --require-hashes --no-deps --requirement requirements.lock
	@pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --editable python
	@python scripts/fetch_collections.py
	@touch $@
