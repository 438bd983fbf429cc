"""Karpenter's log, cut to the lines that can bear on one question. Parsing them is done elsewhere (bot/karpenter)."""

import re
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Final

from bot.model.kubernetes import Pod

TAILS: Final = (2_000, 20_000)
"""Lines asked for at first, and then if none of those names the pod: a busy log repeats every pod, a long one may not."""
SINCE_SECONDS: Final = 3600
SERVER_LIMIT: Final = 64 << 20
"""Bytes that the server sends at most. It cuts the newest end, so this is a last resort, far above a usual tail."""
KEPT_LINES: Final = 4000
KEPT_CHARACTERS: Final = 16 << 20
LONGEST_LINE: Final = 4 << 20

_ABOUT_ONE_POD: Final = re.compile(r"could not schedule pod|ignoring pod|failed to schedule pod", re.IGNORECASE)
"""The lines that repeat for every pending pod in every round (bot/karpenter/pod_wordings.py): most of a busy log."""


@dataclass(slots=True)
class LogTail:
    """The newest lines that matter to one pod, bounded in number and size, from a log of any length.

    Dropped are only the refusals of other workloads' pods. What Karpenter says about NodePools, NodeClaims, offerings and
    disruptions stays.
    """

    names: tuple[str, ...]
    _kept: deque[str] = field(default_factory=deque)
    _characters: int = 0
    received: int = 0
    """Bytes that came in."""
    seen: int = 0
    """Lines that came in."""

    @classmethod
    def about(cls, pod: Pod) -> "LogTail":
        """For a pod: lines that name it or its siblings (same generateName, same owner)."""
        meta = pod.metadata
        owners = (owner.name for owner in meta.owner_references)
        return cls(tuple(name for name in (meta.name, meta.generate_name, *owners) if name))

    def take(self, line: str) -> None:
        """Takes note of one line."""
        if not line.strip() or not self._matters(line):
            return
        self._kept.append(line)
        self._characters += len(line)
        while len(self._kept) > KEPT_LINES or self._characters > KEPT_CHARACTERS:
            self._characters -= len(self._kept.popleft())

    def _matters(self, line: str) -> bool:
        return any(name in line for name in self.names) or _ABOUT_ONE_POD.search(line) is None

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    @property
    def names_pod(self) -> bool:
        """Whether any line so far names the pod itself."""
        return bool(self.names) and any(self.names[0] in line for line in self._kept)

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Takes the lines of a streamed log. A line longer than LONGEST_LINE loses its end."""
        line = bytearray()
        async for chunk in chunks:
            self.received += len(chunk)
            first, *others = chunk.split(b"\n")
            line += first[: LONGEST_LINE - len(line)]
            for other in others:
                self._take_bytes(line)
                line = bytearray(other[:LONGEST_LINE])
        self._take_bytes(line)

    def _take_bytes(self, line: bytearray) -> None:
        self.seen += 1
        self.take(line.decode(errors="replace"))
