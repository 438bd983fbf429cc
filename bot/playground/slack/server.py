"""One aiohttp server that is Slack: Web API, Socket Mode, response URLs, uploads, and deliveries to the bot."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Self

from aiohttp import web

from . import chat, files
from .clock import Timing
from .deliveries import Attempt, Courier, Delivery, Kind, Transport
from .faults import Fault
from .hub import App, Call, Violation
from .methods import METHODS, call
from .people import People
from .scene import furnish
from .sockets import Sockets
from .state import Workspace
from .webhooks import Webhooks
from .wire import JsonObject, SlackRefusal, read_arguments

_UPLOAD_LIMIT = 64 * 1024 * 1024


class FakeSlack(People):
    """Slack on a loopback port. Use as ``async with FakeSlack() as slack`` and give the bot ``slack.api_url``.

    Payloads go to the bot's sockets until ``post_to`` names a request URL. ``echo`` also sends the bot its own
    messages and updates, as Slack does; off by default because it only makes tests noisier.
    """

    def __init__(
        self, *, app: App | None = None, timing: Timing | None = None, port: int = 0, echo: bool = False
    ) -> None:
        super().__init__(app=app, timing=timing)
        self.add_workspace(furnish(Workspace()))
        self.sockets = Sockets(app_id=self.app.id, clock=self.clock, timing=self.timing)
        self.webhooks: Webhooks | None = None
        self.deliveries: list[Delivery] = []
        self.echo = echo
        self._port = port
        self._runner: web.AppRunner | None = None
        self._background: set[asyncio.Task[object]] = set()

    # -- life ----------------------------------------------------------------------------------------------------
    async def __aenter__(self) -> Self:
        routes = web.Application(client_max_size=_UPLOAD_LIMIT)
        routes.router.add_route("*", "/api/{method}", self._api)
        routes.router.add_get("/link", self._link)
        routes.router.add_post("/r/{key}", self._response_url)
        routes.router.add_post("/upload/{team}/{file}", self._upload)
        self._runner = web.AppRunner(routes, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.sockets.close()
        if self._runner:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        """What the bot's client takes as ``base_url``."""
        return f"{self.base_url}/api/"

    def post_to(self, url: str) -> Webhooks:
        """Deliver by HTTP from now on."""
        self.webhooks = Webhooks(url, secret=self.app.signing_secret, clock=self.clock, timing=self.timing)
        return self.webhooks

    # -- to the bot ----------------------------------------------------------------------------------------------
    async def deliver(self, kind: Kind, payload: JsonObject) -> Delivery:
        """Bring a payload to the bot by the way that is set; Slack's retries follow while the test goes on."""
        delivery = Delivery(kind=kind, payload=payload)
        self.deliveries.append(delivery)
        courier = Courier(transport=self._transport(), clock=self.clock, timing=self.timing, attempted=self._attempted)
        await courier.try_first(delivery)
        if not delivery.settled:
            self._meanwhile(courier.try_again(delivery))
        return delivery

    def listening(self) -> bool:
        """True once a request URL is set or a first socket was opened, also while the bot is down after that."""
        return self.webhooks is not None or self.sockets.opened > 0

    async def deliver_again(self, delivery: Delivery, *, reason: str = "http_timeout") -> Attempt:
        """The same payload once more, as Slack does when it missed the answer: the bot must not act twice."""
        attempt = await self._transport().attempt(delivery, len(delivery.attempts), reason)
        self._attempted(delivery, attempt)
        return attempt

    def _attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        if attempt.failure in {"http_timeout", "http_error"}:
            what = str(delivery.payload.get("type", delivery.payload.get("command")))
            broken = "not_acknowledged_in_time" if attempt.failure == "http_timeout" else f"http_{attempt.status}"
            self.violations.append(Violation(method=f"{delivery.kind}: {what}", error=broken))
        self.changed()

    def emit(self, workspace: Workspace, event: JsonObject) -> None:
        """Send the bot an event about its own message."""
        if self.echo:
            self._meanwhile(self.send_event(workspace, event))

    def _transport(self) -> Transport:
        return self.webhooks or self.sockets

    def _meanwhile(self, work: Coroutine[object, object, object]) -> None:
        task: asyncio.Task[object] = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    # -- from the bot --------------------------------------------------------------------------------------------
    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        try:
            arguments = await read_arguments(request)
        except SlackRefusal as refusal:
            self.record_refusal(method, refusal)
            return self._answer(method, {}, refusal.answer())
        fault = self.faults.take(method, arguments)
        suffered = await self._suffer(fault, request, method, arguments) if fault else None
        if suffered is not None:
            return suffered
        token = request.headers.get("Authorization", "").removeprefix("Bearer").strip() or str(
            arguments.pop("token", "")
        )
        response = self._call(method, arguments, token)
        return self._cut(request, method, arguments) if fault and fault.lost else response

    async def _suffer(
        self, fault: Fault, request: web.Request, method: str, arguments: JsonObject
    ) -> web.StreamResponse | None:
        """What the fault makes of the call; None when the call still runs."""
        if fault.delay:
            await self.clock.sleep(fault.delay)
        if fault.reset:
            return self._cut(request, method, arguments)
        if fault.retry_after is not None:
            return self._too_many(method, arguments, fault.retry_after)
        if fault.status:
            self._record(method, arguments, fault.status, {})
            return web.Response(status=fault.status, text="upstream trouble")
        if fault.error:
            refusal = SlackRefusal(fault.error, messages=fault.messages)
            return self._answer(method, arguments, refusal.answer())
        return None

    def _call(self, method: str, arguments: JsonObject, token: str) -> web.Response:
        try:
            if method == "apps.connections.open":
                return self._answer(method, arguments, self._open_connection(token))
            workspace = self._workspace_of(token)
            tier = METHODS[method].tier if method in METHODS else 1
            wait = self.rate_limits.retry_after(method, tier, workspace.id, str(arguments.get("channel") or ""))
            if wait is not None:
                return self._too_many(method, arguments, wait)
            answer = {"ok": True, **call(self, workspace, method, arguments)}
            return self._answer(method, arguments, answer, scopes=",".join(sorted(workspace.scopes)))
        except SlackRefusal as refusal:
            self.record_refusal(method, refusal)
            return self._answer(method, arguments, refusal.answer())

    def _open_connection(self, token: str) -> JsonObject:
        if token != self.app.app_token:
            known = any(token == workspace.bot_token for workspace in self.workspaces.values())
            raise SlackRefusal("not_allowed_token_type" if known else "invalid_auth")
        link = f"{self.base_url.replace('http', 'ws', 1)}/link?ticket={self.sockets.issue_ticket()}"
        return {"ok": True, "url": link}

    def _workspace_of(self, token: str) -> Workspace:
        if not token:
            raise SlackRefusal("not_authed")
        if token == self.app.app_token:
            raise SlackRefusal("not_allowed_token_type")
        for workspace in self.workspaces.values():
            if workspace.bot_token == token:
                return workspace
        raise SlackRefusal("invalid_auth")

    def _record(self, method: str, arguments: JsonObject, status: int, answer: JsonObject) -> None:
        self.calls.append(Call(method=method, arguments=arguments, at=self.clock.now(), status=status, answer=answer))
        self.changed()

    def _answer(self, method: str, arguments: JsonObject, answer: JsonObject, scopes: str = "") -> web.Response:
        self._record(method, arguments, 200, answer)
        return web.json_response(answer, headers={"X-OAuth-Scopes": scopes} if scopes else {})

    def _too_many(self, method: str, arguments: JsonObject, seconds: int) -> web.Response:
        answer: JsonObject = {"ok": False, "error": "ratelimited"}
        self._record(method, arguments, 429, answer)
        return web.json_response(answer, status=429, headers={"Retry-After": str(seconds)})

    def _cut(self, request: web.Request, method: str, arguments: JsonObject) -> web.StreamResponse:
        self._record(method, arguments, 0, {})
        if request.transport:
            request.transport.close()
        return web.Response()

    async def _link(self, request: web.Request) -> web.StreamResponse:
        return await self.sockets.serve(request)

    async def _response_url(self, request: web.Request) -> web.Response:
        body: JsonObject = {}
        try:
            body = await read_arguments(request)
            answer, status = {"ok": True, **chat.respond(self, request.match_info["key"], body)}, 200
        except SlackRefusal as refusal:
            self.record_refusal("response_url", refusal)
            answer, status = refusal.answer(), 404 if refusal.error.endswith("_url") else 400
        self._record("response_url", body, status, answer)
        return web.json_response(answer, status=status)

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        try:
            files.store(self.workspaces[request.match_info["team"]], request.match_info["file"], content)
        except SlackRefusal as refusal:
            self.record_refusal("upload", refusal)
            return web.Response(status=400, text=refusal.error)
        return web.Response(text=f"OK - {len(content)}")
