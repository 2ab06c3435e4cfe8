# Baton's tasks. `make help` lists them. Everything lands in .venv/ and build/.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
SOURCE := plugins/module_utils/_baton
BIN := .venv/bin
SEEDS ?= 300
POOL_SEEDS ?= $(SEEDS)
CLUSTER_SEEDS ?= $(SEEDS)
N ?= 5000
FIRST_SEED ?= 1
LAB_WORKERS ?= 3
ENGINE ?= mariadb
TRIALS ?= 20
MINUTES ?= 10
MACHINES ?= 100000
COLLECTION := build/collections/ansible_collections/baton/ha
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

ROOT = @test "$$(id -u)" = 0 || { echo "make $@: run this as root (or with sudo): $(1)" >&2; exit 1; }

.PHONY: help system venv build collection lint check format unit coverage hosts cores lab faults lab-datastores lab-postgresql lab-clusters simulate simulate-large mutate fuzz schema histories molecule failover drivers databases demo demo-clean datastores datastores-down docs tutorial bench bench-plays bench-failover bench-drivers bench-stalls bench-memory bench-pool soak lock audit release test test-long clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 20

system: ## install what tests and demo need from Debian (root or sudo)
	@tools/system-packages

venv: .venv/.stamp ## make .venv with all Python tools

.venv/.stamp: requirements/dev.txt
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed" >&2; exit 1; }
	@echo "-- .venv (a minute or two, once)"
	@$(PYTHON) -m venv .venv 2>/dev/null || { echo "make: $(PYTHON) can't make a virtual environment; run 'make system' first" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/dev.txt 2>&1 | { grep -v 'is ignored: it is neither' || true; }
	@$(BIN)/python -c 'import aiohttp, ansible, requests'
	@touch $@

build: venv collection ## build/batond.pyz, build/batonctl.pyz and the collection's archive
	@$(BIN)/python plugins/plugin_utils/build_zipapps.py $(SOURCE) build
	@$(BIN)/ansible-galaxy collection build --force --output-path build . | tail -n 1

collection: ## make this checkout known as the collection baton.ha, whatever it is called
	@mkdir -p $(dir $(COLLECTION)) && ln -sfn $(CURDIR) $(COLLECTION)

lint: build ## every check of style, types, walls, sanity and documentation
	@tools/lint

check: build build/json-patch-tests/tests.json ## in a minute: style, types, floors, and the unit tests of the files that you changed
	@$(BIN)/python tools/check.py

lock: ## what the role installs from PyPI, with hashes, and the list of it (CycloneDX)
	@tools/lock

audit: ## known faults in what the role installs from PyPI
	@tools/lock audit

format: venv ## let ruff lay out the Python code
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

unit: build build/json-patch-tests/tests.json ## unit tests (real servers on loopback)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests/unit tests/daemon tests/histories

coverage: build build/json-patch-tests/tests.json ## how much of _baton unit tests, real daemons and simulator run, by floor
	@$(BIN)/python tools/coverage.py

build/json-patch-tests/tests.json:
	@$(BIN)/python tests/tools/fetch_json_patch_tests.py build/json-patch-tests

cores: build ## the plays of the unit tests under each ansible-core from the lowest supported to the newest; needs root and podman
	@tools/cores

release: build ## check, build, install afresh and tag: VERSION=x.y.z; DRY_RUN=1 leaves no commit and no tag; REPOSITORY=URL once
	@test -n "$(VERSION)" || { echo "make release: say which, with VERSION=x.y.z" >&2; exit 1; }
	@$(BIN)/python tools/release.py $(VERSION) $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(DRY_RUN),--dry-run)

lab: build ## tests in network namespaces, three at a time as they mostly wait (LAB_WORKERS=n); FAULTS=n FIRST_SEED=m: n faults under load instead; needs root
	$(call ROOT,network namespaces need it)
	@$(BIN)/python $(if $(FAULTS),tests/lab/storm.py --faults $(FAULTS) --seed $(FIRST_SEED),-m pytest -n $(LAB_WORKERS) --dist loadfile tests/lab)

