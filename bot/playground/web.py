"""The playground's page on loopback: static files, one WebSocket that shows what a person sees, one address for deeds.

Nobody but the person at this machine may use it. The port is bound to loopback only; a request must name it in `Host`
(a foreign name that resolves to 127.0.0.1 does not), and what changes something must come from the page itself (`Origin`).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final

from aiohttp import WSMsgType, web

from bot.playground.deeds import NotPossibleError, do
from bot.playground.sight import PEOPLE, seen
from bot.playground.stage import Stage

LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = ("127.0.0.1", "localhost")
_BODY: Final = 256 * 1024
_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_SAFE: Final = {
    # nothing from anywhere else, no inline script, in nobody's frame: the page shows what others wrote
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_OFTEN: Final = 0.05
"""Seconds between two looks at what changed, at most so often."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotPlay(Exception):  # noqa: N818 (reads as what is the case)
    """The page cannot be served; one line that says why."""


class Playground:
    """The page's routes over one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._page = files("bot.playground") / "page"

    def application(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=_BODY, middlewares=[_guarded])
        app.router.add_get("/", self._index)
        app.router.add_get("/page/{name}", self._static)
        app.router.add_get("/file/{id}", self._file)
        app.router.add_get("/live", self._live)
        app.router.add_post("/do", self._do)
        return app

    async def _index(self, _request: web.Request) -> web.Response:
        return self._read("index.html")

    async def _static(self, request: web.Request) -> web.Response:
        return self._read(request.match_info["name"])

    def _read(self, name: str) -> web.Response:
        kind = _TYPES.get(name.rpartition(".")[2])
        file = self._page / name
        if kind is None or "/" in name or name.startswith(".") or not file.is_file():
            raise web.HTTPNotFound
        return web.Response(text=file.read_text(encoding="utf-8"), content_type=kind, headers=_SAFE)

    async def _file(self, request: web.Request) -> web.Response:
        """A picture that the bot uploaded."""
        file = self._stage.slack.workspace.files.get(request.match_info["id"])
        if file is None or not file.shared or not file.content.startswith(b"\x89PNG"):
            raise web.HTTPNotFound
        return web.Response(body=file.content, content_type="image/png", headers=_SAFE)

    async def _live(self, request: web.Request) -> web.WebSocketResponse:
        """What the person `user` sees: all of it, now and whenever it has changed."""
        user = request.query.get("user", "")
        if user not in PEOPLE:
            raise web.HTTPBadRequest(text="no such person")
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        showing = asyncio.create_task(self._show(socket, user))
        try:
            async for frame in socket:
                if frame.type in (WSMsgType.CLOSE, WSMsgType.ERROR):
                    break
        finally:
            showing.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await showing
        return socket

    async def _show(self, socket: web.WebSocketResponse, user: str) -> None:
        shown = ""
        while not socket.closed:
            now = json.dumps(seen(self._stage, user))
            if now != shown:
                shown = now
                await socket.send_str(now)
            await asyncio.sleep(_OFTEN)

    async def _do(self, request: web.Request) -> web.Response:
        try:
            deed: Any = await request.json()
        except ValueError:
            raise web.HTTPBadRequest(text="not JSON") from None
        if not isinstance(deed, dict):
            raise web.HTTPBadRequest(text="not a JSON object")
        try:
            await do(self._stage, deed)
        except NotPossibleError as error:
            return web.json_response({"ok": False, "why": str(error)}, headers=_SAFE)
        return web.json_response({"ok": True}, headers=_SAFE)


@web.middleware
async def _guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what does not come from this page on this machine: rebound names, other sites' forms and sockets."""
    port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    own = {f"{name}:{port}" for name in _NAMES}
    if request.headers.get("Host") not in own:
        raise web.HTTPForbidden(text="not this machine's name")
    origin = request.headers.get("Origin")
    changes = request.method != "GET" or request.path == "/live"
    if (changes or origin is not None) and origin not in {f"http://{name}" for name in own}:
        raise web.HTTPForbidden(text="not from this page")
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    return await handler(request)


@asynccontextmanager
async def served(stage: Stage, *, port: int = 0) -> AsyncIterator[str]:
    """The page's address, for the length of the `async with`. Raises CannotPlay."""
    runner = web.AppRunner(Playground(stage).application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, port).start()
    except OSError as error:
        await runner.cleanup()
        raise CannotPlay(f"cannot listen on {LOOPBACK}:{port}: {error.strerror or error}") from None
    try:
        yield f"http://{LOOPBACK}:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
