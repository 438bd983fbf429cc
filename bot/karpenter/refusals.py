"""Karpenter's refusal of a pod: its text -> typed Refusal, and the Refusal -> its text in any release.

Shapes (karpenter: pkg/controllers/provisioning/scheduling/scheduler.go): up to v1.4 every NodePool's part begins with
`incompatible with nodepool "x", daemonset overhead={…}, `; from v1.5 the parts are bare. Parts are joined with `; `,
which some sentences also contain, so a part begins only where a known sentence begins.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from bot.karpenter.findings import (
    Clause,
    Finding,
    IncompatibleRequirements,
    InstanceTypeRefusal,
    KeyConflict,
    LabelUnknown,
    LimitsExceeded,
    MinValuesUnmet,
    NodeLimitsExhausted,
    Refusal,
    ReservedOfferings,
    Unrecognised,
    Where,
)
from bot.karpenter.instance_type_text import OPENERS as INSTANCE_TYPE_OPENERS
from bot.karpenter.instance_type_text import format_instance_type_refusal, parse_instance_type_refusal
from bot.karpenter.pod_wordings import POD_WORDINGS
from bot.karpenter.printed import Version, format_resources, in_force, parse_resources
from bot.karpenter.wording import Part, Wording
from bot.karpenter.wordings import CONFLICTS, WORDINGS
from bot.model.labels import HOSTNAME

NAMELESS: Final = (1, 5)  # from here the text names no NodePool
MOST_PARTS: Final = 2_000  # more parts than any cluster has NodePools and taints: the rest is kept as one text

_TABLE: Final[tuple[Wording, ...]] = (*WORDINGS, *POD_WORDINGS)
_PREFIXES: Final = {
    Where.POD: "incompatible requirements, ",
    Where.VOLUME: "incompatible volume requirements, ",
    Where.DYNAMIC_RESOURCES: "incompatible dynamic resource requirements, ",
    Where.TOPOLOGY: "",
}
_NAMED = re.compile(r'incompatible with (nodepool|provisioner) "([^"]{1,512})", daemonset overhead=(?=\{)')
_RESERVED = 'compatible with nodepool "{}" but failed to add pod while adhering to reservation fallback policy, '
_RESERVED_NAMED = re.compile(re.escape(_RESERVED).replace(re.escape("{}"), r'([^"]{1,512})'))
_ANNOUNCEMENTS = re.compile(
    r"(?:\(combined from similar events\): )?(?:Failed to schedule|[Cc]ould not schedule|ignoring) pod, "
)


def _opener(parts: Iterable[str]) -> re.Pattern[str]:
    longest_first = sorted({part for part in parts if part}, key=len, reverse=True)
    return re.compile("|".join(re.escape(part) for part in longest_first))


_CONFLICT_OPENER = _opener(row.template.opens for row in CONFLICTS)
_OPENER = _opener(
    [
        *(row.template.opens for row in (*_TABLE, *CONFLICTS)),
        *_PREFIXES.values(),
        *INSTANCE_TYPE_OPENERS,
        'incompatible with nodepool "',
        'incompatible with provisioner "',
        _RESERVED.partition("{")[0],
    ]
)


DISTINCT_OPENER: Final = _opener(
    [
        *(row.template.opens for row in WORDINGS),
        *_PREFIXES.values(),
        *INSTANCE_TYPE_OPENERS,
        'incompatible with nodepool "',
    ]
)
"""Beginnings of sentences that nobody but Karpenter uses: they may be looked for among other words."""


def parse_refusal(text: str, *, causes: Sequence[str] = (), truncated: bool = False) -> Refusal | None:
    """The refusal in a pod event's message or in a log line's error. None when nothing in it is Karpenter's.

    `causes` are the line's errorCauses: they part the text where `; ` cannot. With `truncated` the text may end
    anywhere, and what could have gone on differently is kept as Unrecognised(cut=True); final dots mean the same.
    """
    announced = _ANNOUNCEMENTS.match(text)
    body = text[announced.end() :] if announced else text
    if '\\"' in body:  # pasted out of a JSON string, escapes and all
        body = body.replace('\\"', '"')
    body = body.strip()
    truncated = truncated or body.endswith(("...", "…"))
    errors = list(causes) if causes and not truncated else [body]
    clauses = [clause for error in errors for clause in _parse_error(error, cut=truncated)]
    known = any(not isinstance(finding, Unrecognised) for clause in clauses for finding in clause.findings)
    return Refusal(clauses=tuple(clauses)) if clauses and (known or announced) else None


def _parse_error(text: str, *, cut: bool) -> list[Clause]:
    clauses: list[Clause] = []
    pieces = _split(text)
    for number, piece in enumerate(pieces):
        last_is_cut = cut and number == len(pieces) - 1
        clause, rest = _parse_owner(piece)
        finding = _parse_finding(rest, cut=last_is_cut)
        before = clauses[-1] if clauses else None
        if clause is not None:
            clauses.append(replace(clause, findings=(finding,)))
        elif before is not None and (joined := _joined(before, finding)) is not None:
            clauses[-1] = joined
        else:
            clauses.append(Clause(findings=(finding,), nodepool=_pool_of(finding), owner=_owner_of(finding)))
    return clauses


def _split(text: str) -> list[str]:
    """Parts at `; `, where the next part begins like a known sentence; a part's own `; ` stays inside it."""
    parts: list[list[str]] = []
    for piece in text.split("; ", MOST_PARTS):
        if parts and _OPENER.match(piece) is None:
            parts[-1].append(piece)
        else:
            parts.append([piece])
    return ["; ".join(part) for part in parts if part != [""]]