faults: ## a few minutes of `make lab FAULTS=n`; needs root
	@$(MAKE) --no-print-directory lab FAULTS=$(or $(FAULTS),26)

lab-datastores: build ## a set of real servers in network namespaces under n faults: ENGINE=mariadb (beside keepalived) or postgresql, FAULTS=n FIRST_SEED=m; needs root
	$(call ROOT,network namespaces need it)
	@$(BIN)/python tests/lab/datastores/storm.py --engine $(ENGINE) $(if $(FAULTS),--faults $(FAULTS)) --seed $(FIRST_SEED) \
	  $(if $(filter mariadb,$(ENGINE)),--beside $(if $(filter file,$(origin TRIALS)),3,$(TRIALS)))

lab-postgresql: ## make lab-datastores ENGINE=postgresql
	@$(MAKE) --no-print-directory lab-datastores ENGINE=postgresql

lab-clusters: build ## a Galera cluster of two regions and an arbiter in network namespaces under n faults: FAULTS=n FIRST_SEED=m; needs root
	$(call ROOT,network namespaces need it)
	@$(BIN)/python tests/lab/datastores/group_storm.py --faults $(or $(FAULTS),25) --seed $(FIRST_SEED)

simulate: venv ## the core, pools of databases and clusters under seeded schedules: SEEDS=n POOL_SEEDS=n CLUSTER_SEEDS=n FIRST_SEED=m
	@$(BIN)/python tests/simulation/run.py --seeds $(SEEDS) --first-seed $(FIRST_SEED)
	@$(BIN)/python tests/simulation/datastores/run.py --seeds $(POOL_SEEDS) --first-seed $(FIRST_SEED)
	@$(BIN)/python tests/simulation/large.py --clusters 20 --sets 6 --seed $(FIRST_SEED)
	@$(BIN)/python tests/simulation/clusters/run.py --seeds $(CLUSTER_SEEDS) --first-seed $(FIRST_SEED)

simulate-large: venv ## a pool of many sets and clusters whose hosts die at once: CLUSTERS=n SETS=n FIRST_SEED=m
	@$(BIN)/python tests/simulation/large.py --clusters $(or $(CLUSTERS),300) --sets $(or $(SETS),50) --seed $(FIRST_SEED)

mutate: venv ## leave out one rule of the protocol at a time: does the simulator notice?
	@$(BIN)/python tests/simulation/mutate.py $(if $(SEEN),--seen)
	@$(BIN)/python tests/simulation/datastores/mutate.py --seen
	@$(BIN)/python tests/simulation/clusters/mutate.py --seen

build/aiohttp-oldest/.stamp: requirements/oldest-aiohttp.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-conflicts --upgrade --target build/aiohttp-oldest -r $<
	@touch $@

fuzz: build build/aiohttp-oldest/.stamp ## seeded nonsense: frames, links, patches, requests, these on the oldest aiohttp, too; N=plays of each, FIRST_SEED=m
	@PYTHONPATH=build/aiohttp-oldest $(BIN)/python tests/fuzz/run.py --n $(N) --seed $(FIRST_SEED) --kind http
	@$(BIN)/python tests/fuzz/run.py --n $(N) --seed $(FIRST_SEED)

schema: build ## requests made up from the API's description, played against a real daemon; N=requests for each operation and kind
	@BATON_SCHEMA_EXAMPLES=$(if $(filter file,$(origin N)),100,$(N)) $(BIN)/python -m pytest -n 2 tests/unit/adapters/http/test_schema.py

histories: build ## forty clients, two or three daemons and faults, judged by models: SEEDS=n FIRST_SEED=m
	@$(BIN)/python tests/histories/run.py --seeds $(if $(filter file,$(origin SEEDS)),20,$(SEEDS)) --first-seed $(FIRST_SEED)

hosts: ## the images of the systemd hosts, if any is missing; needs root and podman
	$(call ROOT,systemd hosts need it)
	@python3 demo/hosts.py images trixie bookworm trixie:furnished bookworm:furnished

molecule: build ## bootstrap and switch on real systemd hosts; needs root and podman
	$(call ROOT,systemd hosts need it)
	@tools/molecule default

