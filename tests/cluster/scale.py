"""The scale bed: thousands of nodes, tens of thousands of pods, one question (`make bench-cluster`).

The objects are written straight through the API: no kubelet runs the pods, and the controller manager is stopped first,
or its node lifecycle controller would mark nodes without heartbeats unreachable and evict everything. API server,
scheduler and Karpenter stay and carry the load. Prints figures, asserts none.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from tests.cluster.api import Api, ApiError, KubeObject, wait_for
from tests.cluster.bed import Bed, new_folder, start_bed
from tests.cluster.bot_access import BotAccess, grant_access, wait_for_audit
from tests.cluster.build import REPOSITORY, ensure_assets
from tests.cluster.components import LOOPBACK
from tests.cluster.counting_proxy import counting_proxy
from tests.cluster.credentials import write_kubeconfig
from tests.cluster.processes import pause, resume, stop
from tests.cluster.workbench import Workbench, node_pool, now, pod, requirement

NAMESPACES: Final = 50
WORKERS: Final = 8
DAEMON_SETS: Final = 8
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
            daemons = [_create_daemon_set(api, index) for index in range(DAEMON_SETS)]
            made_pods = _count(
                pool.map(lambda i: _before(deadline, lambda: _create_pod(api, i, made_nodes, daemons)), range(pods))
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
                "images": _images(index),
                "nodeInfo": {"kubeletVersion": "v1.35.0", "architecture": "amd64", **_NODE_INFO},
                "capacity": resources,
                "allocatable": resources,
                "conditions": [{**condition, "lastTransitionTime": now}],
            },
        }
    )


def _images(index: int) -> list[KubeObject]:
    """As many as a kubelet reports (nodeStatusMaxImages): most of what a real Node weighs."""
    names = (f"example.com/team-{(index + number) % 90}/service-{number}" for number in range(50))
    digests = ((name, hashlib.sha256(f"{name} {index % 500}".encode()).hexdigest()) for name in names)
    return [{"names": [f"{name}@sha256:{digest}", f"{name}:1"], "sizeBytes": 98765432} for name, digest in digests]


_NODE_INFO: Final = dict.fromkeys(
    (
        *("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "operatingSystem"),
        *("osImage", "systemUUID"),
    ),
    "as on any node",
)


def _create_daemon_set(api: Api, index: int) -> KubeObject:
    labels = {"app.kubernetes.io/name": f"agent-{index}"}
    template = pod("", "", {"cpu": "50m", "memory": "64Mi"}, restartPolicy="Always")
    return api.create(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": f"agent-{index}", "namespace": "team-0"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
            },
        }
    )


def _create_pod(api: Api, index: int, nodes: int, daemons: Sequence[KubeObject]) -> None:
    """The first few pods of a node are those of the DaemonSets."""
    namespace, name = f"team-{index % NAMESPACES}", f"service-{index % 400}-5d9c7b8f6-{index:05d}"
    number, node = divmod(index, nodes)
    host = f"ip-10-{node >> 16}-{node >> 8 & 255}-{node & 255}.ap-northeast-2.compute.internal"
    made = _pod(namespace, name, host, index)
    if number < len(daemons):
        namespace, name = "team-0", f"agent-{number}-{node:05d}"
        meta = daemons[number]["metadata"]
        owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": meta["name"], "uid": meta["uid"]}
        made["metadata"] |= {"namespace": namespace, "name": name, "ownerReferences": [{**owner, "controller": True}]}
        made["metadata"]["labels"] = {"app.kubernetes.io/name": meta["name"]}
    api.create(made)
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


def ask_anew(bot: BotAccess, question: str) -> dict[str, object]:
    """One `why` of the one pending pod as a fresh process, through a proxy that counts bytes on the wire."""
    before = len(bot.requests())
    with counting_proxy(int(bot.bed.server.rpartition(":")[2])) as traffic:
        path = bot.bed.folder / "counted.kubeconfig"
        server = f"https://{LOOPBACK}:{traffic.port}"
        write_kubeconfig(path, server=server, ca=bot.bed.ca, token=bot.token)
        outcome = bot.run("why", f"default/{question}", "-o", "json", kubeconfig=path)
    wait_for_audit()
    answer = outcome.answer()
    return {
        "process": "fresh",
        "causes": [cause["id"] for cause in answer["causes"]],
        "seconds": round(outcome.seconds, 2),
        "botMs": answer["elapsedMs"],
        "peakMiB": round(outcome.peak_mib),
        "apiCalls": len(bot.requests()) - before,
        "wireKiB": traffic.received // 1024,
    }


def ask_again(bot: BotAccess, question: str, times: int) -> Iterator[dict[str, object]]:
    """The same question several times in one process that lives on, as the serving bot would (tests/cluster/warm.py)."""
    command = [sys.executable, "-m", "tests.cluster.warm", f"default/{question}", str(times)]
    done = subprocess.run(command, env=bot.environment(), cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        yield {"process": "warm", **json.loads(line)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    bot: BotAccess
    question: str
    times: int

    def print(self, size: dict[str, int]) -> None:
        for row in (ask_anew(self.bot, self.question), *ask_again(self.bot, self.question, self.times)):
            print(json.dumps({**size, **row}), flush=True)


def _pose_question(bed: Bed) -> str:
    """A Deployment whose one pod is refused; returns the pod's name."""
    on_p4d = [requirement("node.kubernetes.io/instance-type", "In", "p4d.24xlarge")]
    bench = Workbench(bed=bed, namespace="default")
    bench.api.create(node_pool("gpu", on_p4d))
    bench.create_deployment("trainer", {"nvidia.com/gpu": "16"})
    waiting = bench.pending_pod_of("trainer")
    bench.refusal(waiting)
    return waiting


def _grow(bed: Bed, question: str, arguments: argparse.Namespace) -> dict[str, int]:
    made = populate(bed, nodes=arguments.nodes, pods=arguments.pods, seconds=arguments.seconds)
    size = {"nodes": made.nodes, "pods": made.pods}
    print(json.dumps({"created": size, "seconds": round(made.seconds)}), flush=True)
    settled = now()
    wait_for(
        "Karpenter to refuse again", lambda: question in bed.karpenter_log(sinceTime=settled), seconds=600, pause=5
    )
    return size


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.scale", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=900, help="stop creating objects after this time")
    parser.add_argument("--times", type=int, default=4, help="how often to ask in the process that lives on")
    arguments = parser.parse_args()
    # Leave by the `finally` below: the folder is large.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    # The API server allocates for every write; collecting less often nearly doubles how many it takes a second.
    os.environ.setdefault("GOGC", "400")
    folder = new_folder()
    bed = start_bed(ensure_assets(), folder)
    try:
        bot = grant_access(bed)
        measurement = Measurement(bot=bot, question=_pose_question(bed), times=arguments.times)
        measurement.print({"nodes": 1, "pods": 2})
        stop([process for process in bed.processes if process.name == "kube-controller-manager"])
        measurement.print(_grow(bed, measurement.question, arguments))
    finally:
        bed.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
