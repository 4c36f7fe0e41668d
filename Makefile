# make demo: the main job on real MNIST, from nothing to a report. make app: the page in a browser.
# make test: everything that CI runs.
PYTHON ?= python3.11
REQUIREMENTS := $(if $(filter Darwin-arm64,$(shell uname -sm | tr ' ' -)),requirements-mac.txt,requirements-cloud.txt)
RUN := .venv/bin/python

.PHONY: demo app sample benchmark study robustness explanations readme test lint format requirements clean

demo: .venv/installed
	$(RUN) src/prepare_data.py
	$(RUN) src/train_cnn.py --name demo_cnn --epochs 6 --output-dir reports/demo
	$(RUN) src/predict.py my_digits/sample/7
	$(RUN) src/evaluate.py --models reports/demo/demo_cnn.keras mnist_cnn mnist_advanced mnist_logistic --output-dir reports/demo
	$(RUN) src/evaluate_robustness.py --quick --models reports/demo/demo_cnn.keras mnist_cnn mnist_advanced mnist_logistic \
	  --output-dir reports/demo/robustness --restart
	$(RUN) src/visualize_features.py --models reports/demo/demo_cnn.keras mnist_mlp --drift-digits 50 --map-digits 500 \
	  --output-dir reports/demo/explanations
	@echo 'Draw a digit yourself: make app'

app: .venv/installed
	$(RUN) src/app.py

test: .venv/installed lint
	$(RUN) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .

format: .venv/installed
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

# make benchmark NAME=recognition: one of benchmarks/*.py, its result kept in benchmarks/results/. What it is compared with
# has an environment of its own where it needs other releases.
PEER := $(if $(filter captum recognition time_to_accuracy,$(NAME)),pytorch,$(NAME))
benchmark: .venv/installed $(if $(wildcard benchmarks/requirements-$(PEER).txt),.venv-$(PEER)/installed)
	PYTHONPATH=src TF_CPP_MIN_LOG_LEVEL=3 $(RUN) benchmarks/$(NAME).py

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

# The study of the attribution methods over four shipped models, and the pictures that docs/explanations.md shows.
EXPLAINED := mnist_advanced mnist_cnn mnist_mlp mnist_logistic
explanations: .venv/installed
	$(RUN) src/visualize_features.py --models $(EXPLAINED) --judge 1000
	mkdir -p docs/explanations
	cp reports/explanations/study.json reports/explanations/*.png docs/explanations
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
	PYTHONPATH=src $(RUN) -c "from digits import writers; writers.write_sample()"

# The README's tables come from the cards, the sweep and the benchmarks.
readme: .venv/installed
	PYTHONPATH=src $(RUN) -c "from digits import readme; readme.update()"

.venv/installed: requirements-cloud.txt requirements-mac.txt requirements-dev.txt
	test -x $(RUN) || $(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check -r $(REQUIREMENTS) -r requirements-dev.txt
	touch $@

# Resolves the choices in pyproject.toml anew (what the tools share with the product is pinned by the product alone), and checks that the result can be installed on each platform it is for.
COMPILE := .venv/bin/uv pip compile --quiet --upgrade --no-config --python-version 3.11 --no-annotate \
  --custom-compile-command 'make requirements'
requirements: .venv/installed
	$(COMPILE) pyproject.toml --group cloud --universal --output-file requirements-cloud.txt
	$(COMPILE) pyproject.toml --group mac --python-platform aarch64-apple-darwin --output-file requirements-mac.txt
	$(COMPILE) --group dev --universal --constraint requirements-cloud.txt \
	  $(addprefix --no-emit-package ,numpy pillow scipy) --output-file requirements-dev.txt
	for check in linux:cloud windows:cloud aarch64-apple-darwin:mac; do \
	  .venv/bin/uv pip compile --quiet --no-config --python-version 3.11 --python-platform $${check%:*} \
	    --only-binary :all: --output-file /dev/null requirements-$${check#*:}.txt requirements-dev.txt || exit 1; done

clean:
	rm -rf .venv .venv-* reports
