"""Slack's Socket Mode side (apis/events-api/using-socket-mode): hello, envelopes, acknowledgements, disconnects."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, replace

from aiohttp import WSMsgType, web

from .clock import Clock, Timing
from .deliveries import Attempt, Delivery, timed
from .limits import CONNECTIONS
from .wire import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """An acknowledgement as it came; ``seconds`` since the envelope was sent, ``late`` when Slack had given up."""

    envelope_id: str
    seconds: float
    late: bool


class Sockets:
    """The bot's open connections; any one of them may get a payload."""

    def __init__(self, *, app_id: str, clock: Clock, timing: Timing) -> None:
        self.connections: list[web.WebSocketResponse] = []
        self.acks: list[Ack] = []
        self.opened = 0
        self._app_id, self._clock, self._timing = app_id, clock, timing
        self._tickets: set[str] = set()
        self._serial = itertools.count(1)
        self._turn = itertools.count()
        self._sent: dict[str, float] = {}
        self._waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[JsonObject | None]]] = {}
        self._connected = asyncio.Event()

    def issue_ticket(self) -> str:
        """What apps.connections.open puts into the URL: opens one connection."""
        ticket = f"ticket-{next(self._serial)}"
        self._tickets.add(ticket)
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from hello to its end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403, text="bad ticket")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self.connections) >= CONNECTIONS:
            await self._disconnect(socket, "too_many_websockets")
            return socket
        await socket.send_json(self._hello(len(self.connections) + 1))
        self.connections.append(socket)
        self.opened += 1
        self._connected.set()
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._take_ack(json.loads(frame.data))
        finally:
            self._lose(socket)
        return socket

    def _hello(self, number: int) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": number,
            "connection_info": {"app_id": self._app_id},
            "debug_info": {"host": "fake", "approximate_connection_time": 18060},
        }

    def _take_ack(self, frame: JsonObject) -> None:
        envelope_id = str(frame.get("envelope_id", ""))
        if envelope_id not in self._sent:
            return
        _, waiting = self._waiting.pop(envelope_id, (None, None))
        late = waiting is None or waiting.done()
        self.acks.append(Ack(envelope_id=envelope_id, seconds=self._clock.now() - self._sent[envelope_id], late=late))
        if waiting and not late:
            waiting.set_result(frame.get("payload"))

    def _lose(self, socket: web.WebSocketResponse) -> None:
        if socket in self.connections:
            self.connections.remove(socket)
        if not self.connections:
            self._connected.clear()
        for owner, waiting in list(self._waiting.values()):
            if owner is socket and not waiting.done():
                waiting.set_exception(ConnectionResetError("the bot's connection closed before it acknowledged"))

    async def attempt(self, delivery: Delivery, number: int, reason: str | None) -> Attempt:
        """One envelope to the connection whose turn it is; an echoed envelope_id within 3 s takes it."""
        tried = await timed(self._clock, self._timing.ack, number, lambda: self._send(delivery, number, reason))
        if tried.failure == "http_timeout" and not self.connections:  # nobody was there to be slow
            return replace(tried, failure="connection_failed")
        return tried

    async def _send(self, delivery: Delivery, number: int, reason: str | None) -> Attempt:
        began = self._clock.now()
        await self._connected.wait()
        socket = self.connections[next(self._turn) % len(self.connections)]
        envelope_id = f"envelope-{next(self._serial)}"
        waiting: asyncio.Future[JsonObject | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, waiting)
        self._sent[envelope_id] = began
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": number, "retry_reason": _socket_reason(reason)}
        try:
            await socket.send_json(envelope)
            answer = await waiting
        except ConnectionError:
            return Attempt(number=number, seconds=self._clock.now() - began, failure="connection_failed")
        finally:
            self._waiting.pop(envelope_id, None)
        return Attempt(number=number, seconds=self._clock.now() - began, answer=answer)

    async def disconnect(self, reason: str = "refresh_requested", *, close: bool = True) -> None:
        """Tell every connection to reconnect: ``warning`` keeps it open for a while, ``refresh_requested`` closes."""
        for socket in list(self.connections):
            await self._disconnect(socket, reason, close=close and reason != "warning")

    async def _disconnect(self, socket: web.WebSocketResponse, reason: str, *, close: bool = True) -> None:
        await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "fake"}})
        if close:
            self._lose(socket)
            await socket.close()

    async def close(self) -> None:
        """Cut every connection."""
        for socket in list(self.connections):
            await socket.close(code=1001)


def _socket_reason(reason: str | None) -> str:
    return (reason or "").removeprefix("http_")
