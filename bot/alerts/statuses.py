"""Firing or resolved, as senders and languages say it."""

import re
from collections.abc import Iterable
from typing import Final

from bot.alerts.alert import Status
from bot.alerts.message import Message

_RESOLVED: Final = (
    r"resolved?|recovered|closed|auto-?closed|cleared|back to normal|(?:is )?ok|normal|해결(?:됨|되었습니다)?|해제(?:됨)?|복구(?:됨|되었습니다)?|정상(?:화)?|종료"
    r"|回復|復旧|解決|正常|已恢复|恢复|已解决|已解除|נפתר\w*|טופל\w*|تم (?:ال)?حل\w*|محلول|résolue?|resuelt[oa]|resolvid[oa]|risolto|behoben|gelöst|решен\w*|устранен\w*|восстановлен\w*"
)
_FIRING: Final = (
    r"firing|(?:re-?)?triggered|alerting|alarm|warn(?:ing)?|no data|renotify|active|opened|open|new alert|problem|critical|발생|장애|경보|심각"
    r"|発生|発報|異常|障害|告警|触发|故障|异常|מופעל\w*|פעיל\w*|התראה|نشط\w*|إطلاق|مشتعل|déclenchée?|activad[oa]|disparad[oa]|ausgelöst|сработал\w*|тревога"
)
_OPENING: Final = re.compile(r"^[\W_]+")
_BRACKET: Final = re.compile(r"[\[【(（]\s*(?P<inside>[^\[\]【】]{1,60}?)\s*[\]】)）]")
_RESOLVED_RE: Final = re.compile(rf"(?<![\w-])(?:{_RESOLVED})(?![\w-])", re.IGNORECASE)
_FIRING_RE: Final = re.compile(rf"(?<![\w-])(?:{_FIRING})(?![\w-])", re.IGNORECASE)
# Alertmanager's "good" as Slack stores it, Grafana's, Datadog's and others' greens
_GREEN: Final = frozenset(
    {
        "good",
        "2eb886",
        "36a64f",
        "2eb67d",
        "28a745",
        "00ff00",
        "5cb85c",
        "18be52",
        "00b04f",
        "22aa22",
        "2ecc71",
        "1c7c54",
    }
)


def status_in(texts: Iterable[str]) -> Status | None:
    """What the first text that says so says: in its bracket, else at its beginning, else anywhere."""
    texts = [text.split("\n", 1)[0][:300] for text in texts]
    for text in texts:
        for bracket in _BRACKET.finditer(text):
            inside = bracket["inside"]
            if _FIRING_RE.search(inside):  # [FIRING:1, RESOLVED:2] still fires
                return Status.FIRING
            if _RESOLVED_RE.search(inside):
                return Status.RESOLVED
    for text in texts:
        start = _OPENING.sub("", text).split("|")[0]
        if _RESOLVED_RE.match(start):
            return Status.RESOLVED
        if _FIRING_RE.match(start):
            return Status.FIRING
    return None


def status_word(value: str) -> Status | None:
    """What a status field says."""
    value = value.strip(" *_`[]")
    if _FIRING_RE.match(value):
        return Status.FIRING
    return Status.RESOLVED if _RESOLVED_RE.match(value) else None


def is_green(message: Message) -> bool:
    """Whether its bar is green and nothing else."""
    colours = {colour for colour in message.colours if colour}
    return bool(colours) and colours <= _GREEN
