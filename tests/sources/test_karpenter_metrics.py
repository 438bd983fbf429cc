"""What Karpenter's own metrics call unavailable, read through the API server; and what it costs where they cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from bot.karpenter.metrics import METRIC, metrics_page, unavailable_offerings
from bot.model.objects import ObjectMeta
from bot.model.world import World
from bot.sources.cluster import Cluster
from bot.sources.controller import ControllerPod
from bot.sources.karpenter_metrics import METRICS, service_of
from bot.sources.kube_api import open_connection
from tests.fakes.kube import Fault, serving
from tests.sources.manifests import CLUSTER, LOGS
from tests.sources.test_cluster import NOW

WHERE: Final = "kube-system/karpenter:http-metrics/metrics"
PROXY: Final = "/api/v1/namespaces/kube-system/services/karpenter:http-metrics/proxy/metrics"
GONE: Final = ("p5.48xlarge", "ap-northeast-2a", "spot")
PAGE: Final = metrics_page([GONE]) + f'{METRIC}{{capacity_type="spot",instance_type="p5.48xlarge",zone="b"}} 1\n'
FOLLOWER: Final = Fault(body=b"# TYPE controller_runtime_active_workers gauge\n", times=2)


async def read(
    folder: Path, pages: Mapping[str, str], faults: Mapping[str, Fault] | None = None
) -> tuple[World, list[str]]:
    async with (
        serving(CLUSTER, logs=LOGS, faults=faults) as fake,
        await open_connection(kubeconfig=str(fake.kubeconfig(folder))) as connection,
    ):
        fake.pages = {name: page.encode() for name, page in pages.items()}
        cluster = Cluster(connection)
        world = await cluster.observe_unavailable(World(now=NOW))
        return world, [path for path in fake.paths if "/services/" in path]


async def test_what_karpenter_calls_unavailable_comes_through_the_proxy(tmp_path: Path) -> None:
    world, paths = await read(tmp_path, {WHERE: PAGE})
    assert world.unavailable_in_metrics == {GONE}
    assert (world.missing, paths) == ((), [PROXY])


async def test_a_replica_that_does_not_lead_is_passed_over(tmp_path: Path) -> None:
    world, paths = await read(tmp_path, {WHERE: PAGE}, {"/proxy/metrics": FOLLOWER})
    assert world.unavailable_in_metrics == {GONE}
    assert len(paths) == 3


@pytest.mark.parametrize(
    ("pages", "faults", "why"),
    [
        (
            {WHERE: PAGE},
            {"/proxy/metrics": Fault(status=403, message="forbidden")},
            "no permission to get services/proxy karpenter:http-metrics in namespace kube-system",
        ),
        ({}, {}, "there is no Service karpenter:http-metrics in namespace kube-system"),
        ({WHERE: "# nothing of AWS's\n"}, {}, f"no replica that answered publishes {METRIC}"),
        (
            {WHERE: PAGE},
            {"/proxy/metrics": Fault(status=503, message="no endpoints available")},
            "HTTP 503 when asked to get services/proxy karpenter:http-metrics in namespace kube-system: no endpoints",
        ),
        ({WHERE: PAGE}, {"/proxy/metrics": Fault(status=401, message="log in")}, "does not accept the credentials"),
    ],
)
async def test_metrics_that_cannot_be_read_cost_one_line(
    tmp_path: Path, pages: Mapping[str, str], faults: Mapping[str, Fault], why: str
) -> None:
    world, _ = await read(tmp_path, pages, faults)
    assert world.unavailable_in_metrics == frozenset()
    [gap] = world.missing
    assert gap.what == METRICS
    assert why in gap.why


def test_the_service_is_named_as_the_chart_names_it() -> None:
    def named(release: str) -> str:
        return service_of(ControllerPod(metadata=ObjectMeta(labels={"app.kubernetes.io/instance": release})))

    assert [named(r) for r in ("karpenter", "", "prod", "my-karpenter", "Not/AName")] == [
        "karpenter", "karpenter", "prod-karpenter", "my-karpenter", "karpenter",
    ]  # fmt: skip


def test_a_page_says_what_it_was_made_of() -> None:
    offerings = frozenset({GONE, ("g6e.xlarge", "ap-northeast-2c", "on-demand")})
    assert unavailable_offerings(metrics_page(offerings)) == offerings
