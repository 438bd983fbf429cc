"""What a fake API server remembers of its changes, and the watches that go on from some point of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

Manifest = dict[str, Any]
QUIET: Final = 30.0
"""Seconds after which a watch without events gets a bookmark; the real server sends one every minute."""
_CUT: Final = "cut"
_END: Final = "end"


@dataclass(slots=True)
class History:
    """Versions count up with every change; what is older than `oldest` is forgotten."""

    version: int = 1
    oldest: int = 0
    watches: int = 0
    """How many watches are open."""
    _events: list[tuple[int, str, Manifest]] = field(default_factory=list)
    _streams: set[asyncio.Queue[tuple[int, str, Manifest]]] = field(default_factory=set)

    def record(self, kind: str, manifest: Manifest) -> None:
        """A change (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR) that every watch which selects the object gets."""
        self.version += 1
        manifest.setdefault("metadata", {})["resourceVersion"] = str(self.version)
        event = (self.version, kind, json.loads(json.dumps(manifest)))
        self._events.append(event)
        self._tell(event)

    def forget(self) -> None:
        """As etcd's compaction, after changes of which nobody was told: who asks for what came before is told 410."""
        self.version += 1
        self.oldest = self.version

    def end(self, *, abruptly: bool = False) -> None:
        """Ends all watches: as their time is up, or as a server does that dies."""
        self._tell((self.version, _CUT if abruptly else _END, {}))

    def _tell(self, event: tuple[int, str, Manifest]) -> None:
        for stream in self._streams:
            stream.put_nowait(event)

    async def serve(self, request: web.Request, selects: Callable[[Manifest], bool]) -> web.StreamResponse:
        """Answers a watch: what happened since its resourceVersion, then what happens."""
        since = int(request.query["resourceVersion"])
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        stream: asyncio.Queue[tuple[int, str, Manifest]] = asyncio.Queue()
        for event in self._events:
            if event[0] > since:
                stream.put_nowait(event)
        if since < self.oldest:
            gone = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
            await _write(answer, "ERROR", gone)
            return answer
        self._streams.add(stream)
        self.watches += 1
        try:
            while True:
                try:
                    _, kind, manifest = await asyncio.wait_for(stream.get(), QUIET)
                except TimeoutError:
                    kind, manifest = "BOOKMARK", {"metadata": {"resourceVersion": str(self.version)}}
                if kind == _END:
                    return answer
                if kind == _CUT:
                    assert request.transport is not None
                    request.transport.abort()
                    return answer
                if kind in ("BOOKMARK", "ERROR") or selects(manifest):
                    await _write(answer, kind, manifest)
        except ConnectionError:  # whoever watched is gone
            return answer
        finally:
            self.watches -= 1
            self._streams.discard(stream)


async def _write(answer: web.StreamResponse, kind: str, manifest: Manifest) -> None:
    await answer.write(json.dumps({"type": kind, "object": manifest}).encode() + b"\n")
