"""Pods that Karpenter never looks at, or leaves out before any NodePool is tried.

Mirrors karpenter pkg/utils/pod/scheduling.go IsProvisionable, pkg/controllers/provisioning/provisioner.go Validate and
pkg/apis/v1/nodeclaim_validation.go ValidateRequirement (v1.15).
"""

import re
from collections.abc import Iterator
from typing import Final

from bot.diagnosis import volumes
from bot.diagnosis.pods import first_variant
from bot.diagnosis.requirements import integer
from bot.karpenter import (
    Finding,
    InvalidRequirement,
    MatchFieldsUnsupported,
    OptedOut,
    RestrictedLabel,
    UnknownValues,
)
from bot.karpenter import RequirementProblem as Problem
from bot.model.kubernetes import NodeSelectorRequirement, Pod
from bot.model.labels import CAPACITY_TYPE, NODEPOOL, RESTRICTED_DOMAINS, WELL_KNOWN, is_restricted, normalised
from bot.model.world import World

# Values that a well-known label can have at all (labels.go and karpenter-provider-aws, WellKnownValuesForRequirements).
KNOWN_VALUES: Final = {
    CAPACITY_TYPE: ("on-demand", "reserved", "spot"),
    "karpenter.k8s.aws/instance-tenancy": ("dedicated", "default"),
}
_OPERATORS: Final = ("In", "NotIn", "Gt", "Lt", "Gte", "Lte", "Exists", "DoesNotExist")
# Kubernetes' own explanations (apimachinery util/validation) are long; these say the rule, not the wording.
_NAME_RULE: Final = "a name must consist of alphanumeric characters, '-', '_' or '.', at most 63"
_VALUE_RULE: Final = "a value must consist of alphanumeric characters, '-', '_' or '.', at most 63"
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*", re.ASCII)


def not_provisionable(pod: Pod) -> str:
    """Why Karpenter does not look at the pod at all, or "": bound, gated, daemonset, mirror, preempting, unscheduled."""
    if pod.spec.node_name:
        return "bound"
    if any(o.kind == "DaemonSet" and o.api_version == "apps/v1" for o in pod.metadata.owner_references):
        return "daemonset"
    if any(o.kind == "Node" and o.api_version == "v1" for o in pod.metadata.owner_references):
        return "mirror"
    if pod.status.nominated_node_name:
        return "preempting"
    scheduled = pod.condition("PodScheduled")
    if scheduled is not None and scheduled.reason == "SchedulingGated":
        return "gated"
    return "" if scheduled is not None and scheduled.reason == "Unschedulable" else "unseen"


def ignored(world: World, pod: Pod) -> tuple[Finding, ...]:
    """Everything for which Karpenter leaves the pod out of scheduling, in its order; empty when it tries the pod."""
    found: list[Finding] = []
    # validation looks at preferences whatever the policy is: it uses NewPodRequirements
    requirement = first_variant(pod, respect_preferences=True).requirements.get(NODEPOOL)
    if requirement is not None and requirement.operator == "DoesNotExist":
        found.append(OptedOut())
    for expression in _required_expressions(pod):
        found.extend(invalid(expression))
    found.extend(volumes.problems(world, pod))
    return tuple(found)


def _required_expressions(pod: Pod) -> Iterator[NodeSelectorRequirement | None]:
    """nodeSelector as expressions, then every expression of every required term; None stands for matchFields."""
    for key, value in sorted(pod.spec.node_selector.items()):
        yield NodeSelectorRequirement(key=key, operator="In", values=(value,))
    node = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = node.required_during_scheduling_ignored_during_execution if node else None
    for term in required.node_selector_terms if required else ():
        if term.match_fields:
            yield None
        yield from term.match_expressions


def invalid(expression: NodeSelectorRequirement | None) -> Iterator[Finding]:
    """What ValidateRequirement has against one expression, in its order."""
    if expression is None:
        yield MatchFieldsUnsupported()
        return
    key, operator = normalised(expression.key), expression.operator
    if operator not in _OPERATORS:
        known_operators = f"[{' '.join(_OPERATORS)}]"
        yield InvalidRequirement(
            key=key, problem=Problem.UNSUPPORTED_OPERATOR, operator=operator, detail=known_operators
        )
    if is_restricted(key):
        yield RestrictedLabel(key=key, well_known=tuple(sorted(WELL_KNOWN)), domains=RESTRICTED_DOMAINS)
    known = KNOWN_VALUES.get(key)
    if known and operator == "In" and not set(expression.values) & set(known):
        yield UnknownValues(key=key, values=expression.values, expected=known)
    yield from _malformed(key, expression)


def _malformed(key: str, expression: NodeSelectorRequirement) -> Iterator[Finding]:
    prefix, _, name = key.rpartition("/")
    operator = expression.operator
    if not _NAME.fullmatch(name) or len(name) > 63 or (prefix and not _DOMAIN.fullmatch(prefix)):
        yield InvalidRequirement(key=key, problem=Problem.NOT_QUALIFIED, detail=_NAME_RULE)
    for value in expression.values:
        if value and (len(value) > 63 or not _NAME.fullmatch(value)):
            yield InvalidRequirement(key=key, problem=Problem.INVALID_VALUE, value=value, detail=_VALUE_RULE)
    if operator == "In" and not expression.values:
        yield InvalidRequirement(key=key, problem=Problem.VALUE_MISSING, operator=operator)
    if operator in ("Gt", "Lt", "Gte", "Lte"):
        number = integer(expression.values[0]) if len(expression.values) == 1 else None
        if number is None or number < 0:
            yield InvalidRequirement(key=key, problem=Problem.NOT_AN_INTEGER, operator=operator)
