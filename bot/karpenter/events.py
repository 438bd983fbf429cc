"""What a log line or an event tells -> Signal. The sentences are in the catalogue, here is the reading."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from bot.karpenter.catalogue import Reads, Row
from bot.karpenter.catalogue_kubernetes import KUBERNETES_EVENTS
from bot.karpenter.catalogue_nodes import EVENT_ROWS, LOG_ROWS
from bot.karpenter.disruptions import parse_disruption
from bot.karpenter.kube_scheduler import parse_scheduler_message
from bot.karpenter.launch_failures import LaunchFailure, parse_launch_failure
from bot.karpenter.lines import LogLine
from bot.karpenter.refusals import parse_refusal
from bot.karpenter.signals import Detail, PrintedEvent, Signal, SignalKind
from bot.model.diagnosis import Json

K = SignalKind
LONGEST_FACT: Final = 2_000
_EXACT: Final[Mapping[str, Row]] = {row.template.text: row for row in LOG_ROWS if not row.template.holes}
_OPEN: Final = tuple(row for row in LOG_ROWS if row.template.holes)
_TIMEOUTS: Final = {"launch_timeout": K.LAUNCH_TIMEOUT, "registration_timeout": K.REGISTRATION_TIMEOUT}
_COMBINED: Final = "(combined from similar events): "
_WRAPS: Final = ("creating node claim, ", "creating nodeclaims, ", "disrupting, ")


def _by_reason(rows: Iterable[Row]) -> dict[str, list[Row]]:
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row.reason].append(row)
    return dict(grouped)


_EVENTS: Final = _by_reason((*KUBERNETES_EVENTS, *EVENT_ROWS))


def read_line(line: LogLine) -> Signal:
    """What a log line says; kind OTHER when the sentence is not in the catalogue. Never raises.

    A line that broke off is judged only by what was whole: a message that was cut has no kind, an error that was cut
    keeps what was certain of it.
    """
    row, holes = _find_log_row(line)
    if row is None:
        return _signal(K.OTHER, line, {})
    facts = {**_lifted(row, line.fields), **_facts(holes)}
    signal = _signal(row.kind, line, facts)
    if row.kind is K.REGISTRATION_TIMEOUT and "reason" in row.lift:  # since v1.7 one sentence for both timeouts
        return replace(signal, kind=_TIMEOUTS.get(facts.get("reason", ""), K.OTHER))
    if row.kind is K.RECONCILE_FAILED:
        return _read_reconcile_error(signal, line)
    if row.reads is Reads.REFUSAL:  # what else the line names are keys of one of its errors (serrors), not its subject
        signal = replace(signal, objects={kind: name for kind, name in line.objects.items() if kind == "Pod"})
    return with_detail(signal, _line_detail(row, line, holes))


def read_event(event: PrintedEvent) -> Signal:
    """What a Kubernetes event says; kind OTHER when neither reason nor sentence is in the catalogue. Never raises."""
    message = event.message.removeprefix(_COMBINED)
    name = f"{event.namespace}/{event.name}" if event.namespace else event.name
    signal = Signal(
        kind=K.OTHER,
        message=message,
        time=event.time,
        objects={event.kind: name} if event.kind and event.name else {},
        from_event=True,
        count=event.count,
        first=event.first,
    )
    verdict = parse_scheduler_message(message) if event.source != "karpenter" else None
    if verdict is not None:
        return replace(signal, kind=K.SCHEDULER_REFUSED, detail=verdict)
    for row in (*_EVENTS.get(event.reason, ()), *_EVENTS[""]):
        holes = row.template.read(message)
        if holes is None and row.reads is not Reads.NOTHING:  # too long for the template: only its opening counts
            holes = _rest_of(row, message)
        if holes is not None:
            found = replace(signal, kind=row.kind, facts=_facts(holes), objects={**signal.objects, **_targets(holes)})
            return with_detail(found, _error_detail(row.reads, str(holes.get("error", ""))))
    return signal


def _find_log_row(line: LogLine) -> tuple[Row | None, Mapping[str, object]]:
    if line.cut != "message":
        exact = _EXACT.get(line.message)
        if exact is not None:
            return exact, {}
    for row in _OPEN:
        cut_there = line.cut == "message" and row.reads is not Reads.REFUSAL
        if cut_there or not line.message.startswith(row.template.opens):
            continue
        holes = row.template.read(line.message) or _rest_of(row, line.message)
        if holes is not None:
            return row, holes
    return None, {}


def _rest_of(row: Row, message: str) -> dict[str, object] | None:
    """The `error` hole of a message that is too long for a pattern."""
    name = row.template.holes[0][0] if len(row.template.holes) == 1 else ""
    rest = message[len(row.template.opens) :]
    return {name: rest} if name and rest and row.template.opens and message.startswith(row.template.opens) else None


def _lifted(row: Row, fields: Mapping[str, Json]) -> dict[str, str]:
    return {name: _print(fields[name]) for name in row.lift if name in fields}


def _print(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_print(one) for one in value)[:LONGEST_FACT]
    return str(value)[:LONGEST_FACT]


def _facts(holes: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value)[:LONGEST_FACT] for name, value in holes.items() if name != "error"}


def _targets(holes: Mapping[str, object]) -> dict[str, str]:
    """`nodeclaim/a, node/b` -> {"NodeClaim": "a", "Node": "b"}; names in facts become objects too."""
    kinds = {"nodeclaim": "NodeClaim", "machine": "NodeClaim", "node": "Node", "nodepool": "NodePool", "pod": "Pod"}
    found = {kinds[name]: str(value) for name, value in holes.items() if name in kinds}
    for part in str(holes.get("targets", "")).split(", "):
        kind, slash, name = part.partition("/")
        if slash and kind in kinds:
            found[kinds[kind]] = name
    return found


def _signal(kind: SignalKind, line: LogLine, facts: Mapping[str, str]) -> Signal:
    message = f"{line.message}: {line.error}" if line.error and line.message else line.message or line.error
    return Signal(
        kind=kind, message=message, time=line.time, objects=line.objects, facts=facts, truncated=line.truncated
    )


def _line_detail(row: Row, line: LogLine, holes: Mapping[str, object]) -> Detail | None:
    if row.reads is Reads.DISRUPTION:
        return parse_disruption(line.message, line.fields)
    if row.reads is Reads.REFUSAL:
        error = str(holes.get("error", "")) or line.error or _text(line.fields, "error")
        cut = line.cut in {"error", "message"}
        return parse_refusal(f"ignoring pod, {error}" if error else "", causes=line.error_causes, truncated=cut)
    if row.reads is Reads.LAUNCH:
        return parse_launch_failure(line.error or line.message, truncated=line.cut == "error")
    return None


def _error_detail(reads: Reads, error: str) -> Detail | None:
    if reads is Reads.REFUSAL:
        return parse_refusal(f"Failed to schedule pod, {error}")
    return parse_launch_failure(error) if reads is Reads.LAUNCH else None


def _text(fields: Mapping[str, Json], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _read_reconcile_error(signal: Signal, line: LogLine) -> Signal:
    """`Reconciler error` says nothing; its error may be a launch that failed or a limit met at creation."""
    cut = line.cut == "error"
    launch = parse_launch_failure(line.error, truncated=cut)
    if launch is not None:
        return with_detail(replace(signal, kind=K.LAUNCH_FAILED), launch)
    for wrap in _WRAPS:
        if line.error.startswith(wrap):
            refusal = parse_refusal(line.error.removeprefix(wrap), truncated=cut)
            if refusal is not None:
                return replace(signal, kind=K.NODECLAIM_NOT_CREATED, detail=refusal)
    return signal


def with_detail(signal: Signal, detail: Detail | None) -> Signal:
    """Sets the detail; it may sharpen the kind: a refusal by validation, a launch without capacity or NodeClass."""
    kind = signal.kind
    if isinstance(detail, LaunchFailure):
        if detail.insufficient_capacity:
            kind = K.LAUNCH_FAILED_ICE
        if detail.reason == "NodeClassNotReady":
            kind = K.NODECLASS_NOT_READY
        elif detail.reason == "NodeClassNotFound":
            kind = K.NODECLASS_UNRESOLVED
    elif kind is K.POD_REFUSED and getattr(detail, "ignored", False):
        kind = K.POD_IGNORED
    return replace(signal, kind=kind, detail=detail)
