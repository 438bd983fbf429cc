"""All of it, by shares: two thirds over HTTP, the rest without."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import aiohttp

from tests.fuzz.door import Bot, post, whole_bot
from tests.fuzz.texts import fuzz_manifests, fuzz_texts

SHARES: Final = {"payload": 0.6, "webhook": 0.15, "text": 0.24, "manifest": 0.01}
AT_ONCE: Final = 8
SWEEP: Final = 500
_MOST: Final = 30
_REPLIES: Final = ("Traceback (most", 'File \\"/', "request %s failed")


@dataclass(slots=True)
class Found:
    """What came of it. `memory`: (inputs so far, MiB) while the door was open."""

    tried: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    memory: list[tuple[int, int]] = field(default_factory=list)

    def add(self, trouble: str) -> None:
        """Keeps the first few."""
        if trouble and len(self.wrong) < _MOST:
            self.wrong.append(trouble)


class Errors(logging.Handler):
    """Every error that the bot logs is a finding: it says itself that something failed that it did not foresee."""

    def __init__(self, found: Found) -> None:
        super().__init__(logging.ERROR)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps what was raised, and where."""
        error = record.exc_info[1] if record.exc_info else None
        at = error.__traceback__ if error else None
        while at is not None and at.tb_next is not None:
            at = at.tb_next
        where = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}" if at else ""
        self._found.add(f"logged {record.name}: {record.getMessage()} {error!r} {where}"[:400])


async def run(count: int, seed: int, shares: dict[str, float] | None = None) -> Found:
    """So many inputs in the shares' proportions."""
    found, shares = Found(), shares or SHARES
    counts = {kind: round(count * share / sum(shares.values())) for kind, share in shares.items()}
    errors = Errors(found)
    logging.getLogger("bot").addHandler(errors)
    logging.getLogger("bot").propagate = False
    try:
        at_door = {kind: counts.get(kind, 0) for kind in ("payload", "webhook")}
        if any(at_door.values()):
            with TemporaryDirectory() as folder:
                async with whole_bot(Path(folder)) as bot:
                    await _at_the_door(bot, at_door, random.Random(f"{seed} door"), found)
        alone: dict[str, Callable[[int, random.Random], Iterator[str]]] = {
            "text": fuzz_texts,
            "manifest": fuzz_manifests,
        }
        for kind, fuzz in alone.items():
            for trouble in fuzz(counts.get(kind, 0), random.Random(f"{seed} {kind}")):
                found.tried[kind] += 1
                found.add(trouble)
    finally:
        logging.getLogger("bot").removeHandler(errors)
        logging.getLogger("bot").propagate = True
    return found


async def _at_the_door(bot: Bot, counts: dict[str, int], chance: random.Random, found: Found) -> None:
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    chance.shuffle(kinds)
    async with aiohttp.ClientSession() as session:
        for start in range(0, len(kinds), SWEEP):
            waiting = iter(kinds[start : start + SWEEP])
            await asyncio.gather(*(_post_all(bot, session, waiting, chance, found) for _ in range(AT_ONCE)))
            for said in bot.sweep():
                if any(words in said for words in _REPLIES):
                    found.add(f"said: {said[:300]}")
            gc.collect()
            found.memory.append((start + SWEEP, _resident()))


async def _post_all(
    bot: Bot, session: aiohttp.ClientSession, kinds: Iterator[str], chance: random.Random, found: Found
) -> None:
    for kind in kinds:
        url, body, headers = bot.request(chance) if kind == "payload" else bot.webhook(chance)
        found.tried[kind] += 1
        try:
            status, text = await asyncio.wait_for(post(session, url, body, headers), 10)
        except (aiohttp.ClientError, TimeoutError) as error:
            found.add(f"{kind}: {type(error).__name__} for {body[:300]!r}")
            continue
        found.statuses[f"{kind} {status}"] += 1
        if status >= 500 or any(words in text for words in _REPLIES):
            found.add(f"{status} {text[:80]} for {body[:300]!r}")


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20
