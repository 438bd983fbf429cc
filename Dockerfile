# The serving bot: locked dependencies in a virtual environment, no compiler, no shell needed, not root.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/run.txt requirements/run.txt
RUN python -m venv /opt/karpenter-bot \
    && /opt/karpenter-bot/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY playbooks playbooks
RUN python -m venv /opt/hatch && /opt/hatch/bin/pip install --no-cache-dir --disable-pip-version-check build \
    && /opt/hatch/bin/python -m build --wheel --outdir /dist \
    && /opt/karpenter-bot/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /dist/*.whl

FROM python:3.12-slim
COPY --from=build /opt/karpenter-bot /opt/karpenter-bot
ENV PATH=/opt/karpenter-bot/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
ENTRYPOINT ["karpenter-bot"]
CMD ["serve"]
