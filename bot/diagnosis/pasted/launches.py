"""Launches that failed, in a pasted text: the causes of launches.py, with the topic and what to look at next."""

from collections.abc import Sequence

from bot.diagnosis.denials import CREATE_ROLE, denial_facts
from bot.diagnosis.launches import launch_causes, mark_cause, unnamed_capacity, words_of
from bot.diagnosis.pasted.told import Need, Told, cause, need
from bot.karpenter import LaunchFailure, Signal, SignalKind
from bot.model.diagnosis import Cause, Fact


def of_launch(signal: Signal) -> Told:
    """Every cause that a failed launch's error proves, what can be mended first."""
    failure = signal.detail
    if not isinstance(failure, LaunchFailure):
        return Told(topic="launch-failed", needs=_look(signal))
    causes = launch_causes(signal, failure)
    if failure.reason == "NodeClassNotReady":
        return Told(topic="nodeclass-not-ready", causes=causes, needs=_look(signal))
    sold_out = failure.insufficient_capacity and not failure.errors
    if sold_out and not failure.truncated and not causes:
        causes = (unnamed_capacity(signal),)
    topic = "nothing-available" if sold_out else "launch-failed"
    return Told(topic=topic, causes=causes, needs=_needs(signal, failure, causes))


def of_mark(signal: Signal) -> Told:
    """`removing offering from offerings`: what EC2 said of one offering."""
    found = mark_cause(signal)
    if found is None:
        return Told(topic="offering-unavailable", needs=(need("launch-log"),))
    return Told(topic="offering-unavailable", causes=(found,))


def of_spot_role(signal: Signal) -> Told:
    """Karpenter's event that the service-linked role for spot instances is missing (since v1.5 spot then looks sold out)."""
    facts: dict[str, Fact] = {"nodeclaim": "", "message": signal.message, **denial_facts(CREATE_ROLE, signal.message)}
    return Told(topic="launch-failed", causes=(cause("not-authorized", signal.message, (), **facts),))


def of_refused_check(signal: Signal) -> Told:
    """`unauthorized to call ec2:CreateFleet`: the EC2NodeClass's dry run was denied."""
    operation = ":".join(signal.message.partition("unauthorized to call ")[2].split(":")[:2])
    facts: dict[str, Fact] = {"nodeclaim": "", "message": signal.message, **denial_facts(operation, signal.message)}
    needs = (need("nodeclass", nodeclass=signal.objects.get("EC2NodeClass", "")),)
    return Told(topic="launch-failed", causes=(cause("not-authorized", words_of(signal), (), **facts),), needs=needs)


def _look(signal: Signal) -> tuple[Need, ...]:
    return (need("nodeclaim", nodeclaim=signal.objects.get("NodeClaim", "")), need("launch-log"))


def _needs(signal: Signal, failure: LaunchFailure, causes: Sequence[Cause]) -> tuple[Need, ...]:
    found = {one.id for one in causes}
    needs = [*([need("whole-line")] if failure.truncated else [])]
    if failure.denial is not None and failure.denial.encoded:
        needs.append(need("decode"))
    if "vcpu-quota-exceeded" in found:
        needs.append(need("quotas"))
    if "subnet-out-of-ips" in found:
        needs.append(need("subnets"))
    if not failure.errors or signal.kind is SignalKind.LAUNCH_FAILED:
        needs.extend(_look(signal))
    return tuple(needs)
