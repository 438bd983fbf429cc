"""`make bench`: how fast the decision is, beside Karpenter's own Go scheduler, and how it grows. Nothing is asserted.

    python -m tests.bench_decision                 both tables
    python -m tests.bench_decision --scale-of 100  one size in this process: milliseconds and MiB

In one run, on the same cases: every instance type of a region, six zones, one pod, an empty cluster. Karpenter's time is
NewScheduler and Solve, as Provisioner.Schedule calls them, without JSON and process start; ours is the same decision, then
with all causes and remedies. Both start from instance types that are resolved already, and so does a running Karpenter.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.diagnosis.instance_types import resolve
from bot.diagnosis.refusal import explain
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import begin, solve
from bot.diagnosis.space import indexed
from bot.model.ec2 import CapacityReservation, Ec2Facts, InstanceTypeOffering, OnDemandPrice, SpotPrice
from bot.model.karpenter import EC2NodeClass, NodePool
from bot.model.kubernetes import Pod
from bot.model.labels import ZONE
from bot.model.objects import decode
from bot.model.world import Catalogue, InstanceType, Settings, World
from tests.bench import milliseconds
from tests.diagnosis.ec2_descriptions import described
from tests.oracle.client import OracleUnavailable, measure

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = tuple(f"us-east-1{letter}" for letter in "abcdef")
SIZES = (1, 10, 25, 50, 100)
PARTS = (0.25, 0.5, 1.0)
Json = dict[str, Any]


def region(part: float = 1.0, *, reserved: bool = False) -> Catalogue:
    """That part of all types, in six zones, on demand and as spot; `reserved`: with a reservation in each zone too."""
    rows = list(described().values())
    rows = rows[: int(len(rows) * part)]
    names = [row.instance_type for row in rows]
    ec2 = Ec2Facts(
        region="us-east-1",
        instance_types=tuple(rows),
        offerings=tuple(InstanceTypeOffering(instance_type=n, location=z) for n in names for z in ZONES),
        spot_prices=tuple(
            SpotPrice(instance_type=n, availability_zone=z, spot_price="1.5") for n in names for z in ZONES
        ),
        on_demand_prices=tuple(OnDemandPrice(instance_type=n, price_per_hour=3.0) for n in names),
        capacity_reservations=tuple(
            CapacityReservation(capacity_reservation_id=f"cr-{zone}", available_instance_count=4) for zone in ZONES
        ),
    )
    subnets = [{"id": zone, "zone": zone, "zoneID": f"id-{zone}"} for zone in ZONES]
    reservations = [
        {"id": f"cr-{zone}", "instanceType": name, "availabilityZone": zone} for name in names for zone in ZONES
    ]
    status = {"subnets": subnets, "capacityReservations": reservations if reserved else []}
    node_class = decode({"metadata": {"name": "default"}, "status": status}, EC2NodeClass)
    return resolve(ec2, node_class, Settings())


@dataclass(frozen=True, slots=True)
class Question:
    """A pod and NodePools, as manifests."""

    name: str
    pod: Json
    pools: Sequence[Json]

    def world(self, types: Catalogue) -> tuple[World, Pod]:
        pod = decode(self.pod, Pod)
        pools = tuple(decode(pool, NodePool) for pool in self.pools)
        catalogues = {pool.metadata.name: types for pool in pools}
        return World(now=NOW, pods=(pod,), node_pools=pools, catalogues=catalogues, placements_known=True), pod

    def case(self, types: Sequence[Json]) -> Json:
        """As the oracle reads it."""
        return {"id": self.name, "pods": [self.pod], "nodePools": list(self.pools), "instanceTypes": {"*": types}}


def pod(requests: Mapping[str, str], selector: Mapping[str, str] = {}, **spec: object) -> Json:
    """A pending pod."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    container = {"name": "main", "image": "a", "resources": {"requests": dict(requests)}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default", "uid": "p"},
        "spec": {"containers": [container], "nodeSelector": dict(selector), **spec},
        "status": {"phase": "Pending", "conditions": [condition]},
    }


