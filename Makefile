# Bidhall: one word per habit. On a fresh Debian or Ubuntu with python3 (>= 3.11) and make, any word below works as it is.

PY      ?= python3
V       := .venv
BIN     := $(V)/bin
UV      := $(BIN)/uv
# Three on two cores: journeys and watches spend part of their time waiting.
JOBS    ?= 3
# A part of the tests, of whatever tier: T=tests/journeys.
T       :=
# A walk is a browser and a server beside each other.
WALKERS ?= 2
NAMES   ?=
APT     := apt-get install -qy --no-install-recommends
ROOT     = [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null
COMPILE  = $(UV) pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11

PYTEST   = $(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup
# The tiers of `make test` (docs/tests.md); `make ci` runs all.
QUICK   := pure or acts or pages or short_walk

export UV_PYTHON_DOWNLOADS = never
export UV_SYSTEM_CERTS = 1
export UV_NATIVE_TLS = 1
export NO_COLOR = 1
export DEBIAN_FRONTEND = noninteractive
# Kept compiled: a suite that starts many processes would spend half its time compiling where this is set.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check fmt docs bench mutants ci ci-steps lock browser faults lint types contracts race journeys long suite-pg pg-whole pg-choice town walk deadline js wheel release clean long-journeys sizes scanner pictures

help:           ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1@/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "make %-14s %s\n", $$1, $$2 }'

setup: $(V)/.test browser    ## .venv with everything, and a browser for the tests

run: $(V)/.run  ## the platform with its demo town, on http://127.0.0.1:8080
	$(BIN)/bidhall serve --demo

demo: $(V)/.run ## a rehearsal: whole tenders played from notice to proof
	$(BIN)/bidhall demo

test: $(V)/.test browser     ## the quick tiers on SQLite, and a short walk of the served town (T=tests/journeys for a part, of any tier)
	$(PYTEST) $(if $(T),$(T),-m "$(QUICK)")

journeys: $(V)/.test browser ## the journeys in a real browser
	$(PYTEST) -m journeys

long: $(V)/.test browser     ## what takes long: kills, full disks, surges, laws on many histories (make faults and make sizes go further)
	$(PYTEST) -m long

check: lint types contracts  ## what needs no test run: ruff, mypy, import contracts

lint: $(V)/.test             ## ruff, rules and form
	$(BIN)/ruff check .
	$(BIN)/ruff format --check -q .

types: $(V)/.test            ## mypy
	$(BIN)/mypy

contracts: $(V)/.test        ## every import points down
	$(BIN)/lint-imports --no-cache

fmt: $(V)/.test ## mend what ruff can mend, and give the code its form
	$(BIN)/ruff check --fix-only -q .
	$(BIN)/ruff format -q .

pictures: $(V)/.test browser ## the pictures of the documents in docs/pictures anew, by the walks that pass through what they show
	BIDHALL_WALK=whole BIDHALL_PICTURES=docs/pictures $(BIN)/python -m pytest -q -n $(WALKERS) --dist loadgroup $$($(BIN)/python -m tests.walk.pictures)

docs: $(V)/.run ## write docs/reference anew from the code
	$(BIN)/python -m web.reference

race: $(V)/.test             ## a thousand bids on each side of a deadline, with every delay of ours
	$(BIN)/python -m tests.kit.deadline_race 1000

suite-pg: $(V)/.test browser ## what can differ on PostgreSQL, again on a throw-away one
	BIDHALL_TEST_DB=postgres $(BIN)/python -m tests.kit.postgres $(PYTEST) -m pg

pg-whole: $(V)/.test browser ## the same, with those whose statements others send too
	TEST_PG=whole $(MAKE) --no-print-directory suite-pg

pg-choice: $(V)/.test browser ## choose anew which tests run again on PostgreSQL: as few as send every statement
	d=$$(mktemp -d); trap 'rm -rf "$$d"' EXIT; TEST_PG=whole TEST_STATEMENTS="$$d" $(PYTEST) -p tests.kit.statements -m "pg and not long" && \
	$(BIN)/python -m tests.kit.postgres_choice "$$d"

walk: $(V)/.test browser     ## everybody of the served demo town does their work in a real browser, to the last page, in both languages
	BIDHALL_WALK=whole $(BIN)/python -m pytest -q -n $(WALKERS) --dist loadgroup tests/walk

town: $(V)/.test             ## fill the demo town of `make run` and look whether anything in it is late
	BIDHALL_TEST_TOWN=1 $(BIN)/python -m pytest -q tests/web/test_town.py

deadline: $(V)/.test         ## the laws of the availability verdict on 100 000 random histories
	$(BIN)/python -m tests.laws.test_availability 100000

KILLS   ?= 500
faults: $(V)/.test           ## the long kill loops: real servers, at every step and at any moment, KILLS=500 for each path (docs/operate/faults.md)
	BIDHALL_TEST_KILLS=$(KILLS) $(BIN)/python -m pytest -q -s tests/faults -k test_long

attack: $(V)/.test           ## what each adversary of docs/threats.md can try, twin worlds among it; and what a watch tells
	$(PYTEST) $$($(BIN)/python -m tests.kit.threats)
	$(BIN)/python -m tests.kit.watch_in_hand

sizes: $(V)/.test            ## a bid of 5 GiB and a lot of 200 bids, through a real server (docs/operate/sizes.md; takes 16 GiB of disk)
	BIDHALL_TEST_SIZES=1 $(BIN)/python -m pytest -q -s tests/sizes

js:             ## the JavaScript vectors in node, where there is one (the suite runs them too, in node and in the browser)
	@if command -v node >/dev/null; then node tests/js/run.mjs; else echo "******** NO NODE: make test runs the JavaScript vectors in the browser ********"; fi

long-journeys: $(V)/.test browser ## the upload journeys (line cut, browser closed, another computer) with 300 MB instead of 24
	BIDHALL_JOURNEY_MB=300 $(BIN)/python -m pytest -q tests/journeys/test_upload_journey.py

bench: $(V)/.test            ## every benchmark against its rivals (NAMES="seal open" for some)
	@command -v age >/dev/null || { $(ROOT) && { $(APT) age || { apt-get update -q && $(APT) age; }; }; } || echo "age is not installed: its comparison is skipped"
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/bench.txt
	$(BIN)/python -m bench $(NAMES)

mutants: $(V)/.test          ## modules where a mistake costs most, changed on purpose: which changes no quick test notices (NAMES=money for a part)
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/mutants.txt
	$(BIN)/python -m tests.kit.mutants $(NAMES)

# The wheel must carry all it needs: it is installed alone into a bare environment and plays a rehearsal from an empty folder.
wheel: $(V)/.test            ## build the wheel, install it in a bare environment, run doctor and demo from it
	@set -e; d=$$(mktemp -d); trap 'rm -rf "$$d"' EXIT; \
	$(BIN)/python -m pip -q --disable-pip-version-check wheel --no-deps --no-build-isolation -w "$$d" .; \
	$(BIN)/python -m venv --without-pip "$$d/bare"; \
	$(UV) pip install -q --python "$$d/bare/bin/python" --require-hashes -r requirements/run.txt; \
	$(UV) pip install -q --python "$$d/bare/bin/python" --no-deps "$$d"/bidhall-*.whl; \
	mkdir "$$d/empty" "$$d/other"; cd "$$d/empty"; \
	"$$d/bare/bin/bidhall" --help >/dev/null; \
	export BIDHALL_DATA="$$d/data" BIDHALL_MEMORY="$$d/other/log.memory"; \
	"$$d/bare/bin/bidhall" migrate; \
	"$$d/bare/bin/bidhall" doctor; \
	unset BIDHALL_DATA BIDHALL_MEMORY; \
	"$$d/bare/bin/bidhall" demo; \
	echo "the wheel stands alone"

# What an operator installs. PYTHONS="3.11 3.12 3.13" for several, MACHINE=aarch64 for another machine, SIGN=KEY for the release key.
PYTHONS ?=
MACHINE ?= $(shell uname -m)
SIGN    ?=
OUT     ?= dist
release: $(V)/.test          ## the archive of a release from the commit that is checked out, with its sums, signed if SIGN names a key
	$(BIN)/python -m release.build --out "$(OUT)" --pythons "$(PYTHONS)" --machine "$(MACHINE)" --sign "$(SIGN)"

# One filled town for the whole of it.
ci: ## all that a change must pass
	@d=$$(mktemp -d); trap 'rm -rf "$$d"' EXIT; BIDHALL_WALK_TOWN="$$d/town" $(MAKE) --no-print-directory ci-steps

# The short walk is part of the whole one. The tiers in one run: what waits leaves the cores to what reckons.
ci-steps: QUICK := pure or acts or pages or journeys or long
ci-steps: JOBS := 4
ci-steps: lint types contracts scanner test suite-pg town walk
	$(BIN)/python -m bench --quick --json
	@$(MAKE) --no-print-directory wheel

lock: $(V)/.uv  ## resolve the dependencies anew, with hashes
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@# The widest set first: compiled alone, run.txt takes versions that a test dependency forbids.
	$(COMPILE) setup.cfg --all-extras -o requirements/test.txt
	$(COMPILE) setup.cfg --extra reports --extra postgres -c requirements/test.txt -o requirements/run.txt
	$(COMPILE) requirements/bench.in -c requirements/test.txt -o requirements/bench.txt
	$(COMPILE) requirements/mutants.in -c requirements/test.txt -o requirements/mutants.txt

browser: ## a headless Chromium and a Chinese font for the tests, when root; else a banner
	@command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	 { $(ROOT) && { $(APT) chromium-headless-shell || { apt-get update -q && $(APT) chromium-headless-shell; }; }; } || \
	 { echo "****************************************************************"; \
	   echo "**  NO BROWSER: every test that needs one will be SKIPPED.    **"; \
	   echo "**  As root: apt-get install chromium-headless-shell          **"; \
	   echo "****************************************************************"; }
	@find /usr/share/fonts -iname '*cjk*' 2>/dev/null | grep -q . || \
	 { $(ROOT) && { $(APT) fonts-noto-cjk || { apt-get update -q && $(APT) fonts-noto-cjk; }; }; } || \
	 echo "** no Chinese font: pages in screenshots will show boxes (as root: apt-get install fonts-noto-cjk) **"

scanner: ## a real clamd for the tests of quarantine, when root; without it they speak its protocol to a small server of their own
	@command -v clamd >/dev/null || { $(ROOT) && { $(APT) clamav-daemon || { apt-get update -q && $(APT) clamav-daemon; }; }; } || \
	 echo "** no clamd: the test with a real scanner will be SKIPPED (as root: apt-get install clamav-daemon) **"

clean: ## forget caches and builds; data folders stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage htmlcov
	find . -name __pycache__ -not -path './.venv/*' -type d -prune -exec rm -rf {} +

$(V)/.uv: requirements/bootstrap.txt
	@$(PY) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || { echo "Python 3.11 to 3.14 is needed (make PY=python3.12 ... names another)"; exit 1; }
	@[ -x $(BIN)/python ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PY) -m venv $(V) 2>/dev/null || \
	 { $(ROOT) && { $(APT) python3-venv || { apt-get update -q && $(APT) python3-venv; }; } && $(PY) -m venv --clear $(V); } || \
	 { echo "python3 has no venv module: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip -q --disable-pip-version-check install --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(V)/.run: $(V)/.uv setup.cfg pyproject.toml requirements/run.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/run.txt
	@$(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(V)/.test: $(V)/.run requirements/test.txt
	@$(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@
