# One image for the API, the worker and every command.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 footnote \
 && mkdir /data && chown footnote /data
WORKDIR /app

# PyPI's torch brings CUDA. For a CPU image name an index of CPU builds:
#   docker compose build --build-arg PIP_EXTRA_INDEX_URL=…
ARG PIP_EXTRA_INDEX_URL=
COPY constraints.txt pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir -c constraints.txt torch

COPY footnote footnote
COPY rag rag
COPY indexer indexer
COPY rewards rewards
COPY api api
COPY openlora openlora
COPY cli cli
COPY contracts_abi contracts_abi
RUN pip install --no-cache-dir -c constraints.txt ".[cpu,fast]"

USER footnote
ENV FOOTNOTE_HOME=/data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["footnote"]
CMD ["serve", "--host", "0.0.0.0"]
