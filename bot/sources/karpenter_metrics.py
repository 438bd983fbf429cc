"""Karpenter's metrics page, through the API server's proxy to its Service: which offerings Karpenter holds for unavailable.

Optional in every way: it needs a right of its own (deploy/manifests/rbac-read-metrics.yaml) and costs one line without it.
The Service and its port are the chart's (aws/karpenter-provider-aws charts/karpenter/templates/{_helpers.tpl,service.yaml}).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.karpenter.metrics import METRIC, unavailable_offerings
from bot.model.gaps import gap_in
from bot.sources.controller import ControllerPod
from bot.sources.errors import ClusterUnreachable, CredentialsExpired, ReadFailed, missing_read
from bot.sources.reading import Reader
from bot.sources.resources import SERVICES, is_name

METRICS: Final = "Karpenter's metrics"
PORT: Final = "http-metrics"
_CHART: Final = "karpenter"
_INSTANCE: Final = "app.kubernetes.io/instance"
_TRIES: Final = 4
"""The proxy asks a replica at random, and only the leader knows: with two of them, four tries miss it once in sixteen."""
_TEXT: Final = "text/plain"

Unavailable = frozenset[tuple[str, str, str]]
"""(instance type, zone, capacity type)."""


async def observe_unavailable(reader: Reader, pods: Sequence[ControllerPod]) -> Unavailable:
    """What the metrics call unavailable; nothing, with a gap noted, where they cannot be read. Never raises over them."""
    if not pods:
        return frozenset()  # that no Karpenter was found is told already
    namespace, service = pods[0].metadata.namespace, service_of(pods[0])
    port = f"{service}:{PORT}"
    path = SERVICES.path(namespace, port, "proxy/metrics")
    try:
        for _ in range(_TRIES if len(pods) > 1 else 1):
            page = (await reader.get_bytes(path, accept=_TEXT)).decode(errors="replace")
            if METRIC in page:
                return await asyncio.to_thread(unavailable_offerings, page)
    except ReadFailed as failure:
        unread = missing_read(failure, "get", "services/proxy", f" {port} in namespace {namespace}")
        absent = gap_in(METRICS, "no-service", service=port, namespace=namespace)
        reader.lacks(
            absent if failure.status == 404 else replace(unread, what=METRICS, facts={**unread.facts, "of": METRICS})
        )
    except (ClusterUnreachable, CredentialsExpired) as error:
        reader.lacks(gap_in(METRICS, "cluster-silent", error=str(error)))
    else:
        reader.lacks(gap_in(METRICS, "no-metric", metric=METRIC))
    return frozenset()


def service_of(pod: ControllerPod) -> str:
    """The Service's name as the chart makes it of the release's (_helpers.tpl, karpenter.fullname)."""
    release = pod.metadata.labels.get(_INSTANCE, "") or _CHART
    name = release if _CHART in release else f"{release}-{_CHART}"
    return name if is_name(name) else _CHART
