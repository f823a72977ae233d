# make demo   sets up, gets MovieLens 100K, trains, compares, recommends
# make test   sets up and runs the tests
# make test-quick  under a minute, between edits: units worked by hand; no browser, cluster, database or service
# make check  format, lint, strict types
# make dist   sdist and wheel in dist/, checked: what they hold, and a fresh environment that runs the demo and serves
# make clients  the types of both clients from the OpenAPI document; the TypeScript client compiled, and what npm would pack
# make docs   the site in build/site: a broken link fails, no network is needed
# make docs-test  runs every block of the guides
# make bench-imports   vectors that TFRS and implicit trained, judged here: docs/guides/from-tfrs.md
# make bench-notebook  butaca beside TensorFlow Recommenders, as ratios
# make bench-quality   the default recipe beside ten peers, five splits, with a verdict on each
# make bench-ablation  what each part of the default recipe is worth: docs/ablation.md
# make bench-shapes    what fit gives on real tables, on seven shapes of data and on a later time: docs/shapes.md
# make bench-ranking   the second stage beside the first alone: docs/ranking.md
# make bench-cold      new users and new titles beside popularity: docs/shapes.md
# make bench-order     what comes next: histories in order beside the baselines and SASRec: docs/order.md
# make bench-scale     25 million interactions on one machine, a million items, how cost grows (SMALL=1): docs/scale.md
# make bench-serve     the service under load on one core: docs/service.md

VENV := .venv
BIN  := $(VENV)/bin
# The first Python 3.11+ that answers; `make demo PYTHON=/path/to/python` overrides.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick check clients dist docs docs-test lock bench-notebook bench-quality bench-ablation bench-shapes bench-cold bench-order bench-ranking bench-serve notebooks clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "butaca needs Python 3.11 or newer with the venv module; none answered on PATH." \
		"Install one (Debian: apt install python3 python3-venv) or run: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Every file is checked against the hashes in requirements/*.txt. butaca itself is installed editable.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.run
	@$(BIN)/butaca demo

# The page is tested in a real browser, Debian's chromium; as root on Debian it is installed here.
$(VENV)/.browser: | $(BIN)/python
	@for b in chromium chromium-browser google-chrome "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do \
		command -v "$$b" >/dev/null && touch $@ && exit 0; done; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
			chromium fonts-dejavu-core >/dev/null && touch $@; \
	else echo "The page's tests need chromium (Debian: apt install chromium)" >&2; exit 1; fi

# What trains on Ray starts some forty processes, which beside other tests take minutes and here seconds: first.
ON_RAY := tests/scale/test_ray_training.py tests/scale/test_ray_recipes.py

# Four at a time: services and clusters that are started and killed wait for part of their time. Modules are
# compiled once, also where the environment asks Python to write no bytecode: a process in five is a command.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.dev $(VENV)/.browser
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ON_RAY) $(PYTEST_ARGS)
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not alone and not guides" \
		$(ON_RAY:%=--ignore=%) $(PYTEST_ARGS)
	$(BIN)/python -m pytest -m alone $(shell grep -rl --include='test_*.py' 'pytest.mark.alone' tests) $(PYTEST_ARGS)

# The files that start no process and fit little; what it leaves out (serve, cli, report, scale), `make test` runs.
QUICK := baselines/test_baselines data/test_dataset data/test_histories data/test_merge data/test_splits \
	data/test_vocabulary evaluate/test_evaluate evaluate/test_verdict events/test_experiments \
	files/test_files house/test_circles house/test_rooms index/test_index model/test_features model/test_rows \
	model/test_subspace model/test_tiles rank/test_edges rank/test_graded recommend/test_additions \
	train/test_batches train/test_slots two_tower/test_settings workflows/test_about workflows/test_plans

test-quick: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile $(QUICK:%=tests/%.py) $(PYTEST_ARGS) \
		--deselect tests/events/test_experiments.py::test_from_the_store_to_a_difference  # needs PostgreSQL

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

$(VENV)/.docs: requirements/docs.txt $(VENV)/.dev
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/docs.txt
	@touch $@

clients: $(VENV)/.dev
	$(BIN)/python -m clients.generate
	cd clients/typescript && npm install --no-package-lock --no-audit --no-fund && npx tsc --project .
	$(BIN)/python -m clients.made
	$(BIN)/python -m clients.packed

$(VENV)/.dist: requirements/dist.txt $(VENV)/.dev
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements/dist.txt
	@touch $@

# TAG=v0.1.0 checks that a tag names the version that is built.
dist: $(VENV)/.dist
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python -m release $(if $(TAG),--tag $(TAG))

bench-notebook: $(VENV)/.dev
	$(BIN)/python -m benchmarks.notebook

bench-imports: $(VENV)/.dev
	$(BIN)/python -m benchmarks.imports --markdown docs/guides/from-tfrs.md

# NO_MKDOCS_2_WARNING: what mkdocs-material prints of its successor.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Every block of the guides, run as it stands; a minute or two.
docs-test: $(VENV)/.dev
	$(BIN)/python -m pytest -m guides $(PYTEST_ARGS)

bench-quality: $(VENV)/.dev
	$(BIN)/python -m benchmarks.quality.recommenders
	$(BIN)/python -m benchmarks.quality

bench-ablation: $(VENV)/.dev
	$(BIN)/python -m benchmarks.shapes.ablation --markdown docs/ablation.md

bench-shapes: $(VENV)/.dev
	$(BIN)/python -m benchmarks.shapes --markdown docs/shapes.md
	$(BIN)/python -m benchmarks.shapes.seven --markdown docs/shapes.md
	$(BIN)/python -m benchmarks.shapes.temporal --markdown docs/shapes.md

bench-cold: $(VENV)/.dev
	$(BIN)/python -m benchmarks.shapes.cold --markdown docs/shapes.md

bench-order: $(VENV)/.dev
	$(BIN)/python -m benchmarks.order.baselines --markdown docs/decisions/019-order.md
	$(BIN)/python -m benchmarks.order --markdown docs/order.md
	$(BIN)/python -m benchmarks.order.sasrec --markdown docs/order.md

bench-ranking: $(VENV)/.dev
	$(BIN)/python -m benchmarks.ranking --markdown docs/ranking.md

bench-scale: $(VENV)/.dev
	$(BIN)/python -m benchmarks.scale $(if $(SMALL),--small,--markdown docs)

bench-serve: $(VENV)/.dev
	$(BIN)/python -m benchmarks.serving

# Runs the notebooks again and keeps their outputs.
notebooks: $(VENV)/.dev
	$(BIN)/python -m tests.examples.test_notebooks
	$(BIN)/python -m examples.tasks.notebooks

# Recompiles the hash-locked requirements (needs uv on PATH, and UV_FIND_LINKS for PyTorch's CPU wheels). No file
# names an index.
lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		pyproject.toml --extra build --extra rank --extra serve -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		pyproject.toml --extra dev -c requirements/run.txt -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		requirements/build.in -c requirements/run.txt -o requirements/build.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		requirements/dist.in -c requirements/dev.txt -o requirements/dist.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		requirements/docs.in -c requirements/dev.txt -o requirements/docs.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		requirements/serve.in -c requirements/dev.txt -o requirements/serve.txt
	uv pip compile --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		benchmarks/requirements-tfrs.in -o benchmarks/requirements-tfrs.txt
	uv pip compile --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		benchmarks/requirements-peers.in -o benchmarks/requirements-peers.txt
	uv pip compile --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade \
		benchmarks/requirements-sasrec.in -o benchmarks/requirements-sasrec.txt

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache
