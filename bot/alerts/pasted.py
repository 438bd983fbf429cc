"""What a person pastes: `kubectl describe`, events, Karpenter's log lines. Chat about pods is none of these."""

import re
from collections.abc import Iterable
from typing import Final

from bot.alerts.alert import Alert, Question, Subject
from bot.alerts.labels import read_sentences
from bot.alerts.message import Message
from bot.alerts.names import LABEL, NODE_NAME, SUBDOMAIN, name_in
from bot.karpenter import Refusal, Signal, SignalKind, parse_events, parse_text, read_event, read_line

SENDER: Final = "human-paste"
K = SignalKind
_POD_KINDS: Final = frozenset({K.POD_REFUSED, K.POD_IGNORED, K.POD_DEFERRED, K.SCHEDULER_REFUSED})
_NODE_KINDS: Final = frozenset(
    {
        K.LAUNCH_FAILED_ICE,
        K.LAUNCH_FAILED,
        K.LAUNCH_TIMEOUT,
        K.REGISTRATION_PENDING,
        K.REGISTRATION_TAINT_MISSING,
        K.REGISTRATION_TIMEOUT,
        K.INCONSISTENT,
        K.NODECLAIM_NOT_CREATED,
        K.DISRUPTING,
        K.INTERRUPTED,
        K.INTERRUPTION_WARNED,
        K.INSTANCE_UNHEALTHY,
        K.NODE_REPAIR,
        K.NODE_TAINTED,
        K.DRAIN_FAILED,
        K.NODE_DELETED,
        K.NODECLAIM_DELETED,
        K.GARBAGE_COLLECTED,
        K.EXPIRED,
        K.DRIFTED,
        K.TERMINATION_DEADLINE,
        K.POD_EVICTED,
        K.NODECLASS_NOT_READY,
    }
)
_POOL_KINDS: Final = frozenset(
    {
        K.NO_NODEPOOLS,
        K.NODEPOOL_NOT_READY,
        K.NODEPOOL_FILTERED_OUT,
        K.INSTANCE_TYPES_UNRESOLVED,
        K.LIMITS_EXCLUDE_TYPES,
        K.NODECLASS_UNRESOLVED,
        K.NODECLASS_UNAUTHORIZED,
    }
)
_NAME: Final = re.compile(r"^\s*`*Name:\s+(\S+)\s*$", re.MULTILINE)
_NAMESPACE: Final = re.compile(r"^\s*Namespace:\s+(\S+)\s*$", re.MULTILINE)
_KIND: Final = re.compile(r"^\s*Kind:\s+(NodeClaim|NodePool|EC2NodeClass|Node)\s*$", re.MULTILINE)
_PENDING: Final = re.compile(r"^\s*Status:\s+Pending\b|\bFailedScheduling\b|PodScheduled\s+False", re.MULTILINE)
_NODE_DOWN: Final = re.compile(
    r"\bNodeNotReady\b|^\s*Ready\s+(?:False|Unknown)\b|node\.kubernetes\.io/(?:unreachable|not-ready)", re.MULTILINE
)
_POOL_LABEL: Final = re.compile(r"karpenter\.sh/nodepool[=:]\s*([a-z0-9][-.a-z0-9]*)")
_CLAIM_TROUBLE: Final = re.compile(
    r"^\s*Status:\s+(?:False|Unknown)\b|\bWarning\b|Insufficient\w*|Failed", re.MULTILINE
)
_CONTROLLED: Final = re.compile(r"^\s*Controlled By:\s+Job/(\S+)", re.MULTILINE)


def recognise_paste(message: Message) -> Alert | None:
    """The question that a person's paste asks, None for everything else that people write."""
    text = "\n".join(message.at("text"))
    if "\n" not in text and "{" not in text and len(text) < 60:
        return None
    return _described(text) or _logged(text)


def _described(text: str) -> Alert | None:
    name = _NAME.search(text)
    if name is None:
        return None
    kind, pool = _KIND.search(text), _POOL_LABEL.search(text)
    nodepool = pool[1] if pool else ""
    own = name_in(name[1], SUBDOMAIN)
    if kind is not None and kind[1] != "Node":
        field, question = {
            "NodeClaim": ("nodeclaim", Question.WHY_NODE),
            "NodePool": ("nodepool", Question.NODEPOOL),
        }.get(kind[1], ("", Question.NODEPOOL))
        if not _CLAIM_TROUBLE.search(text):
            return None
        subject = {"nodepool": nodepool} | ({field: own} if field else {})
        return _alert(text, question, **subject)
    if _PENDING.search(text) and _NAMESPACE.search(text):
        namespace = _NAMESPACE.search(text)
        job = _CONTROLLED.search(text)
        return _alert(
            text,
            Question.WHY_POD,
            pod=own,
            namespace=name_in(namespace[1]) if namespace else "",
            job=job[1] if job else "",
        )
    if _NODE_DOWN.search(text) and (kind is not None or NODE_NAME.fullmatch(own) or "Roles:" in text):
        return _alert(text, Question.WHY_NODE, node=own, nodepool=nodepool)
    return None


def _logged(text: str) -> Alert | None:
    """Log lines and event tables; sentences among words only where they name their pod."""
    signals = [read_line(line) for line in parse_text(text)] + [read_event(event) for event in parse_events(text)]
    for kinds, question in (
        (_POD_KINDS, Question.WHY_POD),
        (_NODE_KINDS, Question.WHY_NODE),
        (_POOL_KINDS, Question.NODEPOOL),
    ):
        about = [signal for signal in signals if signal.kind in kinds]
        if about:
            return _of_signals(text, about, signals, question)
    return None


def _of_signals(text: str, about: list[Signal], signals: list[Signal], question: Question) -> Alert:
    pods = tuple(dict.fromkeys(signal.objects["Pod"] for signal in about if signal.objects.get("Pod")))
    namespaces = {pod.partition("/")[0] for pod in pods if "/" in pod}
    names = tuple(pod.rpartition("/")[2] for pod in pods)
    pools = _named(about, "NodePool") or _named(signals, "NodePool")
    if not pools:
        details = (signal.detail for signal in about)
        said = {pool for detail in details if isinstance(detail, Refusal) for pool in _pools(detail)}
        pools = said if len(said) == 1 else set()
    return _alert(
        text,
        question,
        pod=names[0] if len(names) == 1 and question is Question.WHY_POD else "",
        pods=names if question is Question.WHY_POD else (),
        namespace=next(iter(namespaces)) if len(namespaces) == 1 and question is Question.WHY_POD else "",
        nodepool=next(iter(pools)) if len(pools) == 1 else "",
        nodeclaim=_single(_named(about, "NodeClaim")),
        node=_single(_named(about, "Node")) if question is Question.WHY_NODE else "",
    )


def _named(signals: Iterable[Signal], kind: str) -> set[str]:
    return {signal.objects[kind] for signal in signals if signal.objects.get(kind)}


def _single(names: set[str]) -> str:
    return next(iter(names)) if len(names) == 1 else ""


def _pools(refusal: Refusal) -> set[str]:
    return {clause.nodepool for clause in refusal.clauses if clause.nodepool}


def _alert(text: str, question: Question, **found: object) -> Alert:
    own_words = [line for line in text.split("\n") if len(line) < 200 and "{" not in line]
    cluster = name_in(next(iter(read_sentences(own_words).all("cluster")), ""), LABEL)
    if "pods" not in found and found.get("pod"):
        found["pods"] = (found["pod"],)
    return Alert(sender=SENDER, subject=Subject(cluster=cluster, **found), question=question)  # type: ignore[arg-type]
