# `make` shows what there is. Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
BIN := .venv/bin
# Where Go's own installer puts it; the chart's tests get their tools by it.
export PATH := $(PATH):/usr/local/go/bin
PACKAGES := storage api worker client
PYTEST := $(BIN)/pytest -q
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header
# A folder of your own photos, for demo and benchmark.
export PHOTOS
# What the chart asks for where it is told no other tag.
VERSION := $(shell sed -n 's/^appVersion: *//p' charts/thumbnailer/Chart.yaml)
IMAGES := api worker minio

.DEFAULT_GOAL := help
.PHONY: help demo run images push compose-demo compose-key k8s-up k8s-down watch \
  test test-core test-stores test-chart test-k8s check format benchmark lock clean

help:  ## show this
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/run .photos/ready  ## make thumbnails of real photos: starts everything, shows it, leaves nothing behind
	@$(BIN)/python client/demo/demo.py

run: .venv/run  ## keep API, worker and housekeeper in the foreground on port 8080
	@$(BIN)/python client/demo/run.py

images:  ## build the images of API, worker and MinIO (the last from its source: minutes, the first time)
	@for name in $(IMAGES); do \
	  docker build --file images/$$name/Dockerfile --tag thumbnailer-$$name:dev --tag thumbnailer-$$name:$(VERSION) \
	    --build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null)" \
	    --build-arg CREATED="$$(git log -1 --format=%cI 2>/dev/null)" . || exit 1; \
	done

push:  ## build the images and push them: make push REGISTRY=registry.example.com/you
	@test -n "$(REGISTRY)" || { echo "Say where to: make push REGISTRY=registry.example.com/you" >&2; exit 2; }
	@$(MAKE) --no-print-directory images
	@for name in $(IMAGES); do \
	  docker tag thumbnailer-$$name:$(VERSION) $(REGISTRY)/thumbnailer-$$name:$(VERSION) || exit 1; \
	  docker push $(REGISTRY)/thumbnailer-$$name:$(VERSION) || exit 1; \
	done
	@echo "Now: helm install thumbnailer charts/thumbnailer --set registry=$(REGISTRY)"

k8s-up: .venv/dev .photos/ready images  ## make a kind cluster with KEDA and our images in it, for helm install (some minutes)
	@$(BIN)/python k8s-tests/cluster.py up

k8s-down: .venv/dev  ## remove that cluster
	@$(BIN)/python k8s-tests/cluster.py down

watch: .venv/run  ## draw queue depth beside replicas while it happens: THUMBNAILER_URL, THUMBNAILER_KEY, kubectl's context
	@$(BIN)/python client/demo/watch.py $(WATCH)

compose-demo: .venv/run .photos/ready images  ## the demo on PostgreSQL, MinIO and ElasticMQ, all in containers, which stay up
	@docker compose up --detach --wait || { echo "Ports are API_PORT, POSTGRES_PORT, MINIO_PORT, ELASTICMQ_PORT; docker compose logs says more."; exit 1; }
	@THUMBNAILER_KEY=$$($(MAKE) --silent compose-key) $(BIN)/python client/demo/demo.py --url http://$$(docker compose port api 8080)
	@echo "The service goes on at http://$$(docker compose port api 8080); make compose-key prints its key."
	@echo "docker compose down stops it, docker compose down --volumes forgets its data too."

compose-key:  ## print the first key of the service in containers
	@docker compose exec -T api true 2>/dev/null || { echo "Nothing runs: docker compose up --detach --wait" >&2; exit 1; }
	@docker compose run --rm --no-deps -T migrate cat /data/first-key

test: check test-core test-chart test-stores test-k8s  ## run every test that this machine can run, and say what was left out

test-core: .venv/dev .cache/pillow-images/ready  ## the tests that need no container
	$(PYTEST) -n 2 -m "not stores and not k8s and not chart"

test-stores: .venv/dev  ## the tests on real stores in containers; builds the images first
	@! docker info >/dev/null 2>&1 || $(MAKE) --no-print-directory images
	$(PYTEST) -n 2 --dist loadfile -m "stores and not k8s"

test-chart: .venv/dev .cache/tools/ready  ## the tests of chart, alerts, skaffold.yaml and workflows, without a cluster
	$(PYTEST) -m chart -n 2 charts/tests

test-k8s: .venv/dev  ## the tests on a kind cluster
	@! docker info >/dev/null 2>&1 || $(MAKE) --no-print-directory images
	$(PYTEST) -m k8s -n 3 --dist loadfile k8s-tests

check: .venv/dev  ## lint, formatting, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy client/demo/*.py
	$(BIN)/lint-imports

format: .venv/dev  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: .venv/dev .photos/ready  ## measure the pipeline beside plain Pillow, and jobs end to end (minutes)
	$(BIN)/python benchmarks/pipeline.py
	PYTHONPATH=tests $(BIN)/python benchmarks/end_to_end.py --megapixels 1 --workers 1 2 4
	@! docker info >/dev/null 2>&1 || PYTHONPATH=tests $(BIN)/python benchmarks/end_to_end.py --megapixels 1 --workers 1 2 4 --stores containers

lock: .venv/dev  ## renew the hash-locked requirements from the .in files
	for name in run dev; do \
	  $(COMPILE) requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
	for name in api worker build; do \
	  $(COMPILE) --constraint requirements/run.txt requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
	$(COMPILE) --no-deps requirements/photos.in -o requirements/photos.txt
	@echo "pillow-images.txt is renewed by hand: the version of run.txt, and the hash of its source package"

clean:  ## remove what the targets made, but not data/, where `make run` keeps its jobs
	rm -rf .venv .photos .cache thumbnails dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Two sets of packages: what the service needs, and what checking it needs on top. dev.txt contains run.txt.
.venv/run: requirements/run.txt $(addsuffix /pyproject.toml,$(PACKAGES)) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

.venv/dev: requirements/dev.txt | .venv/run
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/it")'
	$(PYTHON) -m venv .venv

# Helm 4, helm-docs, kube-score, actionlint, promtool: for the chart's tests.
.cache/tools/ready: charts/tests/get-tools
	@charts/tests/get-tools .cache/tools
	@touch $@

# The photos of scikit-image's wheel, without its dependencies.
.photos/ready: requirements/photos.txt | .venv/run
	@mkdir -p .photos
	$(BIN)/python -m pip download --quiet --no-deps --require-hashes --only-binary :all: --dest .photos -r requirements/photos.txt
	@$(BIN)/python client/demo/photos.py
	@touch $@

# Pillow's own test images, good and broken; the version is that of run.txt.
.cache/pillow-images/ready: requirements/pillow-images.txt | .venv/run
	$(BIN)/python -m pip download --quiet --no-deps --require-hashes --dest .cache/pillow-images -r requirements/pillow-images.txt
	@touch $@
