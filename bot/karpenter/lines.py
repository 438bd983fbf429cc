"""Karpenter's log lines, in any shape they reach people -> LogLine.

Shapes: JSON (v0.32 to v0.36: knative logging, `logger: controller.provisioner`, the error inside `message`, objects as
`"pod": "ns/name"`; from v0.37: controller-runtime, `logger: controller`, an `error` field beside `errorCauses`, objects as
`{"name", "namespace"}`; from v1.5 the error's own keys beside them), console (tab-separated, then JSON), both behind the
prefixes of kubectl and container runtimes, wrapped in another log's JSON, pretty-printed, pasted or cut.
Home: karpenter pkg/operator/logging, go.uber.org/zap zapcore/error.go, awslabs/operatorpkg serrors/logger.go.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from bot.karpenter import pastes
from bot.karpenter.json_text import Found, decode_object, recover_object
from bot.model.diagnosis import Json

LONGEST_RECORD: Final = 400  # lines that one pretty-printed or wrapped record may span
_KINDS: Final = {
    "pod": "Pod",
    "node": "Node",
    "nodepool": "NodePool",
    "nodeclaim": "NodeClaim",
    "machine": "NodeClaim",
    "provisioner": "NodePool",
}
_OWN_FIELDS: Final = frozenset(
    {
        "level",
        "time",
        "logger",
        "controller",
        "message",
        "error",
        "errorCauses",
        "errorVerbose",
        "severity",
        "ts",
        "msg",
    }
)
_SENTENCES: Final = frozenset({"message", "msg", "error"})
_WRAPPERS: Final = ("log", "message", "@message", "msg", "line", "body", "_raw", "log_processed", "jsonPayload")
_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
_CONSOLE = re.compile(
    rf"(?P<time>{_STAMP})\s+(?P<level>DEBUG|INFO|WARN|ERROR|DPANIC|PANIC|FATAL)\s+(?P<logger>controller[\w.\-]*)"
    r"(?:\s+(?P<caller>[\w./\-]+\.go:\d+))?\s+(?=\S)"
)
_RECORD_START = re.compile(rf'\s*\[pod/|\s*{_STAMP}|\s*\{{\s*"|\{{\s*$|\s*(?:Normal|Warning)\s')


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """One line of Karpenter's log. `objects` are the objects it is about: kind -> `namespace/name` or `name`.

    `truncated`: the line broke off. `cut` then names the field that did (its text so far is kept); None: between fields.
    """

    time: datetime | None = None
    level: str = ""
    logger: str = ""
    controller: str = ""
    message: str = ""
    error: str = ""
    error_causes: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Json] = field(default_factory=dict)
    raw: str = ""
    truncated: bool = False
    cut: str | None = None


def parse_line(text: str) -> LogLine | None:
    """One log line; None when the text has no log line's shape. Never raises, whatever the text."""
    line = pastes.unwrap(text).strip().strip("`")
    lines = line.split("\n")
    read = _parse_record(lines)
    return replace(read, raw=text) if read else None


def parse_text(text: str) -> list[LogLine]:
    """Every log line of a pasted text or a log file, in order. What is no log line is passed over."""
    lines = pastes.join_partial(line.strip("`") for line in pastes.unwrap(text).split("\n"))
    found: list[LogLine] = []
    budget = 4 * len(text) + 1_000_000  # characters that looking ahead may cost in all: keeps the whole linear
    at = 0
    while at < len(lines):
        end = at + 1
        if "{" in lines[at] and decode_object(lines[at], lines[at].find("{")) is None and budget > 0:
            end = _record_end(lines, at)
            budget -= sum(map(len, lines[at:end])) if end > at + 1 else 0
        read, used = _parse_longest(lines[at:end])
        if read is not None:
            found.append(read)
        at += used
    return found


def _record_end(lines: list[str], start: int) -> int:
    end = start + 1
    while end < len(lines) and end - start < LONGEST_RECORD and not _RECORD_START.match(lines[end]):
        end += 1
    return end


def _parse_longest(lines: list[str]) -> tuple[LogLine | None, int]:
    """Tries all the lines as one record, then the first alone. Gives the line and how many lines it took."""
    if len(lines) > 1:
        whole = _parse_record(lines)
        if whole is not None and (not whole.truncated or not lines[0].strip("{ \t")):
            return whole, len(lines)
    return _parse_record(lines[:1]), 1


def _parse_record(lines: list[str]) -> LogLine | None:
    first = lines[0]
    start = pastes.skip_prefixes(first)
    raw = "\n".join(lines)
    console = _CONSOLE.match(first, start)
    if console is not None:
        return _parse_console(pastes.rejoin(lines) if len(lines) > 1 else first, console, raw)
    brace = first.find("{", start)
    if brace < 0:
        return None
    for text in _readings(lines, brace):
        found = decode_object(text)
        read = _from_members(found, raw) if found else None
        if read is not None:
            return read
    return _from_members(recover_object(pastes.straighten(raw[brace:])), raw)


