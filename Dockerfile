# One image for every program; which one runs is the container's command:
#   telemetry-gateway serve | telemetry-sink run | telemetry-sink run alerts | telemetry-sink console
#   telemetry-infra provision | telemetry-sink migrate
#
# A release pins the base by digest as well: --build-arg PYTHON_IMAGE=python:3.13-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
RUN ["python", "-m", "venv", "/opt/telemetry"]
# --build-constraint, below, needs pip 25.3 or later, whatever the base brings.
RUN ["/opt/telemetry/bin/pip", "install", "--no-cache-dir", "--no-deps", "pip==26.3"]
# First what changes seldom: this layer stays while only our own code changes. Every file is compared
# with its hash, and none is compiled here, so the image needs no compiler.
COPY requirements/server.txt requirements/dev.txt requirements/
RUN ["/opt/telemetry/bin/pip", "install", "--no-cache-dir", "--require-hashes", \
     "--only-binary", ":all:", "--requirement", "requirements/server.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY sinks sinks
COPY infra infra
COPY loadtest loadtest
# The backend that builds the wheel is a locked one too.
RUN ["/opt/telemetry/bin/pip", "wheel", "--no-cache-dir", "--no-deps", \
     "--build-constraint", "requirements/dev.txt", "--wheel-dir", "dist", "."]
RUN ["/opt/telemetry/bin/pip", "install", "--no-cache-dir", "--no-deps", "--no-index", \
     "--find-links", "dist", "telemetry-gateway"]

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="telemetry-gateway" \
      org.opencontainers.image.description="Phones POST events, Kafka keeps them, ClickHouse stores each once" \
      org.opencontainers.image.licenses="Apache-2.0"
# A new volume takes over owner and mode of the folder it is mounted on: these belong to our user.
RUN install --directory --owner=10001 --group=10001 /var/lib/telemetry \
    /etc/telemetry/secrets/writer /etc/telemetry/secrets/reader /etc/telemetry/secrets/clickhouse \
    /etc/telemetry/secrets/grafana /etc/telemetry/secrets/people
COPY --from=build /opt/telemetry /opt/telemetry
# A container is reached from other hosts; each program reads what has its own prefix.
ENV PATH=/opt/telemetry/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TELEMETRY_GATEWAY_HOST=0.0.0.0 \
    TELEMETRY_GATEWAY_DATA=/var/lib/telemetry \
    TELEMETRY_CONSOLE_HOST=0.0.0.0 \
    TELEMETRY_CONSOLE_TOKENS_PATH=/var/lib/telemetry/console/tokens.json \
    TELEMETRY_SINK_METRICS_HOST=0.0.0.0 \
    TELEMETRY_SINK_METRICS_PORT=9101 \
    TELEMETRY_ALERTS_METRICS_HOST=0.0.0.0 \
    TELEMETRY_ALERTS_METRICS_PORT=9102
# A number, not a name: Kubernetes checks runAsNonRoot by it.
USER 10001:10001
WORKDIR /
EXPOSE 8080 8090 9101 9102
# All programs drain after SIGTERM: the gateway for up to 30 s, sink and alerts for up to 40 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-m", "infra.health", "http://127.0.0.1:8080/readyz"]
CMD ["telemetry-gateway", "serve"]
