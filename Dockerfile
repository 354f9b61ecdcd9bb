# Two stages: the second holds Python, an environment with the installed wheel, and nothing it was built from.
FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/leaderboard \
    && PIP_CONSTRAINT=.ci/constraints.txt PIP_BUILD_CONSTRAINT=.ci/constraints.txt \
       /opt/leaderboard/bin/pip install --no-cache-dir --disable-pip-version-check '.[oidc,redis]'

FROM python:3.13-slim
ENV PATH=/opt/leaderboard/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
RUN useradd --system --no-create-home --uid 10001 leaderboard
COPY --from=build /opt/leaderboard /opt/leaderboard
USER 10001
WORKDIR /opt/leaderboard
EXPOSE 8000
# http.client, since urllib would send even this through a configured proxy
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, timeout=2); c.request('GET', '/healthz'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["leaderboard"]
CMD ["serve", "--host", "0.0.0.0"]