def nodepool(name: str, *requirements: tuple[str, str, list[str]], taint: str = "") -> Json:
    """A ready NodePool."""
    ref = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    asks = [{"key": key, "operator": operator, "values": values} for key, operator, values in requirements]
    taints = [{"key": taint, "value": "yes", "effect": "NoSchedule"}] if taint else []
    spec = {"nodeClassRef": ref, "requirements": asks, "taints": taints, "expireAfter": "Never"}
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in ("ValidationSucceeded", "NodeClassReady", "Ready")
    ]
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {"template": {"metadata": {"labels": {}}, "spec": spec}, "disruption": {"consolidateAfter": "0s"}},
        "status": {"conditions": conditions},
    }


CAPACITY = ("karpenter.sh/capacity-type", "In", ["spot", "on-demand"])
CATEGORY = "karpenter.k8s.aws/instance-category"
ONE = (nodepool("gpu", CAPACITY, (CATEGORY, "In", ["g", "p"])),)
THREE = (*ONE, nodepool("general", CAPACITY, (CATEGORY, "In", ["c", "m", "r"])), nodepool("own", taint="team"))
GPU, EFA, TYPE = "nvidia.com/gpu", "vpc.amazonaws.com/efa", "node.kubernetes.io/instance-type"
QUESTIONS = (
    Question("launchable: 1 GPU", pod({"cpu": "4", GPU: "1"}), ONE),
    Question("launchable: 2 CPU, 3 NodePools", pod({"cpu": "2"}, {"kubernetes.io/arch": "amd64"}), THREE),
    Question("blocked: 16 GPUs on p4d", pod({GPU: "16"}, {TYPE: "p4d.24xlarge"}), ONE),
    Question("blocked: 8 EFA on g6e.8xlarge", pod({GPU: "1", EFA: "8"}, {TYPE: "g6e.8xlarge"}), ONE),
    Question("blocked: the same, 3 NodePools", pod({GPU: "1", EFA: "8"}, {TYPE: "g6e.8xlarge"}), THREE),
    Question("blocked: unknown zone, 3 NodePools", pod({"cpu": "2"}, {ZONE: "us-east-1x"}), THREE),
    Question("blocked: unknown label, 3 NodePools", pod({"cpu": "2"}, {"team": "ml"}), THREE),
)


def as_case(types: Catalogue) -> list[Json]:
    """Instance types as the oracle reads them: what is not allocatable is overhead."""
    return [
        {
            "name": t.name,
            "requirements": [_requirement(key, values) for key, values in t.labels.items()],
            "capacity": {name: str(amount) for name, amount in t.capacity.items()},
            "overhead": {
                "kubeReserved": {n: str(a - t.allocatable[n]) for n, a in t.capacity.items() if a != t.allocatable[n]}
            },
            "offerings": list(_offerings(t)),
        }
        for t in types
    ]


def _requirement(key: str, values: frozenset[str]) -> Json:
    return {"key": key, "operator": "In" if values else "DoesNotExist", "values": sorted(values)}


def _offerings(t: InstanceType) -> Iterator[Json]:
    for o in t.offerings:
        asks = [_requirement(k, frozenset({v} if v is not None else ())) for k, v in o.labels.items()]
        yield {"requirements": asks, "price": o.price or 0.0, "available": o.available}


def decided(world: World, asked: Pod) -> Callable[[], object]:
    """The verdict alone."""
    return lambda: solve(begin(world, asked, (), NEWEST))


def told(world: World, asked: Pod) -> Callable[[], object]:
    """The decision with all causes and remedies, where the pod is blocked."""

    def work() -> object:
        this = begin(world, asked, (), NEWEST)
        decision = solve(this)
        return explain(this, decision, ()) if decision.blocked else decision

    return work


