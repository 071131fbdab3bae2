# The service of `inceptions serve`, for weights that are mounted at /models:
#   docker build -t inceptions .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -v "$PWD/runs/photos-googlenet-1:/models/photos:ro" inceptions
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/inceptions
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
# The wheels of torch without CUDA are a tenth of the size: pass their index as --build-arg PIP_EXTRA_INDEX_URL=…
ARG PIP_EXTRA_INDEX_URL=
RUN PIP_EXTRA_INDEX_URL="$PIP_EXTRA_INDEX_URL" /opt/inceptions/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.11-slim
COPY --from=build /opt/inceptions /opt/inceptions
# Nobody in particular, who owns nothing; caches go where a tmpfs may be.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin inceptions
USER 10001:10001
ENV PATH=/opt/inceptions/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp INCEPTIONS_HOME=/tmp/inceptions \
    MPLCONFIGDIR=/tmp/matplotlib
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["inceptions", "serve", "--host", "0.0.0.0", "--port", "8000"]
CMD ["/models/photos"]
