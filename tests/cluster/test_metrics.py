"""Karpenter's metrics through a real API server's proxy, with just the role of rbac-read-metrics.yaml, and without it.

The kwok provider's Karpenter publishes no offerings (the AWS provider does), so a page of the AWS provider's form stands in for
them at the end: what is shown here is the way there and the right, and that a Karpenter without that metric costs one line.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest

from bot.karpenter.metrics import METRIC, metrics_page
from tests.cluster.api import wait_for
from tests.cluster.bot_access import READ_ROLE, BotAccess, granted, manifests_of, wait_for_audit
from tests.cluster.components import KARPENTER_NAMESPACE, REGION
from tests.cluster.workbench import SECONDS

pytestmark = pytest.mark.cluster

METRICS_ROLE: Final = READ_ROLE.with_name("rbac-read-metrics.yaml")
NAME: Final = "karpenter"
STAND_IN: Final = "karpenter-beside-the-cluster"
GONE: Final = ("p4d.24xlarge", f"{REGION}a", "on-demand")


def outward() -> str:
    """This machine's own address: the API server's proxy goes to no loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))  # nothing is sent
        address: str = sock.getsockname()[0]
    return address


def behind(bot: BotAccess, port: int) -> None:
    """The chart's Service, with that port of this machine behind it, as that of a pod: the proxy goes to pods alone
    (kubernetes pkg/registry/core/service/storage/storage.go, ResourceLocation)."""
    admin, address = bot.bed.admin, outward()
    ports = [{"name": "http-metrics", "port": port}]
    metadata = {"name": NAME, "namespace": KARPENTER_NAMESPACE}
    admin.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}})
    spec = {"schedulerName": "nobody", "containers": [{"name": "main", "image": "example.com/x:1"}]}
    admin.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {**metadata, "name": STAND_IN}, "spec": spec})
    status = {"status": {"podIP": address, "podIPs": [{"ip": address}]}}
    admin.patch("v1", "Pod", STAND_IN, status, namespace=KARPENTER_NAMESPACE, subresource="status")
    target = {"kind": "Pod", "name": STAND_IN, "namespace": KARPENTER_NAMESPACE}
    subsets = [{"addresses": [{"ip": address, "targetRef": target}], "ports": ports}]
    admin.apply({"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets})


@contextmanager
def page_of_awss_karpenter() -> Iterator[int]:
    """Serves a metrics page as Karpenter's AWS provider writes it; yields the port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = metrics_page([GONE]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def offerings(bot: BotAccess) -> tuple[list[str], list[dict[str, Any]]]:
    """What the answer lacks of the metrics, and its rows."""
    answer = bot.run("offerings", "p4d.24xlarge", "--region", REGION, "-o", "json").answer()
    return [gap for gap in answer["missing"] if gap.startswith("Karpenter's metrics")], answer["offerings"]


def test_the_metrics_are_read_with_their_own_role_and_missed_without_it(bot: BotAccess) -> None:
    behind(bot, bot.bed.metrics_port)
    try:
        missing, rows = offerings(bot)
        denied = f"no permission to get services/proxy {NAME}:http-metrics in namespace {KARPENTER_NAMESPACE}"
        assert missing == [f"Karpenter's metrics: {denied}"]
        assert rows
        for manifest in manifests_of(METRICS_ROLE):
            bot.bed.admin.apply(manifest)
        # the role and the endpoints take a moment to reach the API server's caches
        wait_for("Karpenter's page", lambda: METRIC in str(offerings(bot)[0]), seconds=SECONDS)
        assert offerings(bot)[0] == [f"Karpenter's metrics: no replica that answered publishes {METRIC}"]
        with page_of_awss_karpenter() as other:
            behind(bot, other)
            wait_for("the page that stands in", lambda: not offerings(bot)[0], seconds=SECONDS)
            told = {(r["zone"], r["capacityType"]) for r in offerings(bot)[1] if r["unavailableInMetrics"]}
            assert told == {(GONE[1], GONE[2])}
        wait_for_audit()
        assert granted(METRICS_ROLE) <= bot.used()
    finally:
        for kind in ("Endpoints", "Service"):
            bot.bed.admin.delete("v1", kind, NAME, KARPENTER_NAMESPACE)
        bot.bed.admin.delete("v1", "Pod", STAND_IN, KARPENTER_NAMESPACE, gracePeriodSeconds="0")
        for manifest in manifests_of(METRICS_ROLE):
            where = manifest["metadata"]
            bot.bed.admin.delete(manifest["apiVersion"], manifest["kind"], where["name"], where["namespace"])
