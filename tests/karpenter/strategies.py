"""Random refusals of the kind that each release can print, and the releases."""

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from bot.karpenter import (
    AllFilteredOut,
    Clause,
    DomainCounts,
    DynamicResourcesUnallocated,
    DynamicResourcesUnsupported,
    Finding,
    HostPort,
    HostPortConflict,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    InvalidRequirement,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    MatchFieldsUnsupported,
    MinValuesUnmet,
    NodeLimitsExhausted,
    NoTypeWithDynamicResources,
    Operator,
    OptedOut,
    PrintedRequirement,
    Reason,
    Refusal,
    RequirementProblem,
    Reserved,
    ReservedOfferings,
    ResourceClaimMissing,
    ResourceLimitExceeded,
    RestrictedLabel,
    TaintNotTolerated,
    TopologyRule,
    TopologyUnsatisfiable,
    UnknownValues,
    Version,
    VolumeClaimUnusable,
    VolumeLimitExceeded,
    VolumeProblem,
    Where,
)

VERSIONS: Final[tuple[Version, ...]] = (
    *((0, minor) for minor in range(32, 38)),
    *((1, minor) for minor in range(16)),
    (0, 32, 1),
    (0, 33, 0),
    (0, 34, 0),
    (1, 0, 1),
)

names: Final = st.from_regex(r"[a-z][a-z0-9-]{0,14}[a-z0-9]", fullmatch=True)
values: Final = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,10}[A-Za-z0-9])?", fullmatch=True)
keys: Final = st.one_of(
    st.sampled_from(
        ["karpenter.sh/capacity-type", "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type", "team"]
    ),
    st.builds("{}.example/{}".format, names, values),
)
quantities: Final = st.from_regex(r"[1-9][0-9]{0,5}(m|Ki|Mi|Gi)?", fullmatch=True)
resources: Final = st.dictionaries(st.one_of(st.sampled_from(["cpu", "memory", "pods"]), keys), quantities, max_size=4)
bounds: Final = st.one_of(st.none(), st.integers(-10, 10**12))


@st.composite
def requirements(draw: st.DrawFn, key: st.SearchStrategy[str] = keys) -> PrintedRequirement:
    operator = draw(st.sampled_from(Operator))
    listed = operator in {Operator.IN, Operator.NOT_IN}
    shown = draw(st.sets(st.one_of(st.just(""), values), min_size=1, max_size=9)) if listed else set()
    return PrintedRequirement(
        key=draw(key),
        operator=operator,
        values=tuple(sorted(shown)),
        at_least=draw(bounds) if operator is not Operator.IN else None,
        at_most=draw(bounds) if operator is not Operator.IN else None,
        min_values=draw(st.one_of(st.none(), st.integers(1, 50))),
    ).abridged()


def requirement_lists() -> st.SearchStrategy[tuple[PrintedRequirement, ...]]:
    return st.lists(requirements(), max_size=5, unique_by=lambda one: one.key).map(tuple)


taints: Final = st.builds(
    TaintNotTolerated,
    key=keys,
    value=st.one_of(st.just(""), values),
    effect=st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"]),
)
labels_unknown: Final = st.builds(LabelUnknown, key=keys, hint=st.one_of(st.none(), keys))


@st.composite
def key_conflicts(draw: st.DrawFn) -> KeyConflict:
    key = draw(keys)
    same = st.just(key)
    return KeyConflict(key=key, incoming=draw(requirements(same)), existing=draw(requirements(same)))


conflicts: Final = st.lists(st.one_of(labels_unknown, key_conflicts()), min_size=1, max_size=3).map(tuple)
ports: Final = st.builds(
    HostPort, ip=st.sampled_from(["0.0.0.0", "10.1.2.3", "::"]), port=st.integers(1, 65535), protocol=st.just("TCP")
)


