# The serving bot: locked dependencies in a virtual environment, no compiler, no shell needed, not root, a read-only root.
# What it writes goes to /tmp and /var/lib/karpenter-bot: give both a volume.
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements/run.txt requirements/build.txt requirements/
RUN python -m venv /opt/karpenter-bot \
    && /opt/karpenter-bot/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/run.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY bot bot
COPY playbooks playbooks
COPY deploy/manifests deploy/manifests
RUN /opt/build/bin/pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -w /dist . \
    && /opt/karpenter-bot/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps /dist/*.whl \
    && /opt/karpenter-bot/bin/python -m compileall -q /opt/karpenter-bot/lib \
    && /opt/karpenter-bot/bin/pip uninstall -q -y pip

FROM python:3.12-slim
RUN install -d -o 65532 -g 65532 /var/lib/karpenter-bot
COPY --from=build /opt/karpenter-bot /opt/karpenter-bot
ENV PATH=/opt/karpenter-bot/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp \
    KARPENTER_BOT_STORE_URL=sqlite:////var/lib/karpenter-bot/store.sqlite3
WORKDIR /tmp
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["karpenter-bot"]
CMD ["serve"]
