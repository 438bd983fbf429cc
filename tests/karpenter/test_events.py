"""Signals: each sentence of the catalogue gets its kind and its facts, from log lines and from events, pasted or not."""

import json
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.karpenter import (
    Clause,
    DisruptedNode,
    DisruptionCommand,
    LaunchFailure,
    LimitsExceeded,
    LogLine,
    Obstacle,
    OptedOut,
    PrintedEvent,
    Refusal,
    ResourceLimitExceeded,
    SchedulerVerdict,
    SignalKind,
    TaintNotTolerated,
    parse_events,
    parse_line,
    read_event,
    read_line,
    read_text,
)
from bot.karpenter.catalogue import Row
from bot.karpenter.catalogue_nodes import EVENT_ROWS, LOG_ROWS
from bot.karpenter.templates import LONGEST_TEXT
from tests.karpenter.sentences import EVENTS, LINES

K = SignalKind


def _line(message: str, **fields: object) -> LogLine:
    members = {
        "level": "INFO",
        "time": "2026-01-02T03:04:05.678Z",
        "logger": "controller",
        "message": message,
        **fields,
    }
    line = parse_line(json.dumps(members))
    assert line is not None
    return line


@pytest.mark.parametrize(("message", "fields", "kind", "objects", "facts"), LINES, ids=[row[0][:50] for row in LINES])
def test_log_lines(
    message: str,
    fields: Mapping[str, object],
    kind: SignalKind,
    objects: Mapping[str, str],
    facts: Mapping[str, str],
) -> None:
    signal = read_line(_line(message, **fields))
    assert (signal.kind, signal.objects, signal.facts) == (kind, objects, facts)


@pytest.mark.parametrize(("reason", "message", "kind", "facts"), EVENTS, ids=[row[1][:50] for row in EVENTS])
def test_events(reason: str, message: str, kind: SignalKind, facts: Mapping[str, str]) -> None:
    for said in (message, f"(combined from similar events): {message}"):
        signal = read_event(PrintedEvent(reason=reason, message=said, source="karpenter"))
        assert (signal.kind, signal.facts, signal.message) == (kind, facts, message)


def test_a_nomination_names_its_objects() -> None:
    event = PrintedEvent(
        reason="Nominated", message="Pod should schedule on: nodeclaim/a, node/b", kind="Pod", namespace="ml", name="p"
    )
    assert read_event(event).objects == {"Pod": "ml/p", "NodeClaim": "a", "Node": "b"}


def test_two_authors_of_failed_scheduling_are_told_apart() -> None:
    karpenter = read_event(
        PrintedEvent(
            reason="FailedScheduling",
            message="Failed to schedule pod, all available instance types exceed limits for nodepool (NodePool=gpu)",
            source="karpenter",
        )
    )
    assert (karpenter.kind, karpenter.detail) == (K.POD_REFUSED, _refusal(LimitsExceeded(nodepool="gpu"), "gpu"))
    ignored = read_event(
        PrintedEvent(
            reason="FailedScheduling",
            message="Failed to schedule pod, configured to not run on a Karpenter provisioned node "
            "(requirement=karpenter.sh/nodepool DoesNotExist)",
            source="karpenter",
        )
    )
    assert (ignored.kind, ignored.detail) == (K.POD_IGNORED, _refusal(OptedOut(), None))
    scheduler = read_event(
        PrintedEvent(reason="FailedScheduling", message="0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")
    )
    assert scheduler.kind is K.SCHEDULER_REFUSED


def _refusal(finding: LimitsExceeded | OptedOut, nodepool: str | None) -> Refusal:
    return Refusal(clauses=(Clause(findings=(finding,), nodepool=nodepool),))


_DESCRIBED: Final = """Name:             label-printer-7b5d9f6c88-w4hsk
Namespace:        fulfilment
Status:           Pending
Events:
  Type     Reason            Age                  From               Message
  ----     ------            ----                 ----               -------
  Warning  FailedScheduling  9m41s                default-scheduler  0/23 nodes are available: 4 node(s) had untolerated \
taint {dedicated: edge}, 19 Insufficient cpu. preemption: 0/23 nodes are available: 4 Preemption is not helpful.
  Warning  FailedScheduling  88s (x3 over 9m32s)  karpenter          Failed to schedule pod, incompatible with nodepool \
"edge", daemonset overhead={"cpu":"210m"}, did not tolerate dedicated=edge:NoSchedule
  Normal   Nominated         5s                   karpenter          Pod should schedule on: nodeclaim/base-4k2xx
"""


