"""The scale bed: thousands of nodes, tens of thousands of pods, one question (`make bench-cluster`).

The objects are written straight through the API: no kubelet runs the pods, and the controller manager is stopped first,
or its node lifecycle controller would mark nodes without heartbeats unreachable and evict everything. API server,
scheduler and Karpenter stay and carry the load. Prints figures, asserts none.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tests.cluster.api import Api, ApiError, KubeObject, wait_for
from tests.cluster.bed import Bed, new_folder, start_bed
from tests.cluster.bot_access import BotAccess, grant_access, wait_for_audit
from tests.cluster.build import ensure_assets
from tests.cluster.components import LOOPBACK
from tests.cluster.counting_proxy import counting_proxy
from tests.cluster.credentials import write_kubeconfig
from tests.cluster.processes import pause, resume, stop
from tests.cluster.workbench import node_pool, pod, requirement

NAMESPACES: Final = 50
WORKERS: Final = 8
QUESTION: Final = "trainer"
_TYPES: Final = (("m5.4xlarge", "16", "64Gi"), ("c6g.2xlarge", "8", "16Gi"), ("r6i.xlarge", "4", "32Gi"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Populated:
    nodes: int
    pods: int
    seconds: float


def populate(bed: Bed, *, nodes: int, pods: int, seconds: float) -> Populated:
    """Creates nodes and running pods until the numbers or the time are reached; returns what there is."""
    api = Api(server=bed.server, ca=bed.ca, token=bed.admin.token, pool_size=WORKERS)
    started = time.monotonic()
    deadline = started + seconds
    # Only the writes count here: whoever watches pods would take half of the machine meanwhile.
    watchers = [process for process in bed.processes if process.name in {"karpenter", "kube-scheduler", "kwok"}]
    pause(watchers)
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda i: _create_namespace(api, i), range(NAMESPACES)))
            made_nodes = _count(pool.map(lambda i: _before(deadline, lambda: _create_node(api, i)), range(nodes)))
            made_pods = _count(
                pool.map(lambda i: _before(deadline, lambda: _create_pod(api, i, made_nodes)), range(pods))
            )
    finally:
        resume(watchers)
        api.close()
    return Populated(nodes=made_nodes, pods=made_pods, seconds=time.monotonic() - started)


def _before(deadline: float, act: Callable[[], None]) -> bool:
    if time.monotonic() > deadline:
        return False
    act()
    return True


def _count(done: Iterable[bool]) -> int:
    return sum(done)


def _create_namespace(api: Api, index: int) -> None:
    name = f"team-{index}"
    try:
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        # The controller manager that would make it is stopped, and admission insists on it.
        api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}})
    except ApiError as error:
        if error.status != 409:
            raise


def _create_node(api: Api, index: int) -> None:
    instance_type, cpu, memory = _TYPES[index % len(_TYPES)]
    name = f"ip-10-{index >> 16}-{index >> 8 & 255}-{index & 255}.ap-northeast-2.compute.internal"
    resources = {"cpu": cpu, "memory": memory, "pods": "58", "ephemeral-storage": "17Gi"}
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {
                    "eks.amazonaws.com/nodegroup": f"group-{index % 20}",
                    "karpenter.sh/capacity-type": "on-demand",
                    "kubernetes.io/arch": "arm64" if instance_type.startswith("c6g") else "amd64",
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "node.kubernetes.io/instance-type": instance_type,
                    "topology.kubernetes.io/zone": f"ap-northeast-2{'abcd'[index % 4]}",
                },
            },
            "spec": {"providerID": f"aws:///ap-northeast-2a/i-{index:017x}"},
            "status": {
                "capacity": resources,
                "allocatable": resources,
                "conditions": [{**condition, "lastTransitionTime": now}],
            },
        }
    )


def _create_pod(api: Api, index: int, nodes: int) -> None:
    namespace, name = f"team-{index % NAMESPACES}", f"service-{index % 400}-5d9c7b8f6-{index:05d}"
    node = index % nodes
    host = f"ip-10-{node >> 16}-{node >> 8 & 255}-{node & 255}.ap-northeast-2.compute.internal"
    api.create(_pod(namespace, name, host, index))
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ready = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in ("Ready", "ContainersReady")]
    status = {
        "phase": "Running",
        "conditions": ready,
        "startTime": now,
        "podIP": f"10.{index >> 16}.{index >> 8 & 255}.1",
    }
    api.patch("v1", "Pod", name, {"status": status}, namespace=namespace, subresource="status")


def _pod(namespace: str, name: str, host: str, index: int) -> KubeObject:
    app = f"service-{index % 400}"
    environment = [{"name": f"SETTING_{number}", "value": f"value-{number}-of-{app}"} for number in range(12)]
    requests = {"cpu": "100m", "memory": "200Mi"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/name": app, "pod-template-hash": "5d9c7b8f6"},
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"},
        },
        "spec": {
            "nodeName": host,
            "containers": [
                {
                    "name": part,
                    "image": f"example.com/{app}/{part}:1",
                    "env": environment,
                    "resources": {"requests": requests},
                }
                for part in ("app", "sidecar")
            ],
        },
    }


def ask(bot: BotAccess, times: int) -> Iterator[dict[str, object]]:
    """Asks `why` of the one pending pod, each time as a fresh process, through a proxy that counts bytes."""
    for _ in range(times):
        before = len(bot.requests())
        with counting_proxy(int(bot.bed.server.rpartition(":")[2])) as traffic:
            path = bot.bed.folder / "counted.kubeconfig"
            server = f"https://{LOOPBACK}:{traffic.port}"
            write_kubeconfig(path, server=server, ca=bot.bed.ca, token=bot.token)
            outcome = bot.run("why", f"default/{QUESTION}", "-o", "json", kubeconfig=path)
        wait_for_audit()
        yield {
            "exit": outcome.exit_code,
            "causes": [cause["id"] for cause in outcome.answer()["causes"]] if outcome.exit_code == 0 else [],
            "seconds": round(outcome.seconds, 2),
            "botMs": outcome.answer().get("elapsedMs") if outcome.exit_code == 0 else None,
            "peakMiB": round(outcome.peak_mib),
            "apiCalls": len(bot.requests()) - before,
            "receivedKiB": traffic.received // 1024,
            "errors": outcome.errors[-300:],
        }


def _pose_question(bed: Bed) -> None:
    on_p4d = [requirement("node.kubernetes.io/instance-type", "In", "p4d.24xlarge")]
    bed.admin.create(node_pool("gpu", on_p4d))
    bed.admin.create(pod(QUESTION, "default", {"nvidia.com/gpu": "16"}))
    wait_for("Karpenter's refusal", lambda: QUESTION in bed.karpenter_log(), seconds=120)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.scale", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=900, help="stop creating objects after this time")
    parser.add_argument("--times", type=int, default=3, help="how often to ask")
    arguments = parser.parse_args()
    # Leave by the `finally` below: the folder is large.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # The API server allocates for every write; collecting less often nearly doubles how many it takes a second.
    os.environ.setdefault("GOGC", "400")
    folder = new_folder()
    bed = start_bed(ensure_assets(), folder)
    try:
        bot = grant_access(bed)
        _pose_question(bed)
        for row in ask(bot, arguments.times):
            print(json.dumps({"nodes": 1, "pods": 2, **row}), flush=True)
        stop([process for process in bed.processes if process.name == "kube-controller-manager"])
        made = populate(bed, nodes=arguments.nodes, pods=arguments.pods, seconds=arguments.seconds)
        print(
            json.dumps({"created": {"nodes": made.nodes, "pods": made.pods}, "seconds": round(made.seconds)}),
            flush=True,
        )
        settled = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        wait_for(
            "Karpenter to refuse again", lambda: QUESTION in bed.karpenter_log(sinceTime=settled), seconds=600, pause=5
        )
        for row in ask(bot, arguments.times):
            print(json.dumps({"nodes": made.nodes, "pods": made.pods, **row}), flush=True)
    finally:
        bed.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
