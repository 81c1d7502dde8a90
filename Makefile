# make demo   install into .venv, run the embedded experiment, say where the results are
# make check  install test extras too, then lint and run the tests that neither train nor run Snakemake (two minutes)
# make test   lint and run all tests
# make test-cluster  the whole smoke configuration on a SLURM of two nodes, locally and without submitit; trainings on both
# make faults  kill, damage, fill and interrupt (docs/use/reliability.md): a line for each fault, none may lose anything
# make bench  install lightly, measure against it (10 minutes) and rewrite the tables of docs/understand/performance.md
# make bench-check  compare the most telling ratios with benchmarks/baseline.json
# make gpu-check  check the GPU path on one CUDA device and measure it beside its peers (8 minutes; ARGS="--only idle")
# make package  build the wheels and try them in an empty environment outside the checkout (3 minutes)
# make ci     what .github/workflows/ runs on Linux: make test and make package
# make audit  look up known vulnerabilities of the pinned packages (needs the network)
# make schema rewrite what is generated from the models of settings and records, docstrings and the commands' help
# make readme take the README's table, and the pairs of views of docs/use/working.md, from the last demo
# make results take the tables and figures of docs/understand/results.md from the last runs of config/claim-*.yaml; what has
#               not been run stays
# make first-verdict  take those of docs/record/first-verdict.md and method-trials.md from the last runs of claim and claim-search
# make instrument  take the tables and figures of docs/understand/instrument.md from the last run of config/instrument.yaml
# make peers  take the tables of docs/record/peers.md from the last run of config/peers.yaml
# make peers-search  take the tables of docs/record/peers-search.md from the last run of config/peers-search.yaml
# make clean  remove the environment and caches; results stay
PYTHON ?= python3
SHELL := /bin/bash
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PLUGIN := plugins/snakemake-executor-plugin-submitit
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: demo check test package ci faults test-cluster lint audit bench bench-check gpu-check schema readme results first-verdict instrument peers peers-search clean

demo: .venv/installed
	@$(RUN) snakemake --profile profiles/default all
	@echo
	@echo "Open     results/index.html   (all tables and figures)"
	@echo "Tables   results/tables/      (csv, md, tex, html)"
	@echo "Figures  results/figures/     (svg, png)"
	@echo "Report   results/report.html  (how each was made)"

check: lint
	$(RUN) pytest -n 2 -m 'not slow' --durations 5

test: lint
	$(RUN) pytest -n 3 --dist loadgroup --no-loadscope-reorder --durations 15

test-cluster: .venv/tested
	$(RUN) pytest -m cluster

faults: .venv/tested
	$(RUN) pytest -n 2 --dist loadgroup tests/faults

lint: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy

package: .venv/tested
	.ci/package

ci: test package

audit:
	test -x .venv/audit/bin/pip-audit || $(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip --disable-pip-version-check install pip-audit==2.10.1
	.venv/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement requirements.lock
	.venv/audit/bin/pip-audit --strict --disable-pip --no-deps --requirement requirements-test.lock

.venv/installed: requirements.lock pyproject.toml $(PLUGIN)/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.version_info < (3, 11, 4) and sys.exit("$(PYTHON) is Python " + sys.version.split()[0] + "; mast needs 3.11.4 or later: make PYTHON=<path of one> $(MAKECMDGOALS)")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) install --requirement requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable $(PLUGIN) --editable .
	touch $@

.venv/tested: .venv/installed requirements-test.lock
	$(PIP) install --requirement requirements-test.lock
	touch $@

bench: .venv/benched
	$(RUN) python -m benchmarks

bench-check: .venv/benched
	$(RUN) pytest benchmarks/check.py

# With the packages that are there, in .venv or without one; docs/understand/performance.md says which.
gpu-check:
	$(or $(wildcard $(BIN)/python),$(PYTHON)) -m benchmarks.gpu $(ARGS)

.venv/benched: .venv/tested
	$(PIP) install --constraint requirements.lock --no-build-isolation --editable '.[bench]'
	touch $@

# The configuration's schema and reference, and the references of the artefacts' records, of the Python interface and of
# the commands.
schema: .venv/installed
	$(RUN) mast schema > workflow/schemas/config.schema.json
	sed -i '/^## Every key$$/,$$d' config/README.md
	( echo "## Every key"; echo; $(RUN) mast schema --markdown ) >> config/README.md
	sed -i '/^## Records$$/,$$d' docs/use/formats.md
	( echo "## Records"; echo; $(RUN) mast schema --formats ) >> docs/use/formats.md
	$(RUN) mast schema --api > docs/use/api.md
	$(RUN) mast schema --commands > docs/use/commands.md

# README.md and docs/use/working.md show what `make demo` wrote, unedited.
readme: .venv/installed
	$(RUN) mast fill README.md --results results
	mkdir -p docs/images
	cp results/figures/views.png docs/images/

# The same for the verdict, whose parts are run one by one.
results: .venv/installed
	$(RUN) mast fill docs/understand/results.md --results results --keep-missing
	mkdir -p docs/images/verdict
	for figure in shapes/differences typefaces/differences trend/length; do \
		file=results/claim-$${figure%/*}/figures/$${figure#*/}.png; \
		if [ -f $$file ]; then cp $$file docs/images/verdict/$${figure%/*}.png || exit 1; fi; done

first-verdict: .venv/installed
	$(RUN) mast fill docs/record/first-verdict.md --results results/claim
	$(RUN) mast fill docs/record/method-trials.md --results results/claim-search
	mkdir -p docs/images/claim
	for figure in $$(grep -o 'images/claim/[a-z]*\.png' docs/record/first-verdict.md); do \
		cp results/claim/figures/$${figure##*/} docs/images/claim/ || exit 1; done

instrument: .venv/installed
	$(RUN) mast fill docs/understand/instrument.md --results results/instrument
	mkdir -p docs/images/instrument
	for figure in $$(grep -o 'images/instrument/[a-z]*\.png' docs/understand/instrument.md); do \
		cp results/instrument/figures/$${figure##*/} docs/images/instrument/ || exit 1; done

peers: .venv/installed
	$(RUN) mast fill docs/record/peers.md --results results/peers

peers-search: .venv/installed
	$(RUN) mast fill docs/record/peers-search.md --results results/peers-search

clean:
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build *.egg-info $(PLUGIN)/build $(PLUGIN)/src/*.egg-info
