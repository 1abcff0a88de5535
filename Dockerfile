# One image for the gateway and, as the target `mocks`, for its mock upstreams.
#
#   docker build -t proxy-composer .
#   docker run --rm --read-only -p 8000:8000 -v "$PWD:/etc/proxy-composer:ro" proxy-composer
#
# The paths of the base image's Python appear nowhere, so any image with a Python 3.11 or newer will do.
FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# What changes seldom comes first: an edit of the code does not install the dependencies again.
COPY requirements/core.lock requirements/build.lock requirements/
RUN python3 -m venv /opt/proxy-composer \
    && /opt/proxy-composer/bin/python -m pip install --require-hashes -r requirements/core.lock \
    && python3 -m venv /opt/build \
    && /opt/build/bin/python -m pip install --require-hashes -r requirements/build.lock
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY mock_upstreams mock_upstreams
COPY proxy proxy
# The image has no use for pip. Bytecode is compiled here, because at run time nothing may be written.
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /tmp/wheel . \
    && /opt/proxy-composer/bin/python -m pip install --no-deps --no-index --no-compile /tmp/wheel/*.whl \
    && /opt/proxy-composer/bin/python -m pip uninstall --yes pip \
    && /opt/build/bin/cyclonedx-py environment --output-reproducible -o /opt/proxy-composer/sbom.cdx.json \
        /opt/proxy-composer/bin/python \
    && /opt/proxy-composer/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/proxy-composer

FROM python:3.13-slim AS runtime
ENV PATH=/opt/proxy-composer/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /opt/proxy-composer /opt/proxy-composer
# A number, not a name: Kubernetes' runAsNonRoot can check it. It owns no file and needs none.
USER 10001:10001
WORKDIR /

FROM runtime AS mocks
EXPOSE 9001 9002
ENTRYPOINT ["python", "-m", "mock_upstreams"]
CMD ["all", "--host", "0.0.0.0"]

# The last stage is what `docker build` makes unless it is told otherwise.
FROM runtime AS gateway
# 8000 is the traffic. The admin listener, 8001, stays on the container's loopback unless told otherwise.
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["proxy-composer", "health"]
# No shell in between: the gateway itself is process 1, so that SIGTERM drains it and SIGHUP reloads it.
ENTRYPOINT ["proxy-composer"]
CMD ["serve", "--config", "/etc/proxy-composer/routes.yaml", "--host", "0.0.0.0", "--port", "8000"]
