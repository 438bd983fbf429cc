"""`make bench`: measured figures for a person to read. Nothing here is asserted: a loaded machine is no failure.

python -m tests.bench [--runs 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as changed

from bot import app
from bot.catalogues import Catalogues
from bot.diagnosis import diagnose
from bot.model.karpenter import NodeClaim, NodeClaimSpec, NodeClaimStatus, NodeClassRef
from bot.model.kubernetes import Node, NodeSpec, NodeStatus, Pod
from bot.model.labels import HOSTNAME, INITIALIZED, INSTANCE_TYPE, NODEPOOL, REGISTERED, ZONE
from bot.model.objects import ObjectMeta, decode
from bot.model.quantities import Quantity
from bot.model.world import World
from bot.sources.pod_search import PodQuestion, find_pod
from bot.sources.snapshot import read_snapshot
from tests.recorded import CASES, RECORDED

ROOT = Path(__file__).parent.parent
SEED = CASES / "seed-efa-8-on-g6e-8xlarge"
POD = "default/llama-3-8b-node-0-1-z49j4"
MANY_NODES = 5_000
PODS_A_NODE = 10
COMMAND = str(Path(sys.executable).parent / "karpenter-bot")


def milliseconds(work: Callable[[], object], runs: int) -> list[float]:
    """Wall time of each run."""
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def report(name: str, taken: list[float]) -> None:
    """One line: best and median."""
    print(f"{name:<58} best {min(taken):8.1f} ms   median {statistics.median(taken):8.1f} ms   ({len(taken)} runs)")


def process(*arguments: str) -> Callable[[], object]:
    """A whole process, its output thrown away."""
    return lambda: subprocess.run(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def resident() -> float:
    """This process's resident memory now, in MiB (Linux)."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def bench_processes(runs: int) -> None:
    report("karpenter-bot --help, whole process", milliseconds(process(COMMAND, "--help"), runs))
    report("import bot.app, whole process", milliseconds(process(sys.executable, "-c", "import bot.app"), runs))
    report("python -c pass, for comparison", milliseconds(process(sys.executable, "-c", "pass"), runs))
    why = process(COMMAND, "why", POD, "--snapshot", str(SEED), "-o", "json")
    report("why on the recorded seed, whole process", milliseconds(why, runs))


def bench_decision(runs: int) -> None:
    world = read_snapshot(SEED, app.wall_clock())
    pod = find_pod(world, PodQuestion.parse(POD))
    catalogues = Catalogues()
    started = time.perf_counter()
    whole = catalogues.of(world)
    print(f"{'instance types of the region, derived once':<58} {(time.perf_counter() - started) * 1000:.1f} ms")
    diagnose(whole, pod)
    offerings = {len(c.types): sum(len(t.offerings) for t in c.types) for c in whole.catalogues.values()}
    report(
        f"the pure diagnosis, {len(whole.node_pools)} NodePools, types: offerings {offerings}",
        milliseconds(lambda: diagnose(whole, pod), 5 * runs),
    )