def _parse_owner(piece: str) -> tuple[Clause | None, str]:
    """Takes the NodePool's name and daemon overhead off the front, where the release printed them."""
    if named := _NAMED.match(piece):
        try:
            _, end = json.JSONDecoder().raw_decode(piece, named.end())
        except (ValueError, RecursionError):
            return None, piece
        overhead = parse_resources(piece[named.end() : end])
        if overhead is None or not piece.startswith(", ", end):
            return None, piece
        return Clause(findings=(), nodepool=named[2], daemon_overhead=overhead, owner=named[1]), piece[end + 2 :]
    if reserved := _RESERVED_NAMED.match(piece):
        return Clause(findings=(), nodepool=reserved[1]), piece[reserved.end() :]
    return None, piece


def _parse_finding(text: str, *, cut: bool) -> Finding:
    where = next((one for one, prefix in _PREFIXES.items() if prefix and text.startswith(prefix)), None)
    if where is not None or _CONFLICT_OPENER.match(text):
        conflict = _parse_part(text[len(_PREFIXES[where]) if where else 0 :], CONFLICTS, cut=cut)
        if isinstance(conflict, LabelUnknown | KeyConflict):
            return IncompatibleRequirements(where=where or Where.TOPOLOGY, conflicts=(conflict,))
    if text.startswith(INSTANCE_TYPE_OPENERS):
        refused = parse_instance_type_refusal(text, cut=cut)
        if refused is not None:
            return refused
    found = _parse_part(text, _TABLE, cut=cut)
    if found is None or isinstance(found, LabelUnknown | KeyConflict):
        return Unrecognised(text=text, cut=cut)
    return found


def _parse_part(text: str, table: tuple[Wording, ...], *, cut: bool) -> Part | None:
    """The first row that reads the whole text. A cut text counts only when its row ends with a mark of its own."""
    for row in table:
        if cut and not row.template.text.endswith((")", "?)", '}"')):
            continue
        part = row.read(text)
        if part is not None:
            return part
    return None


