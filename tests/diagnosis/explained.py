"""Blocked pods with their explanations: from the oracle's generator, and from small worlds that hypothesis makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from bot.diagnosis.refusal import Explanation, explain
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import Decision, Round, begin, solve
from bot.diagnosis.validation import ignored, not_provisionable
from bot.model.karpenter import NodePool
from bot.model.kubernetes import DaemonSet, Pod
from bot.model.objects import MalformedObjectError, decode
from bot.model.quantities import Quantity
from bot.model.world import Catalogue, InstanceType, Offering, Unavailable, World
from tests.oracle.generate import generate
from tests.oracle.worlds import world_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One blocked pod. `case`: the oracle's case it comes from, where it comes from one."""

    this: Round
    decision: Decision
    told: Explanation
    case: dict[str, Any] | None = None

    @property
    def world(self) -> World:
        return self.this.world

    @property
    def pod(self) -> Pod:
        return self.this.pod


def explained(world: World, pod: Pod, case: dict[str, Any] | None = None) -> Explained | None:
    """The explanation of a blocked pod; None for pods that are not blocked, or wait, or have nothing to be tried on."""
    if (
        not_provisionable(pod)
        or ignored(world, pod)
        or not any(p.metadata.name in world.catalogues for p in world.node_pools)
    ):
        return None
    this = begin(world, pod, (), NEWEST)
    decision = solve(this)
    if (
        not decision.blocked
        or decision.no_nodepools
        or decision.left_alone
        or any(a.deferred for a in decision.refusals)
    ):
        return None
    return Explained(this=this, decision=decision, told=explain(this, decision, ()), case=case)


def from_generator(seed: int, count: int, feature: str | None = None) -> Iterator[Explained]:
    """The blocked single pods among so many cases of a seed."""
    for case in generate(seed, count, feature=feature):
        try:
            world, pods = world_of(case)
        except MalformedObjectError:
            continue
        found = explained(world, pods[0], case) if len(pods) == 1 else None
        if found is not None:
            yield found


def blocked(world: World, pod: Pod) -> bool:
    """Whether Karpenter, as we decide for it, gives the pod no node."""
    return bool(ignored(world, pod)) or solve(begin(world, pod, (), NEWEST)).blocked


_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
ZONES = ("z-a", "z-b")
LABELS = {"karpenter.k8s.aws/instance-category": ("c", "g"), "kubernetes.io/arch": ("amd64", "arm64")}
KEYS = (
    *LABELS,
    "topology.kubernetes.io/zone",
    "karpenter.sh/capacity-type",
    "node.kubernetes.io/instance-type",
    "team",
)
VALUES = {
    **LABELS,
    "topology.kubernetes.io/zone": (*ZONES, "z-x"),
    "karpenter.sh/capacity-type": ("spot", "on-demand"),
    "node.kubernetes.io/instance-type": ("t0", "t1", "t2", "t9"),
    "team": ("ml", "web"),
}
TAINTS = ({"key": "gpu", "value": "yes", "effect": "NoSchedule"}, {"key": "old", "effect": "NoExecute"})


@st.composite
def _expressions(draw: st.DrawFn) -> dict[str, Any]:
    key = draw(st.sampled_from(KEYS))
    operator = draw(st.sampled_from(("In", "In", "In", "NotIn", "Exists", "DoesNotExist")))
    values = draw(st.lists(st.sampled_from(VALUES[key]), min_size=1, max_size=2, unique=True))
    return {"key": key, "operator": operator, "values": values if operator.endswith("In") else []}