def crowded(nodes_number: int, pods_a_node: int) -> tuple[World, Pod]:
    """The recorded seed with so many of Karpenter's own nodes, and pods on them, a tenth of these kept apart.

    Such nodes weigh more than others: their NodeClaims are joined, their capacity counts for limits.
    """
    world = read_snapshot(SEED, app.wall_clock())
    pod = find_pod(world, PodQuestion.parse(POD))
    pool, node_class = world.node_pools[0].metadata.name, world.node_classes[0]
    image = next((ami.id for ami in node_class.status.amis), "")
    labels = {INSTANCE_TYPE: "m5.4xlarge", NODEPOOL: pool, REGISTERED: "true", INITIALIZED: "true"}
    capacity = {"cpu": Quantity.of(16), "memory": Quantity.of(64 << 30), "pods": Quantity.of(58)}
    reference = NodeClassRef(kind=node_class.kind, name=node_class.metadata.name)
    nodes, claims, pods = list(world.nodes), list(world.node_claims), list(world.pods)
    for index in range(nodes_number):
        name, zone = f"node-{index}", f"ap-northeast-2{'abcd'[index % 4]}"
        meta = ObjectMeta(name=name, labels={**labels, HOSTNAME: name, ZONE: zone})
        where = f"aws:///{zone}/i-{index:017x}"
        status = NodeStatus(capacity=capacity, allocatable=capacity)
        nodes.append(Node(metadata=meta, spec=NodeSpec(provider_id=where), status=status))
        of_claim = NodeClaimStatus(provider_id=where, image_id=image, capacity=capacity, allocatable=capacity)
        claims.append(NodeClaim(metadata=meta, spec=NodeClaimSpec(node_class_ref=reference), status=of_claim))
        pods += [_placed(name, index, number) for number in range(pods_a_node)]
    many = replace(world, nodes=tuple(nodes), node_claims=tuple(claims), pods=tuple(pods))
    return replace(many, placements_known=bool(pods_a_node)), pod


def _placed(node: str, index: int, number: int) -> Pod:
    app_name = f"app-{index % 50}-{number}"
    spec: dict[str, object] = {
        "nodeName": node,
        "containers": [{"name": "main", "resources": {"requests": {"cpu": "1500m", "memory": "2Gi"}}}],
    }
    if number == 0:
        apart = {"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": app_name}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
    meta = {"name": f"{app_name}-{index}", "namespace": f"team-{number}", "uid": f"{index}-{number}"}
    return decode(
        {"metadata": {**meta, "labels": {"app": app_name}}, "spec": spec, "status": {"phase": "Running"}}, Pod
    )


def bench_many_nodes(runs: int) -> None:
    catalogues = Catalogues()
    many, pod = crowded(MANY_NODES, 0)
    report(
        f"deciding among {MANY_NODES} of Karpenter's own nodes, catalogues kept",
        milliseconds(lambda: app.decided(many, pod, catalogues), runs),
    )
    full, pod = crowded(MANY_NODES, PODS_A_NODE)
    app.decided(full, pod, catalogues)
    for what, asked in (("", pod), (", spread over zones and kept apart by host", spread(pod))):
        among = replace(full, pods=tuple(asked if one is pod else one for one in full.pods))
        report(
            f"the same with {MANY_NODES * PODS_A_NODE} pods on them{what}",
            milliseconds(lambda among=among, asked=asked: app.decided(among, asked, catalogues), runs),  # type: ignore[misc]
        )


def spread(pod: Pod) -> Pod:
    """The pod with topology rules, so that what runs is counted."""
    labels = {"app": "app-1-1"}
    selector = {"matchLabels": labels}
    rule = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    apart = {
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": HOSTNAME, "labelSelector": selector}]
        }
    }
    plain = decode(
        {"metadata": {"labels": labels}, "spec": {"topologySpreadConstraints": [rule], "affinity": apart}}, Pod
    )
    spec = changed(
        pod.spec,
        topology_spread_constraints=plain.spec.topology_spread_constraints,
        affinity=plain.spec.affinity,
    )
    return changed(pod, metadata=changed(pod.metadata, labels=labels, namespace="team-1"), spec=spec)


def bench_memory() -> None:
    catalogues = Catalogues()
    before = resident()
    for index in range(100):
        case = RECORDED[index % len(RECORDED)]
        app.answer_from_snapshot(case.folder, PodQuestion.parse(case.spec["question"]), catalogues)
        if index in (9, 49, 99):
            print(
                f"{f'resident memory after {index + 1} answers from snapshots':<58} {resident():8.1f} MiB (before: {before:.1f})"
            )


def main() -> None:
    """Runs all of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: a busy machine reads slower than it is")
    bench_processes(runs)
    bench_decision(runs)
    bench_many_nodes(runs)
    bench_memory()


if __name__ == "__main__":
    main()
