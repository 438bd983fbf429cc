"""Text as people hand it over -> text as the program wrote it: chat quoting, links, escapes, fences, log prefixes."""

import re
from collections.abc import Iterable
from typing import Final

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff")) | {0xA0: " "}
_LINK = re.compile(r"<(?:https?://|mailto:|tel:)[^|<>\s]*\|([^<>]*)>")  # Slack links `karpenter.sh/nodepool` by itself
_BARE_LINK = re.compile(r"<(https?://[^|<>\s]*)>")
_ENTITIES: Final = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#34;", '"'), ("&amp;", "&"))  # the last one last
_QUOTED_LINE = re.compile(r"^(?:> ?)+(?=\S)", re.MULTILINE)
_SMART: Final = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})

_STAMP = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"
_CRI = re.compile(rf"({_STAMP}) (?:stdout|stderr) ([FP])(?::\S*)? ")
_PREFIXES = re.compile(
    rf"(?:\s*(?:\[pod/[^\]\s]+\]"  # kubectl logs --prefix
    rf"|[\w.-]+/[\w.-]+\[[\w.-]+\]:"  # kail
    rf"|{_STAMP} (?:stdout|stderr) [FP](?::\S*)?(?= )"  # CRI
    rf"|{_STAMP}(?= +[{{\[]| +{_STAMP})"  # kubectl logs --timestamps
    rf"))* *"
)


def unwrap(text: str) -> str:
    """Undoes what chat programs do to pasted text. Text that was never in one comes back as it was."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_INVISIBLE)
    if "<" in text:
        text = _BARE_LINK.sub(r"\1", _LINK.sub(r"\1", text))
    if "&" in text:
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
    if "```" in text:
        text = text.replace("```", "\n")
    return _QUOTED_LINE.sub("", text) if ">" in text else text


def straighten(text: str) -> str:
    """Typographic double quotes back to the ones JSON knows. Karpenter's own ’ stays."""
    return text.translate(_SMART)


def skip_prefixes(line: str) -> int:
    """Where the program's own line begins, after what kubectl, kail or the container runtime put before it."""
    found = _PREFIXES.match(line)
    return found.end() if found else 0


def join_partial(lines: Iterable[str]) -> list[str]:
    """Container runtimes write long lines in pieces marked P, the last one F: joined again into one line."""
    joined: list[str] = []
    pieces: list[str] = []
    for line in lines:
        found = _CRI.match(line)
        if found is None:
            if pieces:
                joined.append("".join(pieces))
                pieces = []
            joined.append(line)
        elif found[2] == "P" or pieces:
            pieces.append(line[found.end() :] if pieces else line)
            if found[2] == "F":
                joined.append("".join(pieces))
                pieces = []
        else:
            joined.append(line)
    return [*joined, "".join(pieces)] if pieces else joined


def rejoin(lines: list[str]) -> str:
    """One line that was wrapped into several. Lines of one width were cut by a terminal, others broken at spaces."""
    widths = {len(line) for line in lines[:-1]}
    return ("" if len(widths) == 1 else " ").join(lines)
