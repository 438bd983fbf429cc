"""Everything a pasted text tells: log lines, event tables, and Karpenter's sentences among people's own words."""

import re
from collections.abc import Iterator
from typing import Final

from bot.karpenter.catalogue_nodes import EVENT_ROWS
from bot.karpenter.event_tables import parse_events
from bot.karpenter.events import read_event, read_line, with_detail
from bot.karpenter.json_text import decode_object, recover_object
from bot.karpenter.kube_scheduler import parse_scheduler_message
from bot.karpenter.launch_failures import parse_launch_failure
from bot.karpenter.lines import parse_text
from bot.karpenter.pastes import rejoin, straighten, unwrap
from bot.karpenter.refusals import DISTINCT_OPENER, parse_refusal
from bot.karpenter.signals import PrintedEvent, Signal, SignalKind

MOST_LINES: Final = 2_000

_ANNOUNCED = re.compile(r"(?:Failed to|[Cc]ould not) schedule pod, |ignoring pod, ")
_ERROR_FIELD = re.compile(r'"(?:error|message)"\s*:\s*"')
_LAUNCH = re.compile(
    r"(?:launching nodeclaim|launching machine|creating instance|insufficient capacity|NodeClassRef not ready), "
)
_SCHEDULER = re.compile(r"0/\d{1,9} nodes are available")
_SURE: Final = tuple(row for row in EVENT_ROWS if len(row.template.opens) > len("Disrupting Node: "))
"""Events that the beginning of their sentence alone gives away."""


def read_text(text: str) -> list[Signal]:
    """Everything a pasted text tells, in order: log lines, then events; where there are none, sentences on their own.
    Never raises.
    """
    shaped = [read_line(line) for line in parse_text(text)] + [read_event(event) for event in parse_events(text)]
    return shaped or list(_read_sentences(unwrap(text)))


def _read_sentences(text: str) -> Iterator[Signal]:
    lines = [line.strip().strip("`") for line in text.split("\n", MOST_LINES)[:MOST_LINES] if line.strip()]
    found = [signal for signal in map(_read_sentence, lines) if signal is not None]
    if len(lines) > 1 and len(found) <= 1 and not any(_whole(signal) for signal in found):
        together = _read_sentence(rejoin(lines))  # perhaps one sentence that was wrapped
        found = [together] if together and (not found or _whole(together)) else found
    yield from found


def _whole(signal: Signal) -> bool:
    return bool(getattr(signal.detail, "complete", True))


def _read_sentence(line: str) -> Signal | None:
    said = _said(line)
    start = _ANNOUNCED.search(said) or DISTINCT_OPENER.search(said)
    refusal = parse_refusal(said[start.start() :]) if start else None
    if refusal is not None and start is not None:
        kind = SignalKind.POD_IGNORED if refusal.ignored else SignalKind.POD_REFUSED
        return Signal(kind=kind, message=said[start.start() :], detail=refusal)
    if start := _SCHEDULER.search(said):
        verdict = parse_scheduler_message(said[start.start() :])
        return Signal(kind=SignalKind.SCHEDULER_REFUSED, message=said[start.start() :], detail=verdict)
    if start := _LAUNCH.search(said):
        message = said[start.start() :]
        failure = parse_launch_failure(message)
        if failure is not None:
            return with_detail(Signal(kind=SignalKind.LAUNCH_FAILED, message=message), failure)
    for row in _SURE:
        if said.startswith(row.template.opens):
            signal = read_event(PrintedEvent(reason=row.reason, message=said))
            return signal if signal.kind is not SignalKind.OTHER else None
    return None


def _said(line: str) -> str:
    """The sentence itself, where only the `"error":"…"` member of a log line was copied."""
    member = _ERROR_FIELD.search(line)
    if member is None:
        return line
    text = "{" + straighten(line[member.start() :])
    found = decode_object(text) or recover_object(text)
    said = found.members.get("error") or found.members.get("message")
    return said if isinstance(said, str) else line
