"""What goes wrong at Slack: rate limits as documented, and faults that a test scripts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .clock import Clock
from .wire import JsonObject


@dataclass(frozen=True, slots=True)
class Rate:
    """``calls`` in ``seconds``, and as many at once as ``burst`` (default: all of them)."""

    calls: int
    seconds: float = 60.0
    burst: int = 0


# apis/web-api/rate-limits: calls a minute, per method and workspace, by tier
TIERS: Mapping[int, Rate] = {1: Rate(1), 2: Rate(20), 3: Rate(50), 4: Rate(100)}
# the same page on chat.postMessage: about one a second in a channel, several hundred a minute in a workspace
PER_CHANNEL: Mapping[str, Rate] = {"chat.postMessage": Rate(1, 1.0)}
PER_WORKSPACE: Mapping[str, Rate] = {"chat.postMessage": Rate(300)}


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float
    closed_until: float = 0.0


@dataclass(slots=True, kw_only=True)
class RateLimits:
    """Token buckets by method and workspace (and channel); off until ``enforced``.

    ``rates`` and ``channel_rates`` replace single methods' figures.
    """

    clock: Clock
    enforced: bool = False
    rates: dict[str, Rate] = field(default_factory=lambda: dict(PER_WORKSPACE))
    channel_rates: dict[str, Rate] = field(default_factory=lambda: dict(PER_CHANNEL))
    refused: int = 0
    impatient: int = 0  # refused calls that came before an earlier Retry-After of the same bucket had passed
    _buckets: dict[tuple[str, ...], _Bucket] = field(default_factory=dict)

    def retry_after(self, method: str, tier: int, team: str, channel: str) -> int | None:
        """None when the call may pass (and is counted), else the seconds of ``Retry-After``."""
        if not self.enforced:
            return None
        wanted: list[tuple[tuple[str, ...], Rate]] = [((method, team), self.rates.get(method, TIERS[tier]))]
        if channel and method in self.channel_rates:
            wanted.append(((method, team, channel), self.channel_rates[method]))
        now = self.clock.now()
        buckets = [(self._filled(key, rate, now), rate) for key, rate in wanted]
        waits = [(1 - bucket.tokens) * rate.seconds / rate.calls for bucket, rate in buckets if bucket.tokens < 1]
        if waits:
            return self._refuse([bucket for bucket, _ in buckets if bucket.tokens < 1], max(waits), now)
        for bucket, _ in buckets:
            bucket.tokens -= 1
        return None

    def _refuse(self, empty: list[_Bucket], wait: float, now: float) -> int:
        self.refused += 1
        self.impatient += any(now < bucket.closed_until for bucket in empty)
        seconds = max(1, math.ceil(wait))
        for bucket in empty:
            bucket.closed_until = now + wait
        return seconds

    def _filled(self, key: tuple[str, ...], rate: Rate, now: float) -> _Bucket:
        most = float(rate.burst or rate.calls)
        bucket = self._buckets.setdefault(key, _Bucket(most, now))
        bucket.tokens = min(most, bucket.tokens + (now - bucket.filled) * rate.calls / rate.seconds)
        bucket.filled = now
        return bucket


def _always(_arguments: JsonObject) -> bool:
    return True


@dataclass(slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong with the next ``times`` calls of ``method`` for which ``when`` holds.

    ``error`` answers ``{"ok": false}`` with it; ``status`` answers that HTTP status without JSON; ``retry_after`` is
    a 429; ``reset`` cuts the connection before the call has any effect, ``lost`` after it: the bot cannot tell which.
    ``delay`` waits first (Slack's clock), and does nothing else when given alone.
    """

    method: str = "*"
    error: str = ""
    messages: tuple[str, ...] = ()
    status: int = 0
    retry_after: int | None = None
    reset: bool = False
    lost: bool = False
    delay: float = 0.0
    times: int = 1
    when: Callable[[JsonObject], bool] = _always


@dataclass(slots=True)
class Faults:
    """The scripted faults, oldest first."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Script a fault."""
        self.waiting.append(fault)

    def take(self, method: str, arguments: JsonObject) -> Fault | None:
        """The fault that this call meets, used up by one."""
        for fault in self.waiting:
            if fault.method in {"*", method} and fault.when(arguments):
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None
