# The controller. Build from the root of the repository:
#   docker build -f packaging/oci/controller.Dockerfile -t lango-controller .
FROM python:3.13-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY packaging/requirements packaging/requirements
RUN python -m venv /opt/lango \
 && /opt/lango/bin/pip install --no-cache-dir --require-hashes -r packaging/requirements/run.txt
COPY . .
RUN npm ci --no-audit --no-fund --ignore-scripts \
 && PYTHONPATH=/src:/src/proto /opt/lango/bin/python -m controller.vendor \
 && /opt/lango/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/lango lango
COPY --from=build /opt/lango /opt/lango
ENV LANGO_STATE_DIR=/var/lib/lango \
    LANGO_HTTP__HOST=0.0.0.0 \
    LANGO_EDGE__HOST=0.0.0.0 \
    GRPC_VERBOSITY=ERROR
USER lango
VOLUME /var/lib/lango
EXPOSE 8080 8443 8444
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s CMD \
    ["/opt/lango/bin/python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["/opt/lango/bin/lango"]
CMD ["run"]
