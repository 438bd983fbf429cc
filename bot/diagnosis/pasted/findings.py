"""One finding of a refusal -> the cause that it proves by itself, whatever else the refusal says."""

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from bot.diagnosis.pasted.elimination import by_elimination
from bot.diagnosis.pasted.instance_types import Judged, Market, empty_zone, of_market, of_text, zone_is_empty
from bot.diagnosis.pasted.told import cause
from bot.karpenter import (
    Clause,
    DynamicResourcesUnsupported,
    Finding,
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
    OptedOut,
    PrintedRequirement,
    Reserved,
    ReservedOfferings,
    ResourceClaimMissing,
    ResourceLimitExceeded,
    RestrictedLabel,
    TaintNotTolerated,
    TopologyRule,
    TopologyUnsatisfiable,
    UnknownValues,
    VolumeClaimUnusable,
    Where,
)
from bot.model.diagnosis import Cause, Fact
from bot.model.labels import WELL_KNOWN, ZONE

Limits = LimitsExceeded | NodeLimitsExhausted | ResourceLimitExceeded
LEFT_OUT: Final = (
    DynamicResourcesUnsupported,
    InvalidRequirement,
    MatchFieldsUnsupported,
    OptedOut,
    ResourceClaimMissing,
    RestrictedLabel,
    UnknownValues,
    VolumeClaimUnusable,
)
"""Findings about the pod itself: no NodePool is tried at all."""
_ALIKE: Final = 0.75
_MISSPELT: Final = 0.85


def of_left_out(finding: Finding, pod: str, said: str) -> Cause:
    """The pod does not pass Karpenter's own check."""
    if isinstance(finding, RestrictedLabel):
        return cause("restricted-label", said, (), key=finding.key, wanted_by=_asker(pod), message=said)
    if isinstance(finding, DynamicResourcesUnsupported):
        return cause("dynamic-resources-unsupported", said, (), claims=(), message=said)
    return cause("pod-ignored", said, (), message=said)


def of_taint(finding: TaintNotTolerated, pool: str, said: str) -> Cause:
    """A taint that the pod does not tolerate."""
    value = f"={finding.value}" if finding.value else ""
    taint = f"{finding.key}{value}:{finding.effect}"
    parts: dict[str, Fact] = {"key": finding.key, "value": finding.value, "effect": finding.effect}
    return cause("taint-not-tolerated", said, (pool,), taint=taint, **parts, nodepool=pool)


def of_limits(finding: Limits, pool: str, said: str) -> Cause:
    """What the limits leave is smaller than any instance type (or the node that was about to be launched)."""
    facts: dict[str, Fact] = {"resource": "", "limit": "", "used": "", "needed": "", "instance_type": ""}
    if isinstance(finding, ResourceLimitExceeded):
        facts |= {"resource": finding.resource, "limit": finding.limit, "used": finding.usage}
    elif isinstance(finding, NodeLimitsExhausted):
        facts["resource"] = "nodes"
    return cause("nodepool-limit-exceeded", said, (pool,), nodepool=pool, **facts)


def of_conflict(where: Where, conflict: LabelUnknown | KeyConflict, pool: str, pod: str) -> Judged:
    """One label on which the pod (or its volume) and the NodePool do not meet."""
    if isinstance(conflict, LabelUnknown):
        hint = nearest_label(conflict.key, conflict.hint)
        facts: dict[str, Fact] = {"key": conflict.key, "wanted": (), "wanted_by": _asker(pod), "did_you_mean": hint}
        found = cause("unknown-label", f"label {conflict.key}: no known values", (pool,), **facts)
        return Judged(causes=(found,), decisive=_misspelt(conflict.key))
    asked, has = conflict.incoming, conflict.existing
    evidence = f"{conflict.key}: {_shown(asked)} not in {_shown(has)}"
    if conflict.key == ZONE and zone_is_empty((asked,)):
        return Judged(causes=(empty_zone(evidence, (pool,)),), decisive=True)
    if where is Where.VOLUME and conflict.key == ZONE:
        zones: dict[str, Fact] = {"claims": (), "zones": asked.values, "allowed": has.values}
        return Judged(causes=(cause("volume-zone-conflict", evidence, (pool,), **zones),))
    if where is not Where.POD:
        return Judged()
    sides: dict[str, Fact] = {
        "key": conflict.key,
        "wanted": _values(asked),
        "wanted_by": _asker(pod),
        "allowed": _values(has),
        "allowed_by": f"NodePool {pool}".strip(),
    }
    return Judged(causes=(cause("requirement-conflict", evidence, (pool,), **sides),))