@st.composite
def instance_type_refusals(draw: st.DrawFn, version: Version) -> InstanceTypeRefusal:
    reasons = [one for one in Reason if one is not Reason.MIN_VALUES or version >= (0, 35)]
    reason = draw(st.sampled_from(reasons))
    several = st.lists(keys, min_size=1, max_size=3, unique=True).map(tuple)
    one = st.tuples(keys)
    least = draw(resources)
    most = {name: f"9{amount}" for name, amount in least.items()}
    return InstanceTypeRefusal(
        reason=reason,
        requirements=tuple(sorted(draw(requirement_lists()), key=lambda each: each.key)),
        resources=least,
        resources_max=most if version >= (1, 14) and most and draw(st.booleans()) else None,
        min_values_keys=draw(several if version >= (1, 6) else one) if reason is Reason.MIN_VALUES else (),
        cpu_typo=reason is Reason.RESOURCES and draw(st.booleans()),
    )


def topologies() -> st.SearchStrategy[TopologyUnsatisfiable]:
    counted = st.dictionaries(values, st.integers(0, 500), max_size=5)
    return st.builds(
        TopologyUnsatisfiable,
        rule=st.sampled_from(TopologyRule),
        key=keys,
        counts=st.builds(DomainCounts, named=counted.map(lambda named: tuple(sorted(named.items())))),
        pod_domains=requirements(),
        node_domains=requirements(),
    )


_CLAIMS: Final[dict[VolumeProblem, Version]] = {  # problem -> the first release that says it
    VolumeProblem.CLAIM_UNREADABLE: (0, 32),
    VolumeProblem.CLAIM_DELETING: (1, 7),
    VolumeProblem.CLAIM_LOST: (1, 7),
    VolumeProblem.VOLUME_INVALID: (0, 34),
    VolumeProblem.NOT_BIND_COMPLETED: (1, 7),
    VolumeProblem.NO_STORAGE_CLASS: (0, 34),
    VolumeProblem.STORAGE_CLASS_INVALID: (0, 34),
    VolumeProblem.IMMEDIATE_UNBOUND: (1, 7),
    VolumeProblem.TOPOLOGY_KEY_UNSUPPORTED: (1, 10),
    VolumeProblem.PROVISIONER_UNSUPPORTED: (1, 7),
    VolumeProblem.DRIVER_UNRESOLVED: (1, 7),
}
_NAMES_VOLUME: Final = {VolumeProblem.CLAIM_LOST, VolumeProblem.VOLUME_INVALID, VolumeProblem.NOT_BIND_COMPLETED}
_NAMES_NO_CLASS: Final = {
    VolumeProblem.CLAIM_UNREADABLE,
    VolumeProblem.CLAIM_DELETING,
    VolumeProblem.CLAIM_LOST,
    VolumeProblem.NO_STORAGE_CLASS,
    VolumeProblem.NOT_BIND_COMPLETED,
}
_DETAILED: Final = {
    VolumeProblem.CLAIM_UNREADABLE: 'persistentvolumeclaims "data" not found',
    VolumeProblem.VOLUME_INVALID: 'persistentvolumes "pv-1" not found',
    VolumeProblem.NOT_BIND_COMPLETED: "pv.kubernetes.io/bind-completed",
    VolumeProblem.STORAGE_CLASS_INVALID: 'storageclasses.storage.k8s.io "gp9" not found',
    VolumeProblem.TOPOLOGY_KEY_UNSUPPORTED: "topology.example.com/zone",
    VolumeProblem.PROVISIONER_UNSUPPORTED: "ebs.example.com",
    VolumeProblem.DRIVER_UNRESOLVED: "no driver for this claim",
}


@st.composite
def volume_claims(draw: st.DrawFn, version: Version) -> VolumeClaimUnusable:
    problem = draw(st.sampled_from([one for one, since in _CLAIMS.items() if version >= since]))
    no_class = problem in _NAMES_NO_CLASS or (problem is VolumeProblem.VOLUME_INVALID and version < (1, 7))
    return VolumeClaimUnusable(
        problem=problem,
        claim=draw(names),
        volume=draw(names) if problem in _NAMES_VOLUME else "",
        storage_class="" if no_class else draw(names),
        detail=_DETAILED.get(problem, ""),
    )


