"""Why a node went away: each rule told apart, the pods it took along, what would have held it, in at most twelve lines."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot import packaged
from bot.diagnosis.departure import Departure, departure, seconds_of
from bot.diagnosis.timeline import MOST
from bot.model.karpenter import NodeClaim, NodePool
from bot.model.kubernetes import Event, Node, Pod, PodDisruptionBudget
from bot.model.objects import decode
from bot.model.world import World
from bot.playbooks import plain, render_departure
from bot.terminal import render_text

NODE, CLAIM = "ip-10-0-1-7.ap-northeast-2.compute.internal", "gpu-x7k2p"
NOW = datetime(2025, 12, 28, 6, 30, tzinfo=UTC)
CASE = Path(__file__).parents[1] / "cases" / "consolidation-under-training"


def line(minutes: float, message: str, **fields: object) -> str:
    at = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    told = {"level": "INFO", "time": at, "logger": "controller", "message": message, "commit": "1ad0d78", **fields}
    return json.dumps(told)


def about(minutes: float, message: str, **fields: object) -> str:
    return line(minutes, message, NodeClaim={"name": CLAIM}, Node={"name": NODE}, **fields)


def event(minutes: float, kind: str, name: str, reason: str, message: str, *, by: str = "karpenter") -> Event:
    at = (NOW - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    space = {"namespace": "ml"} if kind == "Pod" else {}
    return decode(
        {
            "metadata": {"name": f"{name}.{minutes}", "uid": f"{kind}{name}{reason}{minutes}"},
            "involvedObject": {"kind": kind, "name": name, **space},
            "reason": reason,
            "message": message,
            "lastTimestamp": at,
            "source": {"component": by},
        },
        Event,
    )


def disrupting(reason: str, decision: str = "delete") -> str:
    gone = [{"Node": {"name": NODE}, "NodeClaim": {"name": CLAIM}, "instance-type": "p4d.24xlarge"}]
    fields = {"reason": reason, "decision": decision, "pod-count": 1, "disrupted-nodes": gone}
    return line(20, "disrupting node(s)", **fields)


ENDED = (about(19, "tainted node"), about(15, "deleted node"), about(15, "deleted nodeclaim"))
ON_NODE = event(200, "Pod", "train-0-abcde", "Scheduled", f"Successfully assigned ml/train-0-abcde to {NODE}")
EVICTED = event(18, "Pod", "train-0-abcde", "Evicted", "Evicted pod: Drifted")


def pool(**disruption: object) -> NodePool:
    template = {"spec": {"expireAfter": "720h", "terminationGracePeriod": "24h"}}
    spec = {"disruption": disruption, "template": template}
    return decode({"metadata": {"name": "gpu"}, "spec": spec}, NodePool)


def world(*log: str, events: tuple[Event, ...] = (ON_NODE,), **more: object) -> World:
    pools = (pool(consolidationPolicy="WhenEmptyOrUnderutilized", consolidateAfter="1m"),)
    known: dict[str, object] = {"node_pools": pools, **more}
    return World(now=NOW, karpenter_log=log, events=events, **known)  # type: ignore[arg-type]


def ids(found: Departure) -> list[str]:
    return [cause.id for cause in found.diagnosis.causes]


@pytest.mark.parametrize(
    ("log", "reason", "cause"),
    [
        ((disrupting("underutilized", "replace"), *ENDED), "Underutilized", "node-disrupted"),
        ((disrupting("empty"), *ENDED), "Empty", "node-disrupted"),
        ((about(30, "marking drifted", reason="AMIDrift"), disrupting("drifted"), *ENDED), "Drifted", "node-disrupted"),
        ((about(20, "deleting expired nodeclaim"), *ENDED), "Expired", "node-disrupted"),
        (
            (about(20, "initiating delete from interruption message", messageKind="spot_interrupted"), *ENDED),
            "Interruption",
            "node-disrupted",
        ),
        (
            (about(20, "initiating delete from interruption message", messageKind="scheduled_change"), *ENDED),
            "ScheduledChange",
            "node-disrupted",
        ),
        (
            (about(20, "initiating delete from interruption message", messageKind="instance_terminated"), *ENDED),
            "InstanceTerminated",
            "node-removed",
        ),
        ((about(20, "deleting unhealthy node"), *ENDED), "Unhealthy", "node-disrupted"),
        (
            (about(20, "terminating due to timeout", timeout="15m0s", reason="registration_timeout"), ENDED[2]),
            "RegistrationTimeout",
            "not-registered",
        ),
        (ENDED, "DeletedByHand", "node-removed"),
        (
            (about(20, "garbage collecting nodeclaim with no cloudprovider representation"), *ENDED),
            "InstanceGone",
            "node-removed",
        ),
    ],
)
def test_each_rule_is_told_apart(log: tuple[str, ...], reason: str, cause: str) -> None:
    for asked in (NODE, NODE.partition(".")[0], CLAIM, "train-0-abcde", "ml/train-0-abcde"):
        found = departure(world(*log), asked)
        assert (found.reason, ids(found), found.state) == (reason, [cause], "gone"), asked
        assert (found.node, found.nodeclaim, found.nodepool) == (NODE, CLAIM, "gpu")
        assert found.pods == ("ml/train-0-abcde",)


def test_drift_says_what_differs_and_which_budget_let_it_through() -> None:
    log = (about(30, "marking drifted", reason="AMIDrift"), disrupting("drifted"), *ENDED)
    found = departure(world(*log, events=(ON_NODE, EVICTED)), NODE)
    assert found.diagnosis.causes[0].facts["field"] == "AMIDrift"
    shields = {one.id: one for one in found.shields}
    assert (shields["budget"].state, shields["budget"].facts["nodes"]) == ("counted", ("10%",))
    assert (shields["grace-period"].state, shields["grace-period"].facts["value"]) == ("counted", "24h")


def test_without_a_line_of_it_a_node_of_that_age_has_expired() -> None:
    born = line(720 * 60 + 19, "created nodeclaim", NodePool={"name": "gpu"}, NodeClaim={"name": CLAIM})
    joined = about(720 * 60 + 17, "registered nodeclaim")
    assert departure(world(born, joined, *ENDED), NODE).reason == "Expired"
    before = line(720 * 60 + 5, "created nodeclaim", NodePool={"name": "gpu"}, NodeClaim={"name": CLAIM})
    assert departure(world(before, *ENDED), NODE).reason == "DeletedByHand", "14 minutes before its time"
    young = line(90, "created nodeclaim", NodePool={"name": "gpu"}, NodeClaim={"name": CLAIM})
    assert departure(world(young, *ENDED), NODE).reason == "DeletedByHand"


def test_without_karpenter_s_log_nobody_is_accused() -> None:
    claim = decode(
        {"metadata": {"name": CLAIM, "labels": {"karpenter.sh/nodepool": "gpu"}}, "status": {"nodeName": NODE}},
        NodeClaim,
    )
    told = event(15, "Node", NODE, "FailedDraining", "Failed to drain node, 8 pods are waiting to be evicted")
    found = departure(world(events=(ON_NODE, told), node_claims=(claim,)), NODE)
    assert (found.reason, ids(found)) == ("", [])


def test_a_node_that_stopped_answering_and_whose_pods_were_given_up() -> None:
    silent = event(25, "Node", NODE, "NodeNotReady", f"Node {NODE} status is now: NodeNotReady", by="node-controller")
    lost = event(20, "Pod", "train-0-abcde", "TaintManagerEviction", "Marking for deletion Pod ml/train-0-abcde")
    found = departure(world(events=(ON_NODE, silent, lost)), "train-0-abcde")
    assert (found.reason, ids(found)) == ("NotReady", ["node-removed"])


def test_a_pod_that_had_ended_before_did_not_go_along() -> None:
    """It was placed there and is there no more, as the evicted one; only the other's eviction tells them apart."""
    ended = event(190, "Pod", "short-xyz", "Scheduled", f"Successfully assigned ml/short-xyz to {NODE}")
    evicted = event(18, "Pod", "train-0-abcde", "Evicted", "Evicted pod: Underutilized")
    log = (disrupting("underutilized"), *ENDED)
    assert departure(world(*log, events=(ended, ON_NODE, evicted)), NODE).pods == ("ml/train-0-abcde",)
    assert departure(world(*log, events=(ended, ON_NODE)), NODE).pods == ("ml/train-0-abcde", "ml/short-xyz")


