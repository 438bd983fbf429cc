"""What a channel has set: kept as plain data in the store, changed by `/karpenter settings`."""

import re
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.slack.questions import LANGUAGES

_HOURS: Final = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-._:/@A-Za-z0-9]{0,200})?")
_NOTHING: Final = frozenset({"off", "none", "all", "clear", "-", "없음", "전체", "끄기", "해제"})
_ON: Final = frozenset({"on", "켜기", "켬"})
_OFF: Final = frozenset({"off", "끄기", "끔"})
_KEYS: Final = {
    "clusters": "clusters",
    "cluster": "clusters",
    "클러스터": "clusters",
    "namespaces": "namespaces",
    "namespace": "namespaces",
    "네임스페이스": "namespaces",
    "language": "language",
    "lang": "language",
    "언어": "language",
    "quiet": "quiet",
    "조용히": "quiet",
    "방해금지": "quiet",
    "digest": "digest",
    "요약": "digest",
    "주간요약": "digest",
}
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_WORDS: Final = {**{day: day for day in _DAYS}, **dict(zip("월화수목금토일", _DAYS, strict=True))}
_TIME: Final = re.compile(r"(\d{1,2}):(\d{2})")
_DIGEST: Final = "mon 09:00"
"""When the digest comes where nobody says when."""


class SettingRefusedError(ValueError):
    """What was typed is no setting; the text is the part that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSettings:
    """Empty tuples and strings: everything, the bot's own. `quiet` is `HH:MM-HH:MM` in `zone`."""

    on: bool = True
    clusters: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    language: str = ""
    quiet: str = ""
    zone: str = "UTC"
    digest: str = ""
    """When the weekly digest comes (`mon 09:00`, in `zone`); "" never."""
    digest_from: str = ""
    """The moment (RFC 3339) at which somebody asked for it: digests that were due before are not sent."""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "ChannelSettings":
        """From the store; what an older version wrote may lack some."""
        known: dict[str, Any] = {name: value for name, value in stored.items() if name in cls.__dataclass_fields__}
        lists: dict[str, Any] = {name: tuple(known[name]) for name in ("clusters", "namespaces") if name in known}
        known |= lists
        return cls(**known)

    def as_json(self) -> dict[str, Any]:
        """For the store."""
        return asdict(self)

    def wants(self, clusters: Set[str], namespace: str) -> bool:
        """Whether alerts of there are answered in this channel; `clusters`: the names of one cluster, none if unknown."""
        return (
            self.on
            and (not self.clusters or not clusters or not clusters.isdisjoint(self.clusters))
            and (not self.namespaces or not namespace or namespace in self.namespaces)
        )

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the quiet hours that `now` lies in are over; None outside of them."""
        hours = _HOURS.fullmatch(self.quiet)
        if hours is None:
            return None
        local = now.astimezone(ZoneInfo(self.zone))
        begin, end = time(int(hours[1]), int(hours[2])), time(int(hours[3]), int(hours[4]))
        over = begin > end  # over midnight
        inside = (local.time() >= begin or local.time() < end) if over else begin <= local.time() < end
        if not inside:
            return None
        day = local.date() + timedelta(days=1) if over and local.time() >= begin else local.date()
        return datetime.combine(day, end, tzinfo=local.tzinfo).astimezone(now.tzinfo)

    def digest_due(self, now: datetime) -> datetime | None:
        """The last moment, not after `now`, at which a digest was due; None where none is wanted, or was not then."""
        if not self.digest:
            return None
        day, _, clock = self.digest.partition(" ")
        at = _TIME.fullmatch(clock)
        if at is None or day not in _DAYS:
            return None
        local = now.astimezone(ZoneInfo(self.zone))
        last = local.date() - timedelta(days=(local.weekday() - _DAYS.index(day)) % 7)
        due = datetime.combine(last, time(int(at[1]), int(at[2])), tzinfo=local.tzinfo)
        if due > local:
            due = datetime.combine(last - timedelta(days=7), due.timetz())
        wanted = datetime.fromisoformat(self.digest_from) if self.digest_from else None
        return None if wanted is not None and due < wanted else due.astimezone(now.tzinfo)


def changed(
    settings: ChannelSettings,
    words: Sequence[str],
    now: datetime | None = None,
    languages: Collection[str] = LANGUAGES,
) -> ChannelSettings:
    """What `settings KEY VALUE ...` makes of them; no words change nothing. `now`: from when a digest is wanted.

    Raises SettingRefusedError.
    """
    if not words:
        return settings
    first, *values = (word.strip().lower() if index == 0 else word for index, word in enumerate(words))
    if first in _ON | _OFF and not values:
        return replace(settings, on=first in _ON)
    key = _KEYS.get(first)
    if key is None or not values:
        raise SettingRefusedError(" ".join(words)[:200])
    if key in ("clusters", "namespaces"):
        return replace(settings, **{key: _names(values)})  # type: ignore[arg-type]
    if key == "language":
        return replace(settings, language=_language(values, languages))
    if key == "digest":
        return _digest(settings, values, now)
    return _quiet(settings, values)


def _digest(settings: ChannelSettings, values: Sequence[str], now: datetime | None) -> ChannelSettings:
    """`on`, `off`, `mon`, `mon 09:00`, `mon 09:00 Asia/Seoul`."""
    first, *rest = (values[0].lower(), *values[1:])
    if first in _NOTHING:
        return replace(settings, digest="", digest_from="")
    day, clock = (
        (_DIGEST.split(" ")[0], _DIGEST.split(" ")[1]) if first in _ON else (_DAY_WORDS.get(first, ""), "09:00")
    )
    if rest and _TIME.fullmatch(rest[0]):
        clock, *rest = rest
    at = _TIME.fullmatch(clock)
    if not day or at is None or int(at[1]) > 23 or int(at[2]) > 59 or len(rest) > 1:
        raise SettingRefusedError(" ".join(values))
    zone = _zone(rest[0]) if rest else settings.zone
    asked = settings.digest_from if settings.digest else (now.isoformat() if now else "")
    return replace(settings, digest=f"{day} {int(at[1]):02}:{at[2]}", digest_from=asked, zone=zone)


def _names(values: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for value in values for name in value.split(",") if name))
    if len(names) == 1 and names[0].lower() in _NOTHING:
        return ()
    wrong = next((name for name in names if not _NAME.fullmatch(name)), None)
    if wrong is not None or len(names) > 50:
        raise SettingRefusedError(wrong or f"{len(names)}")
    return names


def _language(values: Sequence[str], languages: Collection[str]) -> str:
    wanted = values[0].lower()
    if wanted in _NOTHING:
        return ""
    if wanted not in languages:
        raise SettingRefusedError(values[0])
    return wanted


def _quiet(settings: ChannelSettings, values: Sequence[str]) -> ChannelSettings:
    if values[0].lower() in _NOTHING:
        return replace(settings, quiet="")
    hours = _HOURS.fullmatch(values[0])
    zone = _zone(values[1]) if len(values) > 1 else settings.zone
    if hours is None or int(hours[1]) > 23 or int(hours[3]) > 23 or int(hours[2]) > 59 or int(hours[4]) > 59:
        raise SettingRefusedError(values[0])
    return replace(settings, quiet=values[0], zone=zone)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingRefusedError(name) from None
    return name