_small: Final = st.integers(1, 200)
_Source = Callable[[Version], st.SearchStrategy[Finding]]
_ALWAYS: Final[tuple[tuple[Version, _Source], ...]] = (
    ((0, 32), instance_type_refusals),
    ((0, 32), lambda _: taints),
    (
        (0, 32),
        lambda _: st.builds(
            IncompatibleRequirements, where=st.sampled_from([Where.POD, Where.VOLUME]), conflicts=conflicts
        ),
    ),
    ((0, 32), lambda _: topologies()),
    ((0, 32), lambda _: st.builds(HostPortConflict, asked=ports, existing=ports)),
    ((0, 32), volume_claims),
    ((0, 32), lambda _: st.just(OptedOut())),
    ((0, 32), lambda _: st.just(MatchFieldsUnsupported())),
    (
        (0, 32),
        lambda _: st.builds(
            RestrictedLabel,
            key=keys,
            well_known=st.lists(keys, min_size=1, max_size=3).map(tuple),
            domains=st.just(("karpenter.k8s.aws", "karpenter.sh")),
        ),
    ),
    (
        (0, 32),
        lambda _: st.builds(
            InvalidRequirement,
            key=keys,
            problem=st.sampled_from([RequirementProblem.VALUE_MISSING, RequirementProblem.NOT_AN_INTEGER]),
            operator=st.sampled_from(["In", "Gt", "Lt"]),
        ),
    ),
    ((1, 3), lambda _: st.builds(ReservedOfferings, reserved=st.sampled_from([Reserved.TAKEN, Reserved.LOST]))),
    (
        (1, 5),
        lambda _: st.builds(
            UnknownValues,
            key=keys,
            values=st.lists(values, min_size=1, max_size=2).map(tuple),
            expected=st.just(("on-demand", "reserved", "spot")),
        ),
    ),
    ((1, 7), lambda _: st.just(AllFilteredOut())),
    ((1, 7), lambda _: st.just(DynamicResourcesUnsupported())),
    ((1, 14), lambda _: st.builds(DynamicResourcesUnallocated, detail=names)),
    ((1, 14), lambda _: st.just(NoTypeWithDynamicResources())),
    ((1, 15), lambda _: st.builds(ReservedOfferings, reserved=st.sampled_from(Reserved))),
    ((1, 15), lambda _: st.builds(VolumeLimitExceeded, provisioner=names, volumes=_small, limit=_small)),
    ((1, 15), lambda _: st.just(VolumeLimitExceeded())),
    ((1, 14), lambda _: st.builds(ResourceClaimMissing, claim=st.builds("{}/{}".format, names, names))),
)
_OWN_POOL: Final[tuple[tuple[Version, _Source], ...]] = (
    ((0, 32), lambda _: st.builds(LimitsExceeded, nodepool=names)),
    (
        (0, 32),
        lambda _: st.builds(ResourceLimitExceeded, resource=st.just("cpu"), usage=quantities, limit=quantities),
    ),
    ((1, 11), lambda _: st.builds(NodeLimitsExhausted, nodepool=names)),
    ((0, 37), lambda _: st.builds(MinValuesUnmet, nodepool=names, keys=st.tuples(keys))),
)


def _of(table: tuple[tuple[Version, _Source], ...], version: Version) -> st.SearchStrategy[Finding]:
    return st.one_of([make(version) for since, make in table if version >= since])


def findings(version: Version) -> st.SearchStrategy[Finding]:
    """Any finding that the release has a sentence for."""
    return _of(_ALWAYS + _OWN_POOL, version)


@st.composite
def refusals(draw: st.DrawFn, version: Version) -> Refusal:
    """A refusal by some NodePools, each with its name and daemon overhead, as the scheduler builds it."""
    clauses = []
    for name in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
        if draw(st.integers(0, 4)) == 0:
            clauses.append(Clause(nodepool=name, findings=(LimitsExceeded(nodepool=name),)))
            continue
        found = draw(
            st.one_of(st.lists(taints, min_size=1, max_size=3), st.lists(_of(_POOL, version), min_size=1, max_size=1))
        )
        clauses.append(Clause(nodepool=name, daemon_overhead=draw(resources), findings=tuple(found)))
    return Refusal(clauses=tuple(clauses))


_POOL: Final = _ALWAYS[:5]


@st.composite
def versioned_findings(draw: st.DrawFn) -> tuple[Version, Finding]:
    version = draw(st.sampled_from(VERSIONS))
    return version, draw(findings(version))


@st.composite
def versioned_refusals(draw: st.DrawFn) -> tuple[Version, Refusal]:
    version = draw(st.sampled_from(VERSIONS))
    return version, draw(refusals(version))
