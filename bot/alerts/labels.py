"""Labels out of a message: `name = value` lines, bold headings, fields, tag lists, links; then what sentences say.

Nothing here knows which sender it reads: every layout that any of them uses is tried on every line.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from bot.alerts.message import Message
from bot.alerts.names import CANONICAL, LABEL, NODE_NAME, SUBDOMAIN, canonical

_BULLET: Final = re.compile(r"^[\s>•●▪◦·○‣*\-–—\u2190-\u2bff\U0001f000-\U0001faff]*(?=[^\s])")
_PAIR: Final = re.compile(
    r"^[*_`]*(?P<name>[^\s:=：*`][^:=：*`\n]{0,39}?)[*_`]*\s*(?:[:：=]|:\*)\s*[*_]*\s*(?P<value>\S.*)$"
)
_INLINE_BOLD: Final = re.compile(
    r"\*(?P<name>[^*:：=\n]{1,40})[:：]?\*\s*[:：=]?\s*(?P<value>`[^`\n]+`|[^*\n]+?)(?=\s*(?:\*|$|[|,;·]))"
)
_ASSIGNED: Final = re.compile(
    r"(?P<name>[A-Za-z_][\w./-]{1,60})\"?\s*(?:=~?|:)\s*(?P<value>\"[^\"\n]*\"|'[^'\n]*'|`[^`\n]*`|[\w./@-]+)"
)
_DOTTED: Final = re.compile(r"^[•●▪◦○]\s*(?P<name>[\w./-]{1,60})\s+`(?P<value>[^`\n]+)`")
_COLUMNS: Final = re.compile(r"^`(?P<name>[\w./-]{1,60})`\s+`?(?P<value>[^`\s]+)`?$")
_HEADED: Final = re.compile(r"^[\s•●]*\*(?P<name>[^*\n]{1,60}?):?\*:?[ \t]*\n(?P<value>.+)", re.DOTALL)
_SECTION: Final = re.compile(
    r"^\W*(?:\d+\s+)?(?:alerts?\s+)?(?P<state>firing|resolved|발생|해제|해결)\W*(?:alerts?)?\W*(?:\(?\d+\)?)?\W*$",
    re.IGNORECASE,
)
_OPEN_SECTION: Final = re.compile(r"^\W*(?P<state>firing|resolved)\W*:?\W*$", re.IGNORECASE)
_LONGEST_LINE: Final = 2_000
_MOST: Final = 3_000


@dataclass(slots=True)
class Labels:
    """All values of each label, in the order of the message; the sentences beside them."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def add(self, name: str, value: str) -> None:
        """One more value of a label."""
        known = self.values.setdefault(name, [])
        value = value.strip().strip("*_").strip()
        if value and value not in known and len(known) < _MOST:
            known.append(value)

    def all(self, name: str) -> list[str]:
        """Every value."""
        return self.values.get(name, [])

    def first(self, *names: str) -> str:
        """The first value of the first of these that is there."""
        return next((self.values[name][0] for name in names if self.values.get(name)), "")

    def only(self, name: str) -> str:
        """The value, where all agree."""
        found = self.all(name)
        return found[0] if len(found) == 1 else ""


def read_labels(message: Message, *, firing: bool) -> Labels:
    """Every label of a message. `firing`: what stands under "Resolved" is left out."""
    labels = Labels()
    for name, value in message.fields:
        _field(labels, name, value)
    for passage in message.passages:
        if passage.place in ("fallback", "title", "header"):
            continue
        headed = _HEADED.match(passage.text)
        if headed is not None:
            _field(labels, headed["name"], headed["value"])
        _lines(labels, passage.text, firing=firing)
    for link in message.links:
        _link(labels, link)
    return labels


def _field(labels: Labels, name: str, value: str) -> None:
    known = canonical(name)
    line = value.split("\n", 1)[0]
    if known:
        labels.add(known, line)
    for part in value.split("\n"):
        _line(labels, part)


def _lines(labels: Labels, text: str, *, firing: bool) -> None:
    skipping = False
    for line in text.split("\n", _MOST)[:_MOST]:
        section = _SECTION.match(line) or _OPEN_SECTION.match(line)
        if section is not None:
            skipping = firing and section["state"].lower() in ("resolved", "해제", "해결")
            continue
        if not skipping:
            _line(labels, line[:_LONGEST_LINE])


def _line(labels: Labels, line: str) -> None:
    for name, value in _pairs(line):
        known = canonical(name)
        if known:
            labels.add(known, value)


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    dotted = _DOTTED.match(line.strip()) or _COLUMNS.match(line.strip())
    if dotted is not None:
        yield dotted["name"], dotted["value"]
        return
    bold = list(_INLINE_BOLD.finditer(line))
    if bold:
        for one in bold:
            yield one["name"], one["value"]
        if len(bold) > 1:
            return
    bare = _BULLET.sub("", line)
    pair = _PAIR.match(bare)
    if pair is not None and not bold:
        assigned = list(_ASSIGNED.finditer(bare))
        if len(assigned) < 2 or not _list_like(bare):
            yield pair["name"], pair["value"]
    if _list_like(bare):
        for one in _ASSIGNED.finditer(bare):
            yield one["name"], one["value"].strip("\"'`")


def _list_like(line: str) -> bool:
    """Whether a line holds tags or matchers (`a:b, c:d`, `{a="b"}`) and not a sentence with a colon in it."""
    found = list(_ASSIGNED.finditer(line))
    return len(found) > 1 or ("{" in line and bool(found)) or ('="' in line)


