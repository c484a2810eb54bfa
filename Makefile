# Every target sets up what it needs: Python 3.11 to 3.13 and make are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: install tools lint check test test-faults bench bench-latency bench-sink bench-queries profile sdks \
	demo up lock audit sbom sbom-file dist clean

# The locked versions, each file checked against its hash; then the project itself, editable.
$(READY): pyproject.toml requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "Python 3.11 to 3.13 is needed; choose one with: make PYTHON=python3.13"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

install: $(READY)

# What tests of the deployment files ask: helm itself, and the loader of Docker Compose. They need Go.
GO ?= go
TOOLS := .tools/bin
tools: $(TOOLS)/helm $(TOOLS)/compose-config

$(TOOLS)/helm:
	GOBIN=$(CURDIR)/$(TOOLS) CGO_ENABLED=0 $(GO) install -trimpath -ldflags='-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0

$(TOOLS)/compose-config:
	GOBIN=$(CURDIR)/$(TOOLS) CGO_ENABLED=0 $(GO) install -trimpath github.com/compose-spec/compose-go/v2/cmd@v2.16.2
	mv $(TOOLS)/cmd $@

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

check: lint
	$(BIN)/pytest -q -n auto --dist loadfile tests/unit tests/dist tests/test_docs.py

# Two at a time, as most of them wait for something; a file's tests stay together. Alone are a
# measurement, and controls that must catch a thawed process before Kafka gives it its work anew.
ALONE := tests/integration/test_bench.py tests/e2e/test_sink_exact_controls.py
test: lint
	$(BIN)/pytest -n 2 --dist loadfile tests $(addprefix --ignore=,$(ALONE))
	$(BIN)/pytest $(ALONE)

# What can go wrong, done on purpose for hours: make test-faults [ROW="13 2b"] [SCALE=0.1]
test-faults: $(READY)
	@exec $(BIN)/python -m tests.faults run $(ROW) $(if $(SCALE),--scale $(SCALE))

# CPU per event, ours beside a tuned FastAPI service; latency in an open loop; a stored row's cost.
bench: $(READY)
	@exec $(BIN)/python -m tests.bench.ingest

bench-latency: $(READY)
	@exec $(BIN)/python -m tests.bench.latency

bench-sink: $(READY)
	@exec $(BIN)/python -m tests.bench.sink

# Flame graphs of the gateway under load, into docs/.
profile: $(READY)
	@exec $(BIN)/python -m tests.bench.profile

# What real SDKs do at every fault, into docs/SDKS.md; npm is needed.
sdks: $(READY)
	@exec $(BIN)/python -m tests.sdks table

# CPU of every named query over 5,000,000 events, and of the views on insert.
bench-queries: $(READY)
	@exec $(BIN)/python -m tests.bench.queries

# The whole path on real engines, in a folder of its own that is gone afterwards.
demo: $(READY)
	@data=$$(mktemp -d) && trap '$(BIN)/telemetry-infra down --data "$$data" >/dev/null; rm -rf "$$data"' EXIT \
		&& echo "starting Apache Kafka, ClickHouse, gateway, sink and console" \
		&& $(BIN)/telemetry-infra up --detach --quiet --data "$$data" \
			--gateway-port 0 --clickhouse-port 0 --kafka-port 0 --console-port 0 \
		&& eval "$$($(BIN)/telemetry-infra env --data "$$data")" \
		&& $(BIN)/telemetry-loadtest demo

# The same stack in the foreground; its data stay in ./data.
up: $(READY)
	@exec $(BIN)/telemetry-infra up

# The locks, from pyproject.toml; what still fits stays. Newer versions: make lock UPGRADE=--upgrade
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate \
	--custom-compile-command 'make lock' $(UPGRADE) pyproject.toml
lock: $(READY)
	$(COMPILE) --output-file requirements/base.txt
	$(COMPILE) --extra console --extra alerts --extra retrace --output-file requirements/server.txt \
		--constraint requirements/base.txt
	$(COMPILE) --all-extras --group dev --output-file requirements/dev.txt \
		--constraint requirements/server.txt

# Known vulnerabilities of every locked version. It asks a service: without it nothing is known.
audit: $(READY)
	@for lock in base server dev; do \
		echo "requirements/$$lock.txt"; \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/$$lock.txt || { \
			echo "make audit: no clean bill: either a finding is named above, or the service of"; \
			echo "vulnerabilities did not answer. Then nothing was checked: run it where it can be reached."; \
			exit 1; }; \
	done

# Lists of parts (CycloneDX), of what a gateway and sink need, and with the console and the alerts.
sbom: $(READY)
	@mkdir -p dist
	@for lock in base server; do \
		$(MAKE) --no-print-directory sbom-file LOCK=$$lock SBOM=dist/telemetry-gateway-$$lock.cdx.json; \
	done

sbom-file:
	@$(BIN)/python -W ignore::UserWarning -m cyclonedx_py requirements requirements/$(LOCK).txt \
		--pyproject pyproject.toml --spec-version 1.6 --output-reproducible --output-file $(SBOM)

# Wheel and sdist into dist/, then installed and started under each supported Python that is here.
dist: sbom
	@rm -f dist/*.whl dist/*.tar.gz
	@$(BIN)/python -m build --no-isolation --outdir dist . >dist/build.log 2>&1 || { cat dist/build.log; exit 1; }
	@rm dist/build.log
	@exec $(BIN)/python -m tests.dist dist $(PYTHONS)

clean:
	rm -rf $(VENV) .tools data dist build