def test_a_pasted_description_is_read_with_its_pod() -> None:
    scheduler, karpenter, nominated = read_text(f"why?\n```{_DESCRIBED}```")
    assert [one.objects["Pod"] for one in (scheduler, karpenter)] == ["fulfilment/label-printer-7b5d9f6c88-w4hsk"] * 2
    assert isinstance(scheduler.detail, SchedulerVerdict)
    assert [(one.nodes, one.obstacle, one.subject) for one in scheduler.detail.reasons] == [
        (4, Obstacle.TAINT, "dedicated: edge"),
        (19, Obstacle.RESOURCE, "cpu"),
    ]
    assert isinstance(karpenter.detail, Refusal)
    assert karpenter.detail.clauses[0].nodepool == "edge"
    assert nominated.objects["NodeClaim"] == "base-4k2xx"


def test_a_pasted_event_list_is_read() -> None:
    text = (
        "NAMESPACE   LAST SEEN   TYPE      REASON                      OBJECT                MESSAGE\n"
        "default     2m          Warning   InsufficientCapacityError   nodeclaim/gpu-x7k2p   NodeClaim gpu-x7k2p event: "
        "insufficient capacity, all requested instance types were unavailable during launch\n"
        "4s          Normal    Evicted   pod/web-0   Evicted pod: Underutilized\n"
    )
    ice, evicted = parse_events(text)
    assert (ice.namespace, ice.kind, ice.name, ice.age) == ("default", "NodeClaim", "gpu-x7k2p", "2m")
    assert (evicted.namespace, evicted.kind, evicted.name) == ("", "Pod", "web-0")
    signals = read_text(text)
    assert [signal.kind for signal in signals] == [K.LAUNCH_FAILED_ICE, K.POD_EVICTED]
    assert signals[0].objects["NodeClaim"] == "gpu-x7k2p"


_BARE: Final = (
    ("no instance type met all requirements, requirements=karpenter.sh/nodepool In [a], resources={}", K.POD_REFUSED),
    ('"error":"no instance type met all requirements, requirements=, resources={\\"cpu\\":\\"1\\"}"', K.POD_REFUSED),
    ("it says did not tolerate taint (taint=team=ml:NoSchedule)", K.POD_REFUSED),
    ("Warning: Failed to schedule pod, node selector term with matchFields is not supported", K.POD_IGNORED),
    ("no instance type met all requirements,\nrequirements=karpenter.sh/nodepool In [a],\nresources={}", K.POD_REFUSED),
    ("Pod should schedule on: nodeclaim/a", K.NOMINATED),
    ("why 0/3 nodes are available: 3 Insufficient cpu.", K.SCHEDULER_REFUSED),
    (
        "*Description:* creating instance, insufficient capacity, with fleet error(s), VcpuLimitExceeded: You have\u2026",
        K.LAUNCH_FAILED_ICE,
    ),
)


@pytest.mark.parametrize(("text", "kind"), _BARE)
def test_a_bare_sentence_is_read_among_other_words(text: str, kind: SignalKind) -> None:
    (signal,) = read_text(text)
    assert signal.kind is kind
    if isinstance(signal.detail, Refusal):
        assert signal.detail.complete


@pytest.mark.parametrize("text", ["", "hello, is anyone here?", "the key topology is wrong", "label it, please"])
def test_other_peoples_words_are_nothing(text: str) -> None:
    assert read_text(text) == []


def test_reconciler_errors_are_read_through() -> None:
    limit = read_line(
        _line(
            "Reconciler error",
            error="creating node claim, resource usage exceeds limit (limit=100, resource-name=cpu, usage=104)",
        )
    )
    assert limit.kind is K.NODECLAIM_NOT_CREATED
    assert isinstance(limit.detail, Refusal)
    assert limit.detail.findings == (ResourceLimitExceeded(resource="cpu", usage="104", limit="100"),)
    launch = read_line(
        _line(
            "Reconciler error",
            controller="nodeclaim.lifecycle",
            error="launching nodeclaim, creating instance, getting launch template configs, no capacity offerings are "
            "currently available given the constraints",
        )
    )
    assert launch.kind is K.LAUNCH_FAILED
    assert isinstance(launch.detail, LaunchFailure)
    assert launch.detail.stages == ("launching nodeclaim", "creating instance", "getting launch template configs")
    assert read_line(_line("Reconciler error", error="something else")).kind is K.RECONCILE_FAILED


_NODE: Final = DisruptedNode(
    name="ip-10-0-1-2.ec2.internal", nodeclaim="gpu-x7k2p", instance_type="g6.xlarge", capacity_type="spot"
)