def test_a_pod_that_was_too_early_for_the_node_did_not_go_along() -> None:
    """Seen on the bed: the taint that a node has until it has registered drove off a pod that was bound to it at once."""
    early = event(101, "Pod", "early-xyz", "Scheduled", f"Successfully assigned ml/early-xyz to {NODE}")
    driven = event(101, "Pod", "early-xyz", "TaintManagerEviction", "Marking for deletion Pod ml/early-xyz")
    bound = event(99, "Pod", "train-0-abcde", "Scheduled", f"Successfully assigned ml/train-0-abcde to {NODE}")
    evicted = event(18, "Pod", "train-0-abcde", "Evicted", "Evicted pod: Underutilized")
    log = (about(100, "initialized nodeclaim"), disrupting("underutilized"), *ENDED)
    found = departure(world(*log, events=(early, driven, bound, evicted)), NODE)
    assert (found.reason, found.pods) == ("Underutilized", ("ml/train-0-abcde",))


def test_that_a_node_object_was_removed_does_not_say_that_its_instance_was_gone() -> None:
    """Kubernetes' node controller says it of every node that is deleted, whoever deleted it: seen on the bed, for expiry."""
    removed = event(14, "Node", NODE, "RemovingNode", f"Node {NODE} event: Removing Node {NODE} from Controller")
    young = line(60, "created nodeclaim", NodePool={"name": "gpu"}, NodeClaim={"name": CLAIM})
    old = line(720 * 60 + 19, "created nodeclaim", NodePool={"name": "gpu"}, NodeClaim={"name": CLAIM})
    assert departure(world(old, *ENDED, events=(ON_NODE, removed)), NODE).reason == "Expired"
    assert departure(world(young, *ENDED, events=(ON_NODE, removed)), NODE).reason == "DeletedByHand"
    assert departure(world(young, events=(ON_NODE, removed)), NODE).reason == ""