def _readings(lines: list[str], brace: int) -> list[str]:
    """The texts to try: as it stands, with wrapped lines joined, each with straight quotes where there are others."""
    rest = [lines[0][brace:], *lines[1:]]
    texts = ["\n".join(rest)]
    if len(rest) > 1:
        texts.append(pastes.rejoin([lines[0], *lines[1:]])[brace:])
    straight = [pastes.straighten(text) for text in texts]
    return texts + [text for text in straight if text not in texts]


def _from_members(found: Found, raw: str) -> LogLine | None:
    """The log line in a JSON object, or in another log's record around it; None when the object is neither."""
    members = found.members
    for name in _WRAPPERS:
        inner = members.get(name)
        if isinstance(inner, str) and inner.lstrip().startswith("{"):
            start = inner.find("{")
            read = decode_object(inner, start) or recover_object(inner, start)
            return None if _is_wrapper(read.members) else _from_members(read, raw)
        if isinstance(inner, dict) and ("level" in inner or "message" in inner):
            return _log_line(replace(found, members=inner), raw)
    return _log_line(found, raw) if _is_log_line(members) else None


def _is_wrapper(members: Mapping[str, Json]) -> bool:
    return any(isinstance(inner, str) and inner.lstrip().startswith("{") for inner in map(members.get, _WRAPPERS))


def _is_log_line(members: Mapping[str, Json]) -> bool:
    return isinstance(members.get("level") or members.get("severity"), str) or (
        "message" in members and ("logger" in members or "commit" in members or "error" in members)
    )


def _log_line(found: Found, raw: str) -> LogLine:
    # Of a field that broke off only a sentence is of use: half a name, time or reason is another name, time or reason.
    members = {name: value for name, value in found.members.items() if name != found.cut or name in _SENTENCES}
    causes = members.get("errorCauses")
    return LogLine(
        time=_parse_time(members.get("time", members.get("ts"))),
        level=_text(members, "level", "severity").upper(),
        logger=_text(members, "logger"),
        controller=_text(members, "controller"),
        message=_text(members, "message", "msg"),
        error=_text(members, "error"),
        error_causes=_parse_causes(causes) if isinstance(causes, list) else (),
        objects=_parse_objects(members),
        fields={name: value for name, value in members.items() if name not in _OWN_FIELDS},
        raw=raw,
        truncated=not found.whole,
        cut=found.cut,
    )


def _text(members: Mapping[str, Json], *names: str) -> str:
    values = (members.get(name) for name in names)
    return next((value for value in values if isinstance(value, str)), "")


def _parse_causes(causes: list[Json]) -> tuple[str, ...]:
    texts = [cause.get("error") for cause in causes if isinstance(cause, dict)]
    whole = tuple(text for text in texts if isinstance(text, str))
    return whole if len(whole) == len(causes) else ()


def _parse_objects(members: Mapping[str, Json]) -> dict[str, str]:
    objects: dict[str, str] = {}
    kind, name = members.get("controllerKind"), members.get("name")
    if isinstance(kind, str) and isinstance(name, str) and kind and name:
        objects[kind] = _qualified(members.get("namespace"), name)
    for key, value in members.items():
        if isinstance(value, dict):
            own = value.get("name")
            if isinstance(own, str) and own and key[:1].isupper():
                objects[key] = _qualified(value.get("namespace"), own)
        elif isinstance(value, str) and value and key in _KINDS:
            objects[_KINDS[key]] = value
    return objects


def _qualified(namespace: Json, name: str) -> str:
    return f"{namespace}/{name}" if isinstance(namespace, str) and namespace else name


def _parse_time(value: Json) -> datetime | None:
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip().replace(",", "."))
            return time if time.tzinfo else time.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _parse_console(line: str, head: re.Match[str], raw: str) -> LogLine:
    """`time<TAB>level<TAB>logger<TAB>message<TAB>{fields}`; copied from a screen, tabs have become spaces."""
    rest = line[head.end() :]
    message, found = _split_console(rest)
    members: dict[str, Json] = dict(found.members) if found else {}
    whole, cut = (found.whole, found.cut) if found else (False, "message")
    read = _log_line(Found(members=members, end=0, whole=whole, cut=cut), raw)
    return replace(
        read,
        time=_parse_time(head["time"]),
        level=head["level"],
        logger=head["logger"],
        controller=read.controller or head["logger"].partition(".")[2],
        message=message,
    )


def _split_console(rest: str) -> tuple[str, Found | None]:
    """The message and the fields. Without fields the line broke off inside the message: Karpenter always logs some."""
    tab = rest.rfind("\t{")
    brace = tab + 1 if tab >= 0 else rest.rfind(' {"commit"') + 1
    if brace <= 0:
        return rest.strip(), None
    return rest[:brace].strip(), decode_object(rest, brace) or recover_object(rest, brace)
