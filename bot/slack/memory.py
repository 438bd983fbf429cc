"""Memories that cannot grow: what was seen already, what is known of people, who asks how often."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from typing import Final, Generic, TypeVar

V = TypeVar("V")
Clock = Callable[[], float]
"""Seconds that only go forward."""

SEEN_FOR: Final = 15 * 60.0
"""Slack repeats an event after 0, 1 and 5 minutes, and a signed request can be replayed for 5 (docs.slack.dev,
events-api: retries; verifying-requests-from-slack)."""
MOST: Final = 10_000
LONGEST: Final = 200
"""Characters of a key; Slack's ids are far shorter. Of a longer one, which is none of Slack's, only a digest is kept."""


class Memory(Generic[V]):
    """Values that are forgotten after a while, the oldest at once when there are too many."""

    def __init__(self, *, clock: Clock, most: int = MOST) -> None:
        self._clock, self._most = clock, most
        self._kept: OrderedDict[str, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> V | None:
        """The value, unless it was never there or is forgotten."""
        due, value = self._kept.get(_short(key), (0.0, None))
        return value if self._clock() < due else None

    def put(self, key: str, value: V, *, seconds: float) -> None:
        """Remembers a value for some seconds."""
        now, key = self._clock(), _short(key)
        self._kept.pop(key, None)
        self._kept[key] = (now + seconds, value)
        while self._kept and (len(self._kept) > self._most or next(iter(self._kept.values()))[0] <= now):
            self._kept.popitem(last=False)


def _short(key: str) -> str:
    return key if len(key) <= LONGEST else sha256(key.encode(errors="surrogatepass")).hexdigest()


class Seen:
    """Which deliveries were taken already."""

    def __init__(self, *, clock: Clock, most: int = MOST) -> None:
        self._memory: Memory[str] = Memory(clock=clock, most=most)

    def __len__(self) -> int:
        return len(self._memory)

    def again(self, *key: str) -> bool:
        """True when this key was seen within SEEN_FOR; remembers it otherwise."""
        whole = "\0".join(key)
        if self._memory.get(whole):
            return True
        self._memory.put(whole, "seen", seconds=SEEN_FOR)
        return False


class Allowance:
    """How often each person may ask: so many at once, then one each `every` seconds."""

    def __init__(self, *, clock: Clock, at_once: int = 5, every: float = 6.0, most: int = MOST) -> None:
        self._clock, self._at_once, self._every = clock, at_once, every
        self._memory: Memory[float] = Memory(clock=clock, most=most)

    def __len__(self) -> int:
        return len(self._memory)

    def wait(self, who: str) -> float:
        """0 when they may ask now, which is then counted; else the seconds until they may."""
        # one number for a bucket of tokens: the moment at which it will be full again
        now = self._clock()
        full_at = max(self._memory.get(who) or now, now) + self._every
        wait = full_at - now - self._at_once * self._every
        if wait > 0:
            return wait
        self._memory.put(who, full_at, seconds=full_at - now)
        return 0.0