def test_a_node_out_of_service() -> None:
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute", "value": "nodeshutdown"}
    node = decode({"metadata": {"name": NODE}, "spec": {"taints": [taint]}}, Node)
    assert departure(world(nodes=(node,)), NODE).reason == "OutOfService"


def test_what_held_it_and_what_did_not_count() -> None:
    blocked = event(
        40, "Node", NODE, "DisruptionBlocked", 'Pod has "karpenter.sh/do-not-disrupt" annotation (Pod=ml/x)'
    )
    meta = {"name": "train-0-fghij", "namespace": "ml", "labels": {"app": "t"}}
    guarded = {**meta, "annotations": {"karpenter.sh/do-not-disrupt": "true"}}
    kin = decode({"metadata": guarded}, Pod)
    budget = decode(
        {"metadata": {"name": "train", "namespace": "ml"}, "spec": {"selector": {"matchLabels": {"app": "t"}}}},
        PodDisruptionBudget,
    )
    spot = about(20, "initiating delete from interruption message", messageKind="spot_interrupted")
    passed = departure(world(spot, *ENDED, pods=(kin,), pod_disruption_budgets=(budget,)), NODE)
    assert {one.id: one.state for one in passed.shields} == {
        "do-not-disrupt": "does-not-count",
        "pdb": "does-not-count",
        "budget": "does-not-count",
        "grace-period": "counted",
    }
    assert not passed.diagnosis.remedies  # neither annotation nor policy holds off an interruption
    held = departure(world(disrupting("drifted"), *ENDED, events=(ON_NODE, blocked)), NODE)
    assert {one.id: one.state for one in held.shields}["do-not-disrupt"] == "held"


