# Everything a person or CI runs in a checkout. `make help` lists it.

VENV ?= .venv
PYTHON ?= python3

# programs of the virtual environment first; Go where the runner playbook puts it last
export PATH := $(abspath $(VENV))/bin:$(PATH):/usr/local/go/bin
# ansible ignores a configuration in a folder that others may write to, unless told so
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

stamp := $(VENV)/.made-from-requirements
link := .ansible/collections/ansible_collections/kubernaut/coverage
suite := $(VENV)/bin/python tests/tools/suite.py

.DEFAULT_GOAL := help
.PHONY: help set-up demo runner test test-all lint sanity units consumers browser molecule faults journey bench bench-covdata fuzz format docs changelog build teardown clean distclean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

set-up: $(stamp) $(link) ## Python packages into .venv, and the collection where ansible finds it

$(stamp): requirements.txt test-requirements.txt
	@echo "Setting up $(VENV)"
	@$(PYTHON) tests/tools/step.py "virtual environment" -- $(PYTHON) -m venv $(VENV)
	@$(PYTHON) tests/tools/step.py "Python packages" -- $(VENV)/bin/python -m pip install \
	  --disable-pip-version-check --progress-bar off -r requirements.txt -r test-requirements.txt
	@touch $@

# fully qualified names resolve to this working tree; a relative link survives moving the checkout
$(link):
	@mkdir -p $(@D)
	@ln -sfn ../../../.. $@

demo: set-up ## The main job from nothing: ready this machine, then the journey of go-httpbin
	ansible-playbook playbooks/runner.yml
	ansible-playbook playbooks/httpbin.yml
	@cat tests/tools/next-steps.txt

runner: set-up ## Make this machine ready: podman, kind, Go, the node image
	ansible-playbook playbooks/runner.yml

test: set-up ## Everything except slow combinations; the last line has the counts (docs/testing.md)
	@$(suite)

test-all: set-up ## The same with every journey, every fault, every combination and a long fuzz run
	@$(suite) --all

lint: set-up ## yamllint, ruff, mypy, ansible-lint
	@$(suite) lint

sanity: set-up ## ansible-test sanity
	@$(suite) sanity

units: set-up ## The unit and structural tests (some need Go: make runner)
	@$(suite) units

consumers: set-up ## Other tools read the reports: genhtml, lcov, diff-cover, pycobertura, converters (installed where missing)
	@$(suite) consumers

browser: set-up ## The report's page in a real browser, installed where it is missing (needs: make runner)
	@$(suite) browser

molecule: set-up ## Every role on a real cluster; ONLY=role: one of them (needs: make runner)
	@$(if $(ONLY),molecule test --scenario-name $(ONLY) --destroy never,$(suite) data roles)

faults: set-up ## Inject faults into a real cluster and judge the verdicts; ONLY=name,name (needs: make runner)
	@PYTHONPATH=.ansible/collections $(VENV)/bin/python tests/faults/run_faults.py $(ONLY)

journey: set-up ## The journeys as tests, all of them (needs: make runner)
	@$(suite) --all journey

bench: set-up bench-covdata ## The journey against a plain shell script that does the same by hand; the covdata engine
	@$(VENV)/bin/python tests/bench/journey.py

bench-covdata: set-up ## The covdata engine against Go's own tools: time and memory
	@PYTHONPATH=.ansible/collections $(VENV)/bin/python tests/bench/covdata.py

fuzz: set-up ## Damage coverage data N times (SEED=1), see that the engine stands it; CASE=FILE: one of them again
	@$(VENV)/bin/python tests/fuzz/fuzz.py $(if $(CASE),--case $(CASE),--cases $(or $(N),100000) --seed $(or $(SEED),1))

format: set-up ## Put the Python files into the form that lint wants
	@ruff check --fix --quiet . ; ruff format .

docs: set-up ## Write everything that is generated: tables in READMEs, reference pages, the template of the page, the changelog of what is released
	@status=0; export PYTHONPATH=.ansible/collections; \
	for tool in role_readme contract_reference service_pages settings_table verdict_page wiring page_template; do \
	  $(VENV)/bin/python tests/tools/$$tool.py || status=1; \
	done; exit $$status
	@grep -q '^releases: {}' changelogs/changelog.yaml || antsibull-changelog generate

changelog: set-up ## Release the version of galaxy.yml in the changelog: its fragments become CHANGELOG.rst
	@antsibull-changelog release

build: set-up ## The collection as an archive in .cache/build
	@ansible-galaxy collection build --force --output-path .cache/build

teardown: set-up ## Take away every cluster and container that the playbooks made
	ansible-playbook playbooks/teardown.yml

clean: ## Remove what the tests and tools left in this checkout
	rm -rf .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output

distclean: clean ## The same, the virtual environment, and what all checkouts share for their tests
	rm -rf .venv .ansible "$${XDG_CACHE_HOME:-$$HOME/.cache}/kubernaut-coverage-tests"