@st.composite
def _types(draw: st.DrawFn) -> Catalogue:
    types = []
    for index in range(draw(st.integers(1, 3))):
        offered = draw(st.lists(st.tuples(st.sampled_from(ZONES), st.sampled_from(("spot", "on-demand"))), unique=True))
        offerings = tuple(
            Offering(
                capacity_type=capacity_type,
                zone=zone,
                price=draw(st.sampled_from((None, 0.1, 2.0))),
                unavailable=draw(st.sampled_from(((), (), (Unavailable.UNSPECIFIED,), (Unavailable.NO_PRICE,)))),
            )
            for zone, capacity_type in offered
        )
        cpu, gpu = draw(st.sampled_from((2, 8, 64))), draw(st.sampled_from((0, 1, 8)))
        amounts = {"cpu": Quantity.of(cpu), "pods": Quantity.of(9), "nvidia.com/gpu": Quantity.of(gpu)}
        labels = {key: frozenset({draw(st.sampled_from(values))}) for key, values in LABELS.items()}
        labels |= {
            "node.kubernetes.io/instance-type": frozenset({f"t{index}"}),
            "topology.kubernetes.io/zone": frozenset(zone for zone, _ in offered),
            "karpenter.sh/capacity-type": frozenset({"spot", "on-demand"}),
        }
        types.append(
            InstanceType(name=f"t{index}", labels=labels, capacity=amounts, allocatable=amounts, offerings=offerings)
        )
    return Catalogue(types=tuple(types))


@st.composite
def _pools(draw: st.DrawFn, name: str) -> NodePool:
    requirements = draw(st.lists(_expressions(), max_size=3))
    floor = draw(st.sampled_from((None, None, 1, 2, 3)))
    if requirements and floor is not None:
        requirements[0]["minValues"] = floor
    spec = {
        "requirements": requirements,
        "taints": draw(st.lists(st.sampled_from(TAINTS), max_size=1)),
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
    }
    labels = draw(st.sampled_from(({}, {"team": "ml"})))
    limits = draw(st.sampled_from(({}, {}, {"cpu": "4"}, {"nvidia.com/gpu": "1"})))
    template = {"metadata": {"labels": labels}, "spec": spec}
    return decode({"metadata": {"name": name}, "spec": {"template": template, "limits": limits}}, NodePool)


@st.composite
def _pods(draw: st.DrawFn) -> Pod:
    requests = {
        "cpu": draw(st.sampled_from(("1", "4", "100"))),
        "nvidia.com/gpu": draw(st.sampled_from(("0", "1", "16"))),
    }
    selector = draw(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 1), max_size=2))
    terms = draw(st.lists(st.lists(_expressions(), min_size=1, max_size=2), max_size=2))
    affinity = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
    spec = {
        "nodeSelector": {key: VALUES[key][index] for key, index in selector.items()},
        "tolerations": draw(st.lists(st.sampled_from(({"key": "gpu", "operator": "Exists"},)), max_size=1)),
        "containers": [{"name": "main", "resources": {"requests": requests}}],
        **({"affinity": {"nodeAffinity": {_REQUIRED: affinity}}} if terms else {}),
    }
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    status = {"phase": "Pending", "conditions": [condition]}
    return decode({"metadata": {"name": "p", "namespace": "d", "uid": "p"}, "spec": spec, "status": status}, Pod)


@st.composite
def _daemons(draw: st.DrawFn) -> DaemonSet:
    """A DaemonSet that takes a good part of the smallest type, on some nodes only, by one term or by any of several."""
    terms = draw(st.lists(st.lists(_expressions(), min_size=1, max_size=2), max_size=3))
    affinity = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
    requests = {"cpu": draw(st.sampled_from(("1500m", "1500m", "7")))}
    spec = {
        "containers": [{"name": "a", "resources": {"requests": requests}}],
        "tolerations": draw(st.sampled_from(([], [{"operator": "Exists"}]))),
        **({"affinity": {"nodeAffinity": {_REQUIRED: affinity}}} if terms else {}),
    }
    metadata = {"name": "agent", "namespace": "kube-system", "uid": "agent"}
    return decode({"metadata": metadata, "spec": {"template": {"spec": spec}}}, DaemonSet)


@st.composite
def small_worlds(draw: st.DrawFn) -> tuple[World, Pod]:
    """A pending pod, one or two NodePools on a few instance types, perhaps a DaemonSet."""
    pools = tuple(draw(_pools(name)) for name in ("alpha", "beta")[: draw(st.integers(1, 2))])
    types, pod = draw(_types()), draw(_pods())
    world = World(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        pods=(pod,),
        node_pools=pools,
        daemon_sets=(draw(_daemons()),) if draw(st.booleans()) else (),
        catalogues={pool.metadata.name: types for pool in pools},
        placements_known=True,
    )
    return world, pod