def test_a_node_that_is_there_is_not_gone_and_an_unknown_one_is_not_known() -> None:
    node = decode({"metadata": {"name": NODE}}, Node)
    here = departure(world(nodes=(node,)), NODE)
    assert (here.state, ids(here), here.shields) == ("here", [], ())
    assert departure(world(), "ip-10-9-9-9").state == "unknown"


def test_the_timeline_has_twelve_lines_at_most_and_tells_each_thing_once() -> None:
    log = [about(60 - i * 0.1, "tainted node") for i in range(50)]
    log += [about(600, text) for text in ("created nodeclaim", "launched nodeclaim", "registered nodeclaim")]
    log += [about(598, "initialized nodeclaim"), about(90, "marking drifted", reason="AMIDrift"), disrupting("drifted")]
    log += [about(89, "marking consolidatable"), *ENDED]
    events = [ON_NODE, EVICTED, event(17.5, "Pod", "train-1-xyzab", "Evicted", "Evicted pod: Drifted")]
    events += [event(200, "Pod", "train-1-xyzab", "Scheduled", f"Successfully assigned ml/train-1-xyzab to {NODE}")]
    events += [event(i, "Node", NODE, "NodeNotReady", f"Node {NODE} status is now: NodeNotReady") for i in (50, 40, 30)]
    events += [event(19.9, "Node", NODE, "DisruptionTerminating", "Disrupting Node: Drifted")]
    found = departure(world(*log, events=tuple(events)), NODE)
    assert len(found.timeline) <= MOST
    whats = [one.what for one in found.timeline]
    assert len(whats) == len(set(whats))
    times = [one.time for one in found.timeline if one.time]
    assert times == sorted(times)
    told = {one.what: one for one in found.timeline}
    assert told["evicted"].facts["pods"] == ("ml/train-0-abcde", "ml/train-1-xyzab")
    assert told["not-ready"].times == 3


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_can_be_said_in_both_languages(language: str) -> None:
    playbooks = packaged.load_playbooks()
    for log in (ENDED, (disrupting("drifted"), *ENDED), ()):
        found = departure(world(*log, events=(ON_NODE, EVICTED)), NODE)
        rendered = render_departure(found, playbooks, language)
        assert not rendered.problems
        text = render_text(rendered, playbooks.phrases(language))
        assert NODE in text.replace("\n", "")
        assert all(plain(one) for one in (*rendered.timeline, *rendered.shields))


@pytest.mark.parametrize(("text", "seconds"), [("720h", 2592000), ("1h30m", 5400), ("Never", 0), ("", 0), ("90", 0)])
def test_durations(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", "why-gone", *arguments, "--snapshot", str(CASE)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )


def test_the_command_answers_for_a_recorded_cluster() -> None:
    answer = json.loads(run("ip-10-0-152-19", "-o", "json").stdout)
    assert (answer["state"], answer["reason"]) == ("gone", "Underutilized")
    assert answer["pods"] == ["default/llama-3-8b-node-0-1-h6v8k"]
    assert [(one["id"], one["patchType"], one["applicable"]) for one in answer["remedies"]] == [
        ("add-do-not-disrupt", "json", True),
        ("set-consolidation", "json", True),
        ("add-disruption-budget", "json", True),
        ("add-training-nodepool", "create", False),
    ]
    slack = json.loads(run("ip-10-0-152-19", "-o", "slack").stdout)
    assert "ip-10-0-152-19" in slack["text"]
    missing = run("ip-9-9-9-9")
    assert (missing.returncode, missing.stdout, missing.stderr.count("\n")) == (3, "", 1)