failover: build ## etcd, failover and coming back on real systemd hosts; needs root and podman
	$(call ROOT,systemd hosts need it)
	@tools/molecule failover

drivers: build ## nginx, a script and mail that follow the active on real systemd hosts; needs root and podman
	$(call ROOT,systemd hosts need it)
	@tools/molecule drivers

databases: build ## a MariaDB set, a Galera cluster over regions, and Debian 12 beside 13, on real systemd hosts; needs root and podman
	$(call ROOT,systemd hosts need it)
	@tools/molecule datastores

demo: ## three hosts, one cluster, one leader, one switch under load; needs root
	$(call ROOT,systemd hosts need it)
	@$(MAKE) --no-print-directory system build
	@demo/run

demo-clean: ## remove the demo's hosts and secrets (IMAGES=1: their images, too)
	@python3 demo/hosts.py down --name demo $(if $(IMAGES),--images)
	@rm -rf demo/.baton build/demo*
	@echo "the demo's hosts are gone"

datastores: ## databases on this machine, with Trove's API: HOSTS=n STATE=DIR; nothing else is installed, and it returns when all is ready
	@test -n "$(STATE)" || { echo "make datastores: say where, with STATE=DIR" >&2; exit 1; }
	@$(MAKE) --no-print-directory system build >&2
	@$(BIN)/python demo/datastores.py up --hosts $(or $(HOSTS),3) --state "$(STATE)" --profile $(or $(PROFILE),balanced)

datastores-down: ## end what `make datastores` has begun: STATE=DIR
	@test -n "$(STATE)" || { echo "make datastores-down: say which, with STATE=DIR" >&2; exit 1; }
	@python3 demo/datastores.py down --state "$(STATE)"

docs: venv collection ## the documentation as a site, build/docs: all pages, and one for each module, plugin and role
	@tools/docs

tutorial: build ## the tutorial as a reader does it, every command of it, on three systemd hosts; needs root and podman
	$(call ROOT,systemd hosts need it)
	@$(BIN)/python -m pytest -q -s tests/tutorial

bench: build ## compare-and-patch beside etcd in one run; patch cost against document size
	@$(BIN)/python tests/bench/bench.py

bench-failover: build ## outage of the VIP beside keepalived, in one run: TRIALS=n; needs root
	$(call ROOT,network namespaces need it)
	@$(BIN)/python tests/bench/failover.py --trials $(TRIALS)

bench-drivers: build ## outage of a service that a driver runs, beside keepalived's notify scripts, in one run: TRIALS=n; needs root
	$(call ROOT,network namespaces need it)
	@$(BIN)/python tests/bench/drivers.py --trials $(if $(filter file,$(origin TRIALS)),5,$(TRIALS))

bench-stalls: build ## how long large requests hold the event loop, and whether they cost a lease
	@$(BIN)/python tests/bench/stalls.py

soak: build ## floods of each kind beside a client that must not notice: MINUTES=n
	@$(BIN)/python tests/bench/soak.py --minutes $(MINUTES)

bench-memory: build ## what documents take of the memory of an active and of its passives: MACHINES=n
	@$(BIN)/python tests/bench/memory.py --machines $(MACHINES)

bench-pool: build ## a pool of many hosts and clusters with a real manager and pretended guests: HOSTS=n CLUSTERS=n SETS=n
	@$(BIN)/python tests/bench/pool.py --hosts $(or $(HOSTS),1000) --clusters $(or $(CLUSTERS),300) --sets $(or $(SETS),50)

bench-plays: build ## what coordination costs a play, and how it grows, beside etcd and common modules
	@$(BIN)/python tests/bench/plays.py

test: ## everything that takes less than half an hour, with a summary at the end; needs root
	$(call ROOT,network namespaces and systemd hosts need it)
	@python3 tools/suite.py

test-long: ## what a release needs: all scenarios, coverage, and many more seeds and faults; needs root
	$(call ROOT,network namespaces and systemd hosts need it)
	@python3 tools/suite.py long

clean: ## remove .venv and build
	@rm -rf .venv build
