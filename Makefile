# Everything is set up on first use, in .venv; a change of pyproject.toml or of the pins sets it up again.
#
#   make run                          the server, on 127.0.0.1:8000
#   make run ARGS="--port 9000"       with flags of `leaderboard serve`
#   make demo                         one that lets phones in, with a room of the game and its QR code
#   make PYTHON=python3.13 test       with another Python, 3.11 or newer

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PINS := .ci/constraints.txt
# The second is the name that newer versions of pip read when they build the project itself.
PIP = PIP_CONSTRAINT=$(PINS) PIP_BUILD_CONSTRAINT=$(PINS) $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run demo test coverage lint docs screenshots pictures bench bench-quick soak format pins clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

run: $(VENV)/.run ## start the server; ARGS="…" passes flags
	@$(BIN)/leaderboard serve $(ARGS)

demo: $(VENV)/.run ## open a room of the game for everybody here; ARGS="…" passes flags
	@$(BIN)/leaderboard demo $(ARGS)

test: $(VENV)/.test ## run all tests; what the machine lacks is installed where possible, else skipped
	@.ci/test-tools
	$(BIN)/pytest --numprocesses auto --dist loadfile
	$(BIN)/pytest --numprocesses auto --dist loadfile tests/browser

coverage: $(VENV)/.dev ## show the lines that no test runs, browser tests apart; ARGS="…" picks tests
	@.ci/test-tools
	@rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/coverage run -m pytest $(or $(ARGS),--numprocesses auto --dist loadfile); failed=$$?; \
	  $(BIN)/coverage combine --quiet && $(BIN)/coverage html --quiet && $(BIN)/coverage report && exit $$failed

lint: $(VENV)/.dev ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

screenshots: $(VENV)/.test ## pictures of every page to look at, in build/screenshots; ARGS=room takes some
	@.ci/test-tools
	$(BIN)/python -m tests.browser.gallery $(ARGS)

pictures: $(VENV)/.test ## the pictures of the README anew
	@.ci/test-tools
	$(BIN)/python -m tests.browser.gallery --readme

docs: $(VENV)/.docs ## build the documentation's pages into build/docs; a broken reference fails
	$(BIN)/sphinx-build --fail-on-warning --keep-going --nitpicky --quiet docs build/docs
	@echo "$(CURDIR)/build/docs/index.html"

bench: $(VENV)/.test ## measure the server against others (minutes); python -m benchmarks --help has parts
	$(BIN)/python -m benchmarks all

bench-quick: $(VENV)/.test ## the figures to watch daily (under a minute)
	$(BIN)/python -m benchmarks quick

soak: $(VENV)/.test ## the long runs of SECURITY.md (an hour and more): fuzz, storm, stuck, soak
	$(BIN)/python -m tests.fuzz
	$(BIN)/python -m tests.soak storm
	$(BIN)/python -m tests.soak stuck
	$(BIN)/python -m tests.soak soak

format: $(VENV)/.dev ## rewrite to the project's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

pins: ## resolve all dependencies anew and pin them
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	{ sed -n '/^#/p' $(PINS); $(BIN)/python -m pip freeze --exclude-editable; } > $(PINS).new
	mv $(PINS).new $(PINS)

clean: ## remove all that these targets made
	rm -rf $(VENV) build docs/reference dist tests/interop/node_modules .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Debian ships venv, without which there is no pip, as a package of its own.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"This needs Python 3.11 or newer. Name one: make PYTHON=python3.13 …")'
	$(PYTHON) -m venv $(VENV) || { .ci/apt-install python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/.run: EXTRAS := oidc,redis,tls
$(VENV)/.test: EXTRAS := test
$(VENV)/.docs: EXTRAS := docs
$(VENV)/.dev: EXTRAS := dev
$(VENV)/.run $(VENV)/.test $(VENV)/.docs $(VENV)/.dev: pyproject.toml $(PINS) | $(BIN)/pip
	$(PIP) install --quiet --editable '.[$(EXTRAS)]'
	@touch $@