def _link(labels: Labels, link: str) -> None:
    """Silence and dashboard links: `filter={alertname="X",namespace="y"}`, `matcher=pod=x`, `var-namespace=y`."""
    for one in re.finditer(r"(?:matcher=|var-|[{,\s])([A-Za-z_]\w{1,60})=~?\"?([\w./-]+)\"?", link):
        name, value = one.groups()
        if name in CANONICAL and name not in ("alert", "status", "state", "source", "job", "host"):
            labels.add(f"link:{CANONICAL[name]}", value)


_TAG: Final = re.compile(r"([\w./-]+):([\w./@-]+)")


def add_tags(labels: Labels, text: str) -> None:
    """Datadog's `name:value,name:value`."""
    for one in _TAG.finditer(text[:_LONGEST_LINE]):
        if known := canonical(one[1]):
            labels.add(known, one[2])


# -- sentences -----------------------------------------------------------------------------------------------------

_N: Final = r"[`'\"*]*(?P<name>{})[`'\"*]*"
_NAME: Final = SUBDOMAIN.pattern
_NS: Final = LABEL.pattern
_SAID: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # "Pod ns/name ...", "Pod/ns/name", "pod `ns/name`"
        rf"\b[Pp]od[\s/:]+[`'\"*]*(?P<namespace>{_NS})/(?P<pod>{_NAME})",
        rf"\b[Pp]od[\s/:]+[`'\"*]*(?P<pod>{_NAME})[`'\"*]*[,\s]+\(?(?:in|of)\s+(?:the\s+)?(?:namespace|ns)[\s:]+[`'\"*]*(?P<namespace>{_NS})",
        rf"\b(?:namespace|ns)[\s:/]+[`'\"*]*(?P<namespace>{_NS})[`'\"*]*[^.\n]{{0,80}}?\b[Pp]od[\s/:]+[`'\"*]*(?P<pod>(?=[a-z.-]*\d|[-a-z0-9.]*-)[a-z0-9][-.a-z0-9]*[a-z0-9])",
        rf"\b(?:Job|job)[\s/:]+[`'\"*]*(?P<namespace>{_NS})/(?P<job_name>{_NAME})",
        rf"\b(?:Job|job)[\s/:]+[`'\"*]*(?P<job_name>(?=[-.a-z0-9]*-)[a-z0-9][-.a-z0-9]*[a-z0-9])[`'\"*]*[,\s]+\(?in\s+(?:the\s+)?namespace[\s:]+[`'\"*]*(?P<namespace>{_NS})",
        rf"\b(?:Deployment|deployment|StatefulSet|statefulset|DaemonSet|daemonset)[\s/:]+[`'\"*]*(?P<namespace>{_NS})/(?P<workload>{_NAME})",
        r"\b[Nn]ode[Pp]ool[\s/:]+[`'\"*]*(?P<nodepool>(?=[-.a-z0-9]*[-\d]|[a-z0-9]+[`'\"*])[a-z0-9][-.a-z0-9]*[a-z0-9])",
        rf"\b[Nn]ode[Pp]ool[\s/:]+[`'\"*]+(?P<nodepool>{_NAME})",
        r"\b[Nn]ode[Cc]laim[\s/:]+[`'\"*]*(?P<nodeclaim>(?=[-.a-z0-9]*-)[a-z0-9][-.a-z0-9]*[a-z0-9])",
        r"\b[Nn]ode[\s/:]+[`'\"*]*(?P<node>(?=[-.a-z0-9]*[\d])[a-z0-9][-.a-z0-9]*[a-z0-9])",
        r"\b(?:on|in|of)\s+(?:the\s+)?(?:EKS\s+|eks\s+|Kubernetes\s+|kubernetes\s+|k8s\s+)?[Cc]luster[\s:]+[`'\"*]*(?P<cluster>[A-Za-z0-9][-._A-Za-z0-9]*[A-Za-z0-9])",
        rf"\b(?:in|of)\s+(?:the\s+)?(?:namespace|ns)[\s:]+[`'\"*]*(?P<namespace>{_NS})",
        rf"\b[Nn]amespace[\s:]+[`'\"*]+(?P<namespace>{_NS})[`'\"*]",
        rf"\b\d+\s+pods?\s+(?:(?:are|is|have been|has been|in|still|stuck|pending|unschedulable|not|ready|waiting|state|scheduled)\s+)*in\s+[`'\"*]*(?P<namespace>(?!state\b|pending\b|the\b|cluster\b|namespace\b|ns\b|phase\b){_NS})",
        # a name before its noun: "default/foo pod is pending"
        rf"[`'\"*](?P<namespace>{_NS})/(?P<pod>{_NAME})[`'\"*]",
    )
)
_NOT_NAMES: Final = frozenset(
    "is are was has have in on of the a an and or to for not pending ready running stuck name names namespace pod pods node"
    " nodes cluster state status been being with from that which by at it its this all no any if status phase limit limits".split()
)
_COUNT: Final = re.compile(
    r"\b(\d{1,5})\s+(?:of\s+\d+\s+)?(?:(?:new|more|unschedulable|pending)\s+)?(?:pods?\b|파드)|파드\s*(\d{1,5})\s*개"
)


def read_sentences(texts: Iterable[str]) -> Labels:
    """What sentences say about pods, jobs, nodes and where they are."""
    labels = Labels()
    for text in texts:
        for pattern in _SAID:
            for found in pattern.finditer(text[:20_000]):
                for name, value in found.groupdict().items():
                    plain = (value or "").rstrip(".-")
                    if plain and plain not in _NOT_NAMES:
                        labels.add(name, plain)
        for node in NODE_NAME.finditer(text[:20_000]):
            labels.add("node", node[0])
    return labels


def counted_pods(texts: Iterable[str]) -> int:
    """How many pods a message speaks of; 0 where it does not say."""
    found = (match for text in texts for match in _COUNT.finditer(text[:20_000]))
    return next((int(one[1] or one[2]) for one in found), 0)