def _joined(before: Clause, finding: Finding) -> Clause | None:
    """The clause with one more finding, when the finding belongs to it; None when it begins a clause of its own.

    A named clause (up to v1.4) goes on until the next name; only the limits' sentence stands outside. Further keys of
    one set of requirements follow bare: `incompatible requirements, key a, …; key b, …`.
    """
    last = before.findings[-1]
    if (
        isinstance(finding, IncompatibleRequirements)
        and finding.where is Where.TOPOLOGY
        and isinstance(last, IncompatibleRequirements)
    ):
        grown = replace(last, conflicts=(*last.conflicts, *finding.conflicts))
        return replace(before, findings=(*before.findings[:-1], grown))
    if before.daemon_overhead is None or isinstance(finding, LimitsExceeded):
        return None
    return replace(before, findings=(*before.findings, finding))


def _pool_of(finding: Finding) -> str | None:
    match finding:
        case InstanceTypeRefusal() | LimitsExceeded() | NodeLimitsExhausted() | MinValuesUnmet():
            return finding.nodepool
        case _:
            return None


def _owner_of(finding: Finding) -> str:
    return finding.owner if isinstance(finding, LimitsExceeded) else "nodepool"


class NoSuchWordingError(ValueError):
    """The release has no sentence for the finding: it never says so. `finding` and `version` tell which."""

    def __init__(self, finding: object, version: Version) -> None:
        super().__init__(f"Karpenter v{'.'.join(map(str, version))} prints nothing for {finding!r}")
        self.finding = finding
        self.version = version


def format_finding(finding: Finding, version: Version) -> str:
    """The finding's sentence in that release. NoSuchWordingError when the release has none."""
    match finding:
        case InstanceTypeRefusal():
            text = format_instance_type_refusal(finding, version)
            if text is None:
                raise NoSuchWordingError(finding, version)
            return text
        case IncompatibleRequirements():
            return _PREFIXES[finding.where] + "; ".join(_write(one, CONFLICTS, version) for one in finding.conflicts)
        case Unrecognised():
            return finding.text
        case _:
            return _write(finding, _TABLE, version)


def _write(part: Part, table: tuple[Wording, ...], version: Version) -> str:
    for row in table:
        if row.make is type(part) and row.printed_by(version):
            text = row.write(part, version)
            if text is not None:
                return text
    raise NoSuchWordingError(part, version)


def format_clause(clause: Clause, version: Version) -> str:
    """One NodePool's part of the message, as that release prints it (the contract's `karpenterMessage`)."""
    text = "; ".join(format_finding(finding, version) for finding in clause.findings)
    if in_force(version) >= NAMELESS or not clause.findings:
        return text
    first = clause.findings[0]
    if isinstance(first, LimitsExceeded | MinValuesUnmet) or clause.nodepool is None:
        return text
    if isinstance(first, ReservedOfferings):
        return _RESERVED.format(clause.nodepool) + text
    overhead = format_resources(clause.daemon_overhead or {})
    return f'incompatible with {clause.owner} "{clause.nodepool}", daemonset overhead={overhead}, {text}'


def format_refusal(refusal: Refusal, version: Version) -> str:
    """The whole error as that release prints it: what follows `Failed to schedule pod, ` in the pod's event."""
    return "; ".join(format_clause(clause, version) for clause in refusal.clauses)


def as_printed(refusal: Refusal, version: Version) -> Refusal:
    """The same refusal with only what that release's text carries: what parsing the text can give back at best."""
    nameless = in_force(version) >= NAMELESS
    clauses: list[Clause] = []
    for clause in refusal.clauses:
        findings = tuple(_shown(finding) for finding in clause.findings)
        if not nameless:
            clauses.append(replace(clause, findings=findings))
            continue
        clauses.extend(
            Clause(findings=(finding,), nodepool=_pool_of(finding), owner=_owner_of(finding)) for finding in findings
        )
    return Refusal(clauses=tuple(clauses))


def _shown(finding: Finding) -> Finding:
    match finding:
        case InstanceTypeRefusal():
            visible = (one.abridged() for one in finding.requirements if one.key != HOSTNAME)
            shown = sorted(visible, key=lambda one: one.key)
            return replace(finding, requirements=tuple(shown))
        case _:
            return finding
