"""Pods that are none of Karpenter's business: they have a node, are finished, or it would never look at them."""

from collections.abc import Iterable

from bot.diagnosis.history import History, read_history
from bot.diagnosis.proven import cause
from bot.diagnosis.starting import REJECTED, not_running
from bot.diagnosis.validation import not_provisionable
from bot.karpenter import Signal, SignalKind
from bot.model.diagnosis import Cause, Diagnosis, Fact, Verdict
from bot.model.kubernetes import Pod
from bot.model.objects import ObjectRef, ref_of
from bot.model.world import World


def diagnosis_of(
    pod: Pod, verdict: Verdict, reason: str = "", causes: Iterable[Cause] = (), **facts: Fact
) -> Diagnosis:
    """A Diagnosis that needs no offerings."""
    return Diagnosis(
        pod=ref_of(pod), uid=pod.metadata.uid, verdict=verdict, reason=reason, causes=tuple(causes), facts=facts
    )


def outside_karpenter(world: World, pod: Pod, history: History) -> Diagnosis | None:
    """The pod has a node already, is finished, or is none that Karpenter would ever look at; else None."""
    if pod.status.phase in ("Succeeded", "Failed") and not REJECTED.fullmatch(pod.status.reason):
        return diagnosis_of(pod, Verdict.NOT_KARPENTERS_JOB, "finished")
    where = f"{ref_of(pod)}"
    match not_provisionable(pod):
        case "bound":
            return _bound(world, pod, history)
        case "gated":
            gates = tuple(g.name for g in pod.spec.scheduling_gates)
            found = cause("scheduling-gated", f"{where} spec.schedulingGates: {', '.join(gates)}", (), gates=gates)
        case "daemonset":
            owner = next(o.name for o in pod.metadata.owner_references if o.kind == "DaemonSet")
            evidence = f"{where} metadata.ownerReferences: DaemonSet {owner}"
            found = cause("daemonset-pod", evidence, (), daemonset=owner)
        case "mirror":
            return diagnosis_of(pod, Verdict.NOT_KARPENTERS_JOB, "mirror")
        case "preempting":
            node = pod.status.nominated_node_name
            return diagnosis_of(pod, Verdict.NOT_KARPENTERS_JOB, "preempting", node=node)
        case "unseen" if pod.spec.scheduler_name not in ("", "default-scheduler"):
            scheduler = pod.spec.scheduler_name
            found = cause("other-scheduler", f"{where} spec.schedulerName: {scheduler}", (), scheduler=scheduler)
        case "unseen":
            condition = pod.condition("PodScheduled")
            reason = condition.reason if condition else ""
            evidence = f"{where} status.conditions[PodScheduled]: {reason}"
            found = cause("not-seen-by-scheduler", evidence, (), reason=reason)
        case _:
            return None
    return diagnosis_of(pod, Verdict.NOT_KARPENTERS_JOB, found.id, (found,))


def _bound(world: World, pod: Pod, history: History) -> Diagnosis:
    if _names_nobody(world, pod):
        evidence = f"{ref_of(pod)} spec.nodeName: {pod.spec.node_name}"
        nowhere = cause("already-bound", evidence, (), node=pod.spec.node_name, there=False)
        return diagnosis_of(pod, Verdict.NOT_KARPENTERS_JOB, nowhere.id, (nowhere,))
    reason, causes = not_running(world, pod, history)
    facts: dict[str, Fact] = {"node": pod.spec.node_name, "phase": pod.status.phase}
    return diagnosis_of(pod, Verdict.RUNNING, reason or "bound", causes, **facts)


def _names_nobody(world: World, pod: Pod) -> bool:
    """Whether a pod that waits has a node's name that no node has: nothing will ever run it."""
    unread = not world.nodes or any(gap.what.startswith("nodes") for gap in world.missing)
    there = any(n.metadata.name == pod.spec.node_name for n in world.nodes)
    return pod.status.phase in ("", "Pending") and not unread and not there


def never_created(world: World, name: str, namespace: str) -> Diagnosis | None:
    """A workload whose pods were never made, by its name or the beginning of it: its controller says why (a quota of the
    namespace, an admission webhook). None where nobody says so.
    """
    said = [s for s in read_history(world).of(SignalKind.PODS_NOT_CREATED) if _named(s, name, namespace)]
    if not said:
        return None
    message = said[-1].message
    owner = _owner(said[-1])
    evidence = f"{owner}: {message}"
    if "exceeded quota" in message:
        quota = message.partition("exceeded quota: ")[2].partition(",")[0]
        facts: dict[str, Fact] = {"quota": quota, "owner": str(owner), "namespace": owner.namespace}
        found = cause("namespace-quota-exceeded", evidence, (), message=message, **facts)
    else:
        found = cause("pods-not-created", evidence, (), message=message, owner=str(owner))
    return Diagnosis(
        pod=owner,
        uid="",
        verdict=Verdict.NOT_KARPENTERS_JOB,
        reason=found.id,
        causes=(found,),
        cluster=world.cluster,
        karpenter_version=world.karpenter_version,
        missing=world.missing,
    )


def _owner(signal: Signal) -> ObjectRef:
    kind, qualified = next(iter(signal.objects.items()))
    namespace, _, name = qualified.rpartition("/")
    return ObjectRef(kind=kind, namespace=namespace, name=name)


def _named(signal: Signal, name: str, namespace: str) -> bool:
    """Whether the signal is about that workload, or about one that a workload of that name made (`<name>-node-0`)."""
    if not signal.objects:
        return False
    owner = _owner(signal)
    same = owner.name == name or owner.name.startswith(f"{name}-") or name.startswith(f"{owner.name}-")
    return same and namespace in ("", owner.namespace)
