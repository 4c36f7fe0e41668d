# make demo: the main job on real MNIST, from nothing to a report. make app: the page in a browser.
# make test: everything that CI runs. make check: the part of it to run at every change.
IS_SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(firstword $(foreach each,python3.11 python3.12 python3.13 python3 python,\
  $(shell $(each) -c '$(IS_SUITABLE)' 2> /dev/null && echo $(each))))
REQUIREMENTS := $(if $(filter Darwin-arm64,$(shell uname -sm | tr ' ' -)),requirements-mac.txt,requirements-cloud.txt)
RUN := .venv/bin/python

.PHONY: demo app sample styles benchmark study chaos fuzz robustness explanations lesson readme test check quick lint style types format requirements clean other-python

demo: .venv/installed
	$(RUN) src/prepare_data.py
	$(RUN) src/train_cnn.py --name demo_cnn --epochs 6
	$(RUN) src/predict.py my_digits/sample/7
	$(RUN) src/evaluate.py --models demo_cnn mnist_cnn mnist_advanced mnist_logistic \
	  --output-dir reports/demo/evaluation
	$(RUN) src/evaluate_robustness.py --quick --models demo_cnn mnist_cnn mnist_advanced mnist_logistic \
	  --output-dir reports/demo/robustness --restart
	$(RUN) src/visualize_features.py --models demo_cnn mnist_mlp --shift-digits 50 --tsne-digits 500 \
	  --output-dir reports/demo/explanations
	@echo 'Draw a digit yourself: make app'

# glibc gives freed blocks of half a megabyte back at once: 35 MB less for the server.
app: .venv/installed
	MALLOC_MMAP_THRESHOLD_=500000 $(RUN) src/app.py

test: .venv/installed lint
	$(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Types take as long as the quick tests, those that need neither TensorFlow nor the page nor a script.
check: .venv/installed style
	@$(MAKE) --no-print-directory --jobs 2 types quick

quick: .venv/installed
	$(RUN) -m pytest -m 'not slow'

lint: style types

style: .venv/installed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/lint-imports --no-cache --no-logo

types: .venv/installed
	.venv/bin/pyright

format: .venv/installed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# make benchmark NAME=recognition: one of benchmarks/*.py, its result kept in benchmarks/results/; real_writers needs
# ARGS="--writers FOLDER", with QMNIST's labels. What a benchmark is compared with
# has an environment of its own where it needs other releases.
PEER := $(if $(filter captum recognition time_to_accuracy,$(NAME)),pytorch,$(NAME))
benchmark: .venv/installed $(if $(wildcard benchmarks/requirements-$(PEER).txt),.venv-$(PEER)/installed)
	TF_CPP_MIN_LOG_LEVEL=3 $(RUN) benchmarks/$(NAME).py $(ARGS)

.venv-%/installed: benchmarks/requirements-%.txt
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# The sweep over the shipped models, whose tables and figure the README and docs/results.md show.
robustness: .venv/installed
	$(RUN) src/evaluate_robustness.py --restart
	mkdir -p docs/robustness
	cp $(addprefix reports/robustness/,summary.json results.csv heat_map.png curves.png samples.png) docs/robustness
	$(MAKE) readme

# The benchmark of the attribution methods on four shipped models, and the pictures that docs/explanations.md shows.
EXPLAINED := mnist_advanced mnist_cnn mnist_mlp mnist_logistic
explanations: .venv/installed
	$(RUN) src/visualize_features.py --models $(EXPLAINED) --benchmark-digits 1000
	mkdir -p docs/explanations
	cp reports/explanations/benchmark.json reports/explanations/*.png docs/explanations
	for model in $(EXPLAINED); do cp reports/explanations/$$model/heat_maps.png docs/explanations/$$model.png; done
	$(MAKE) readme

# make study NAME=shipped: one of docs/studies/*.toml, its results and runs kept beside it; kept runs aren't trained again, but
# for ARGS=--restart. ARGS=--ship puts its models into models/; ARGS="--images FOLDER" lets them read real handwriting, too.
study: .venv/installed
	$(RUN) src/run_study.py docs/studies/$(NAME).toml --keep $(ARGS)
	$(MAKE) readme

# The handwriting of an imagined writer, from MNIST's validation digits, that fine-tuning takes as long as there is no other.
sample: .venv/installed
	rm -rf my_digits/sample
	$(RUN) -m tools.simulated_writers

# Digits in other styles than MNIST's, data/styles.npz; npm fetches the fonts.
styles: .venv/installed
	$(RUN) -m tools.styles

# Runs the classroom notebook and keeps its pictures in it.
lesson: .venv/installed
	$(RUN) -m tools.lesson

# Kills, full disks and sessions at once for ten minutes; damaged files for hours, or fewer of them with ARGS=--count=1000.
chaos fuzz: .venv/installed
	TF_CPP_MIN_LOG_LEVEL=3 $(RUN) -m tools.$@ $(ARGS)

# The README's tables come from the cards, the sweep and the benchmarks.
readme: .venv/installed
	$(RUN) -m tools.readme

# Another Python than the environment's, asked for by name, makes the environment anew.
ifneq ($(filter command environment,$(firstword $(origin PYTHON))),)
ifneq ($(shell $(RUN) -V 2> /dev/null),$(shell $(PYTHON) -V 2> /dev/null))
.venv/installed: other-python
endif
endif
other-python:
	rm -rf .venv

.venv/installed: pyproject.toml requirements-cloud.txt requirements-mac.txt requirements-dev.txt
	@$(or $(PYTHON),false) -c '$(IS_SUITABLE)' || \
	  { echo 'Python 3.11, 3.12 or 3.13 with its module venv is needed (Debian: apt-get install python3-venv). If it has another name: make PYTHON=...'; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS) -r requirements-dev.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Resolves the choices in pyproject.toml anew (what the tools share with the product is pinned by the product alone), and
# checks that the result can be installed from wheels with each Python on each platform.
COMPILE := .venv/bin/uv pip compile --quiet --upgrade --no-config --python-version 3.11 --no-annotate \
  --custom-compile-command 'make requirements' --universal
requirements: .venv/installed
	$(COMPILE) pyproject.toml --output-file requirements-cloud.txt
	$(COMPILE) --group dev --constraint requirements-cloud.txt \
	  $(addprefix --no-emit-package ,numpy pillow scipy) --output-file requirements-dev.txt
	for python in 3.11 3.12 3.13; do for check in linux:cloud windows:cloud aarch64-apple-darwin:mac; do \
	  MACOSX_DEPLOYMENT_TARGET=14.0 .venv/bin/uv pip compile --quiet --no-config --python-version $$python \
	    --python-platform $${check%:*} --only-binary :all: --output-file /dev/null \
	    requirements-$${check#*:}.txt requirements-dev.txt || exit 1; done; done

clean:
	rm -rf .venv .venv-* reports
