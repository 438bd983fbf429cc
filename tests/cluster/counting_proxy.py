"""Counts the bytes between a client and the API server, without looking into them (TLS passes through)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from tests.cluster.components import LOOPBACK

_CHUNK: Final = 1 << 16


@dataclass(slots=True, kw_only=True)
class Traffic:
    """Bytes as they are on the wire, TLS included; `port` is where the proxy listens."""

    port: int
    connections: int = 0
    sent: int = 0
    received: int = 0


@contextmanager
def counting_proxy(target_port: int) -> Iterator[Traffic]:
    """Runs the proxy in a thread of its own for the duration of the block."""
    traffic = Traffic(port=0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(_serve(traffic, target_port), loop).result(timeout=5)
    try:
        yield traffic
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(timeout=5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        loop.close()


async def _serve(traffic: Traffic, target_port: int) -> asyncio.Server:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        traffic.connections += 1
        upstream_reader, upstream_writer = await asyncio.open_connection(LOOPBACK, target_port)
        await asyncio.gather(
            _pump(reader, upstream_writer, traffic, "sent"),
            _pump(upstream_reader, writer, traffic, "received"),
        )

    server = await asyncio.start_server(connected, LOOPBACK, 0)
    traffic.port = int(server.sockets[0].getsockname()[1])
    return server


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, traffic: Traffic, side: str) -> None:
    # A peer that goes away without goodbye ends this direction like one that says it.
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            setattr(traffic, side, getattr(traffic, side) + len(chunk))
            writer.write(chunk)
            await writer.drain()
    writer.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