def bench_beside_karpenter(runs: int) -> None:
    """One row a question: Karpenter, our verdict, our verdict with causes and remedies; medians and best."""
    types = region()
    indexed(types)
    offered = sum(len(t.offerings) for t in types)
    print(
        f"\n{len(types.types)} instance types, {offered} offerings, one pod, an empty cluster; milliseconds, median (best)"
    )
    try:
        timings = {t.id: t for t in measure([q.case(as_case(types)) for q in QUESTIONS], runs=runs)}
    except OracleUnavailable as reason:
        print(f"Karpenter's own time is not measured: {reason}")
        timings = {}
    print(f"{'':<38}{'Karpenter':>18}{'our verdict':>18}{'× ':>7}{'with all told':>18}{'× ':>7}")
    for question in QUESTIONS:
        world, asked = question.world(types)
        verdict = milliseconds(decided(world, asked), runs)
        whole = milliseconds(told(world, asked), runs)
        columns = [_figures(verdict), "", _figures(whole), ""]
        if timing := timings.get(question.name):
            theirs = timing.new_scheduler_ns, timing.solve_ns
            median, best = (sum(getattr(part, name) for part in theirs) / 1e6 for name in ("median", "min"))
            ratios = [f"{statistics.median(ours) / median:.2f}" for ours in (verdict, whole)]
            columns = [f"{median:.1f} ({best:.1f})", columns[0], ratios[0], columns[2], ratios[1]]
        else:
            columns = ["", *columns]
        widths = (18, 18, 7, 18, 7)
        print(f"{question.name:<38}" + "".join(f"{c:>{w}}" for c, w in zip(columns, widths, strict=True)))


def _figures(taken: Sequence[float]) -> str:
    return f"{statistics.median(taken):.1f} ({min(taken):.1f})"


def scaled(pools: int) -> Question:
    """A pod that no NodePool takes, so that every one of them must be explained."""
    categories = ("c", "m", "r", "g", "p", "i")
    made = [
        nodepool(f"pool-{i:03}", CAPACITY, (CATEGORY, "In", [categories[i % 6]]), taint="team" if i % 3 == 0 else "")
        for i in range(pools)
    ]
    return Question(f"{pools}", pod({GPU: "1", EFA: "8"}, {TYPE: "g6e.8xlarge"}), made)


def scale_of(pools: int, part: float, runs: int) -> None:
    """One size, in this process: JSON with the milliseconds and the memory that the process had at most."""
    types = region(part, reserved=True)
    world, asked = scaled(pools).world(types)
    first = milliseconds(told(world, asked), 1)[0]
    again = milliseconds(told(world, asked), runs)
    offered = sum(len(t.offerings) for t in types)
    found = {"pools": pools, "types": len(types.types), "offerings": offered * pools, "first": first}
    print(json.dumps({**found, "best": min(again), "median": statistics.median(again), "mib": peak()}))


def peak() -> float:
    """The most memory that this process had so far, in MiB (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kib) / 1024


def bench_scale(runs: int) -> None:
    """The curve: NodePools × all types × 6 zones × 3 capacity types, each size in a process of its own."""
    print("\nNodePools × instance types × 6 zones × 3 capacity types, every NodePool refused and explained")
    heads = ("NodePools", "types", "offerings", "first ms", "best ms", "median ms", "ns/offering", "MiB")
    print("".join(f"{head:>12}" for head in heads))
    for pools, part in [*((100, p) for p in PARTS[:-1]), *((n, 1.0) for n in SIZES)]:
        arguments = ["--scale-of", str(pools), "--part", str(part), "--runs", str(runs)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench_decision", *arguments], capture_output=True, text=True, check=True
        )
        r = json.loads(done.stdout)
        each = r["best"] * 1e6 / r["offerings"]
        figures = (r["first"], r["best"], r["median"], each, r["mib"])
        print(f"{r['pools']:>12}{r['types']:>12}{r['offerings']:>12}" + "".join(f"{f:>12.1f}" for f in figures))


def main() -> None:
    """Both tables, or one size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--scale-of", type=int, metavar="NODEPOOLS")
    parser.add_argument("--part", type=float, default=1.0, help="how much of all instance types")
    options = parser.parse_args()
    if options.scale_of is not None:
        scale_of(options.scale_of, options.part, options.runs)
        return
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: a busy machine reads slower than it is")
    bench_beside_karpenter(options.runs)
    bench_scale(options.runs)


if __name__ == "__main__":
    main()