def test_what_is_disrupted_from_fields_since_v1_3() -> None:
    signal = read_line(
        _line(
            "disrupting node(s)",
            command="Underutilized/0c6b3b7e: replace: nodepools=[gpu]: [ip-10-0-1-2.ec2.internal] -> [1 replacement] "
            "(savings: $0.31)",
            decision="replace",
            **{
                "disrupted-node-count": 1,
                "replacement-node-count": 1,
                "pod-count": 3,
                "disrupted-nodes": [
                    {
                        "Node": {"name": "ip-10-0-1-2.ec2.internal"},
                        "NodeClaim": {"name": "gpu-x7k2p"},
                        "instance-type": "g6.xlarge",
                        "capacity-type": "spot",
                    }
                ],
                "replacement-nodes": [{"capacity-type": "spot", "instance-types": "g5.xlarge, g6.large"}],
            },
        )
    )
    assert signal.kind is K.DISRUPTING
    assert isinstance(signal.detail, DisruptionCommand)
    assert (signal.detail.reason, signal.detail.decision, signal.detail.pods) == ("underutilized", "replace", 3)
    assert signal.detail.nodes == (_NODE,)
    assert (signal.detail.replacements, signal.detail.replacement_types) == (1, "g5.xlarge, g6.large")


@pytest.mark.parametrize(
    ("message", "fields", "reason", "pods"),
    [
        (
            "disrupting nodeclaim(s) via replace, terminating 1 nodes (3 pods) ip-10-0-1-2.ec2.internal/g6.xlarge/spot and "
            "replacing with spot node from types g5.xlarge, g6.large",
            {"reason": "underutilized"},
            "underutilized",
            3,
        ),
        (
            "disrupting via consolidation replace, terminating 1 candidates ip-10-0-1-2.ec2.internal/g6.xlarge/spot and "
            "replacing with spot node from types g5.xlarge, g6.large",
            {},
            "underutilized",
            None,
        ),
        (
            "disrupting via drift replace, terminating 1 nodes (0 pods) ip-10-0-1-2.ec2.internal/g6.xlarge/spot and "
            "replacing with spot node from types g5.xlarge, g6.large",
            {},
            "drifted",
            0,
        ),
    ],
)
def test_what_is_disrupted_from_the_sentences_before(
    message: str, fields: Mapping[str, object], reason: str, pods: int | None
) -> None:
    command = read_line(_line(message, **fields)).detail
    assert isinstance(command, DisruptionCommand)
    assert (command.reason, command.decision, command.pods, command.replacements) == (reason, "replace", pods, 1)
    assert [(node.name, node.instance_type, node.capacity_type) for node in command.nodes] == [
        (_NODE.name, _NODE.instance_type, _NODE.capacity_type)
    ]
    assert (command.replacement_types, command.replacement_capacity_type) == ("g5.xlarge, g6.large", "spot")


def test_a_message_longer_than_any_pattern_is_still_a_refusal() -> None:
    taints = "; ".join(f"did not tolerate taint (taint=t{number}=x:NoSchedule)" for number in range(600))
    assert len(taints) > LONGEST_TEXT
    event = read_event(PrintedEvent(reason="FailedScheduling", message=f"Failed to schedule pod, {taints}"))
    line = read_line(_line(f"Could not schedule pod, {taints}"))
    for signal in (event, line):
        assert signal.kind is K.POD_REFUSED
        assert isinstance(signal.detail, Refusal)
        assert len(signal.detail.findings) == 600
        assert all(isinstance(finding, TaintNotTolerated) for finding in signal.detail.findings)


@pytest.mark.parametrize("row", [*LOG_ROWS, *EVENT_ROWS], ids=lambda row: row.template.text[:60])
def test_every_sentence_of_the_catalogue_is_found_by_its_own_words(row: Row) -> None:
    holes = {name: _example(codec.pattern) for name, codec in row.template.holes}
    text = row.template.write(holes, (1, 14)) or ""
    if row.reason or row in EVENT_ROWS:
        signal = read_event(PrintedEvent(reason=row.reason, message=text, source="karpenter"))
    else:
        signal = read_line(_line(text))
    assert signal.kind in {row.kind, K.LAUNCH_FAILED_ICE, K.POD_IGNORED} or "timeout" in text


def _example(pattern: str) -> object:
    if pattern.startswith("[0-9]"):
        return 7
    return "word"


@given(st.text(), st.text(), st.sampled_from(["", "karpenter", "default-scheduler"]))
def test_no_event_raises(reason: str, message: str, source: str) -> None:
    for known in (reason, *{row.reason for row in EVENT_ROWS}):
        read_event(PrintedEvent(reason=known, message=message, source=source))