def of_far(clause: Clause, finding: Finding, pod: str, said: str, market: Market | None) -> Judged:
    """A finding that came after limits, taints and the pod's own labels had passed."""
    pool = clause.nodepool or ""
    match finding:
        case InstanceTypeRefusal():
            judged = of_text(finding)
            if not judged.causes and market is not None:
                judged = of_market(clause, finding, market)
            return judged if judged.causes else by_elimination(clause, finding, market)
        case TopologyUnsatisfiable():
            return _of_topology(finding, pool, said)
        case IncompatibleRequirements():
            return joined(of_conflict(finding.where, one, pool, pod) for one in finding.conflicts)
        case _:
            return Judged(causes=tuple(_of_rest(finding, pool, said)))


def _of_rest(finding: Finding, pool: str, said: str) -> Iterator[Cause]:
    """Findings that say it all themselves."""
    match finding:
        case HostPortConflict():
            port: dict[str, Fact] = {"port": finding.asked.port, "protocol": finding.asked.protocol, "daemonset": ""}
            yield cause("host-port-conflict", said, (pool,), **port)
        case MinValuesUnmet():
            unmet: dict[str, Fact] = {"nodepool": finding.nodepool, "needed": 0, "have": None}
            yield from (cause("min-values-unmet", said, (pool,), key=key, **unmet) for key in finding.keys or ("",))
        case ReservedOfferings(reserved=Reserved.FULL):
            full: dict[str, Fact] = {"instance_types": (), "zones": (), "capacity_types": ("reserved",), "tried": 0}
            when: dict[str, Fact] = {"reason": "ReservationCapacityExceeded", "since": "", "until": ""}
            yield cause("capacity-unavailable", said, (pool,), **full, **when)
        case _:
            return


def joined(parts: Iterable[Judged]) -> Judged:
    """All the causes of several judgements; what none of them proves is not proven."""
    found = tuple(parts)
    decisive = tuple(cause for part in found if part.decisive for cause in part.causes)
    if decisive:
        return Judged(causes=decisive, decisive=True)
    return Judged(causes=tuple(cause for part in found for cause in part.causes))


def nearest_label(key: str, hint: str | None) -> str:
    """Karpenter's hint, where it is one: it takes any label that merely ends like the key (requirements.go, labelHint)."""
    if not hint or hint == key:
        return ""
    same_name = hint.rpartition("/")[2] == key.rpartition("/")[2]
    return hint if same_name or get_close_matches(key, (hint,), n=1, cutoff=_ALIKE) else ""


def _misspelt(key: str) -> bool:
    """Whether the key is nearly a well-known label's: then no NodePool defines it, also none that the text leaves out."""
    name = key.rpartition("/")[2]
    renamed = "/" in key and any(known.rpartition("/")[2] == name for known in WELL_KNOWN)
    return renamed or bool("/" in key and get_close_matches(key, WELL_KNOWN, n=1, cutoff=_MISSPELT))


def _of_topology(finding: TopologyUnsatisfiable, pool: str, said: str) -> Judged:
    if finding.key == ZONE and zone_is_empty((finding.pod_domains,)):
        return Judged(causes=(empty_zone(said, (pool,)),), decisive=True)
    counts = finding.counts
    lonely = not counts.others and not any(count for _, count in counts.named)
    if finding.rule is TopologyRule.AFFINITY and lonely:
        return Judged(causes=(cause("affinity-deadlock", said, (pool,), key=finding.key, selector="", field=""),))
    domains = tuple(f"{domain}: {count}" for domain, count in counts.named)
    rule: dict[str, Fact] = {"key": finding.key, "rule": str(finding.rule), "max_skew": 0, "field": ""}
    return Judged(causes=(cause("topology-unsatisfiable", said, (pool,), domains=domains, **rule),))


def _asker(pod: str) -> str:
    return f"Pod {pod}".strip()


def _shown(one: PrintedRequirement) -> str:
    return f"{one.operator} {' '.join(_values(one))}".strip()


def _values(one: PrintedRequirement) -> tuple[str, ...]:
    """The values a sentence shows: bounds and operators where there are none."""
    bounds = [f">={one.at_least}"] if one.at_least is not None else []
    bounds += [f"<={one.at_most}"] if one.at_most is not None else []
    listed = tuple(f"not {value}" for value in one.values) if one.operator == "NotIn" else one.values
    more = (f"+{one.others}",) if one.others else ()
    return (*listed, *more, *bounds) or (str(one.operator),)
