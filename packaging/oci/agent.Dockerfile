# The agent. It shapes the machine that it runs on, so it needs that machine's network:
#   docker run --network host --cap-drop ALL --cap-add NET_ADMIN --cap-add NET_BIND_SERVICE \
#       --cap-add NET_RAW …
# Build from the root of the repository:
#   docker build -f packaging/oci/agent.Dockerfile -t lango-agent .
FROM python:3.13-slim AS build
WORKDIR /src
COPY packaging/requirements packaging/requirements
RUN python -m venv /opt/lango \
 && /opt/lango/bin/pip install --no-cache-dir --require-hashes -r packaging/requirements/run.txt
COPY . .
RUN /opt/lango/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libnftables1 dnsmasq-base \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/lango /opt/lango
ENV GRPC_VERBOSITY=ERROR
VOLUME /var/lib/lango-agent
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/lango/bin/lango-agent"]
CMD ["run", "--config", "/etc/lango/agent.toml"]
