"""Runs the door: over Socket Mode (no public address) or HTTP (signed requests), with health checks, to a tidy end."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.model.diagnosis import Json
from bot.slack import rotation
from bot.slack.client import CountedClient, retries
from bot.slack.floor import Custom, Floor, Part, Self
from bot.slack.handover import Handover
from bot.slack.keys import Entrance, Keys
from bot.slack.listeners import SCOPES, Listeners
from bot.slack.questions import LANGUAGES
from bot.slack.services import Services, Verb
from bot.telemetry.logs import Redacting
from bot.telemetry.measures import state, took

LOG: Final = logging.getLogger(__name__)
SLACK: Final = "https://slack.com/api/"
EVENTS_PATH: Final = "/slack/events"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError)
BODY: Final = 1024 * 1024
"""Bytes of a request's body; Slack's own are far below."""
_LOST_FOR: Final = 300.0
"""Seconds without a socket after which the process calls itself unhealthy: bolt reconnects within a minute, or never."""


class SlackSettings(Entrance, Protocol):
    """How to reach Slack and be reached. Port 0 takes any free one."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def answer_seconds(self) -> float: ...
    @property
    def answers_at_once(self) -> int: ...
    @property
    def drain_seconds(self) -> float: ...


class Settings(Protocol):
    """What serving takes of the bot's configuration."""

    @property
    def language(self) -> str: ...
    @property
    def slack(self) -> SlackSettings: ...


class CannotServe(Exception):  # noqa: N818 (reads as what is the case)
    """The door cannot open; the message is one line that says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something that the bot stands on, as it was just found. `vital`: without it, no question should come here."""

    name: str
    ok: bool
    vital: bool = False
    why: str = ""

    def as_json(self) -> dict[str, Json]:
        """For `/readyz`: open to whoever reaches the port, so without names of hosts."""
        return {"ok": self.ok, "vital": self.vital, **({"why": self.why} if self.why else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How the process is watched from outside. `tokens`: Slack's secrets as they are in their files now."""

    metrics: Callable[[], bytes] | None = None
    checks: Callable[[], Awaitable[Sequence[Check]]] | None = None
    tokens: Callable[[], Keys] | None = None


class Door:
    """The open door: its port, and whether it is healthy."""

    def __init__(
        self, app: AsyncApp, listeners: Listeners, settings: SlackSettings, parts: Sequence[Part], watch: Watch
    ) -> None:
        self.listeners, self._parts, self._watch = listeners, parts, watch
        self._signing_secret = settings.signing_secret
        self.port = 0
        self._app, self._settings = app, settings
        self._socket: AsyncSocketModeHandler | None = None
        self._draining = False
        self._connected_at = asyncio.get_running_loop().time()

    async def connected(self) -> bool:
        """Whether Slack can reach the bot now, as far as the bot can know."""
        if self._socket is None:
            return self._settings.mode == "http"
        connected = await self._socket.client.is_connected()
        if connected:
            self._connected_at = asyncio.get_running_loop().time()
        state("slack_connected", float(connected))
        return connected

    def take_keys(self, keys: Keys) -> None:
        """New secrets: for the next signature and the next socket; the open socket stays."""
        self._signing_secret = keys.signing_secret
        if self._socket is not None:
            self._socket.app_token = self._socket.client.app_token = keys.app_token

    async def on_ready(self, _request: web.Request) -> web.Response:
        """`/readyz`: 200 while questions can come in and be answered; a cluster that is down is told, and costs only itself."""
        connected = await self.connected()
        found = await self._watch.checks() if self._watch.checks else ()
        ready = connected and not self._draining and all(check.ok or not check.vital for check in found)
        checks = {check.name: check.as_json() for check in found}
        told = {"ready": ready, "draining": self._draining, "connected": connected, "checks": checks}
        return web.json_response(told, status=200 if ready else 503)

    async def on_metrics(self, _request: web.Request) -> web.Response:
        """`/metrics`, for Prometheus."""
        await self.connected()
        state("working", len(self.listeners.work))
        exposition = self._watch.metrics() if self._watch.metrics else b""
        return web.Response(body=exposition, headers={"Content-Type": METRICS})

    async def on_health(self, _request: web.Request) -> web.Response:
        """`/healthz`: 503 once the socket has been gone for so long that only a new process helps."""
        connected = await self.connected()
        lost = 0.0 if connected else asyncio.get_running_loop().time() - self._connected_at
        told = {"mode": self._settings.mode, "connected": connected, "working": len(self.listeners.work)}
        return web.json_response(told, status=200 if lost < _LOST_FOR else 503)

    async def on_events(self, request: web.Request) -> web.Response:
        """Slack's request URL. The signature comes first: bolt checks it too, but only after it has parsed the body."""
        began = time.perf_counter()
        body = await request.read()
        if not _signed(body, request, self._signing_secret):
            return web.Response(status=401)
        try:
            bolt = AsyncBoltRequest(body=body.decode(), query=request.query_string, headers=dict(request.headers))
        except _MISSHAPEN:
            bolt = None
        if bolt is None or not isinstance(bolt.body, dict):
            return web.Response(status=400)
        line = self.listeners.work.line
        line.acknowledging += 1
        try:
            answer = await self._app.async_dispatch(bolt)
        except _MISSHAPEN as error:  # bolt reads fields before anybody can look at their types
            LOG.warning("a signed request that is none of Slack's (%s)", type(error).__name__)
            return web.Response(status=400)
        finally:
            line.acknowledging -= 1
        took("ack_seconds", time.perf_counter() - began)
        return await to_aiohttp_response(answer)

    async def listen(self, stack: AsyncExitStack) -> None:
        """Opens the port: health in both modes, Slack's requests over HTTP."""
        server = web.Application(client_max_size=BODY)
        server.router.add_get("/healthz", self.on_health)
        server.router.add_get("/readyz", self.on_ready)
        server.router.add_get("/metrics", self.on_metrics)
        if self._settings.mode == "http":
            server.router.add_post(EVENTS_PATH, self.on_events)
        for part in self._parts:
            part.routes(server.router)
        runner = web.AppRunner(server, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port).start()
        except OSError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise CannotServe(f"cannot listen on {where}: {error.strerror or error}") from None
        self.port = runner.addresses[0][1]

    async def connect(self, client: AsyncWebClient) -> None:
        """Opens the socket. Raises CannotServe for a token that Slack does not know: the library would try for ever."""
        socket = AsyncSocketModeHandler(self._app, self._settings.app_token, logger=client.logger, web_client=client)
        self._socket = socket
        try:
            opened = await client.apps_connections_open(app_token=self._settings.app_token)
        except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            raise CannotServe(_complaint("SLACK_APP_TOKEN", error)) from None
        socket.client.wss_uri = str(opened["url"])
        await socket.connect_async()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """Takes nothing more over the socket, finishes what is in work. HTTP still takes until the port closes."""
        self._draining = True
        handover = self.listeners.floor.handover
        if handover:
            handover.ends()
        await self._hang_up()
        for part in self._parts:
            await part.close()
        await self.listeners.work.drain(self._settings.drain_seconds)
        if handover:
            await handover.let_go()

    async def _hang_up(self) -> None:
        if self._socket is None:
            return
        client = self._socket.client
        await self._socket.close_async()  # type: ignore[no-untyped-call]
        tasks = (client.message_receiver, client.current_session_monitor, client.message_processor)
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the door: who answers, the verbs beside `why`, and the parts with a life of their own."""

    services: Services
    verbs: Mapping[str, Verb] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    watch: Watch = field(default_factory=Watch)
    handover: Handover | None = None
    languages: Sequence[str] = LANGUAGES
    """The languages that `services` has words in."""


@asynccontextmanager
async def opened(settings: Settings, behind: Behind, *, api_url: str | None = None) -> AsyncIterator[Door]:
    """The door, open for the length of the `async with`. Raises CannotServe.

    Shut in this order: unready, socket closed (Slack hands what follows to another or keeps it), work finished or told
    that it is not, port closed.
    """
    slack = settings.slack
    if slack.mode == "http" and not slack.signing_secret.strip():
        raise CannotServe("over HTTP a SLACK_SIGNING_SECRET is needed: without it anybody could pose as Slack")
    logger = _library_logger()
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)))
        client = CountedClient(
            token=slack.bot_token,
            base_url=api_url or SLACK,
            session=session,
            logger=logger,
            retry_handlers=retries(),
        )
        app, me = await _bolt(client, slack.signing_secret, logger)
        app.error(_on_error)
        custom = Custom(
            language=settings.language,
            seconds=slack.answer_seconds,
            at_once=slack.answers_at_once,
            languages=tuple(behind.languages),
        )
        floor = Floor(client, behind.services, custom, me=me, handover=behind.handover)
        listeners = Listeners(floor, behind.services, verbs=behind.verbs, parts=behind.parts)
        listeners.register(app)
        door = Door(app, listeners, slack, behind.parts, behind.watch)
        await door.listen(stack)
        stack.push_async_callback(door.close)
        if slack.mode == "socket":
            await door.connect(client)
        if behind.watch.tokens:
            rotating = asyncio.create_task(
                rotation.keep_current(behind.watch.tokens, client, door, every=rotation.EVERY)
            )
            stack.callback(rotating.cancel)
        for part in behind.parts:
            await part.start()
        if behind.handover:
            await behind.handover.start(listeners.resume)
        yield door


async def serve(settings: Settings, behind: Behind, *, api_url: str | None = None) -> None:
    """Serves until the process is told to end (SIGTERM, SIGINT) or this task is cancelled. Raises CannotServe.

    `api_url` is another Slack than Slack's own, with a slash at its end.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # not the main thread, or not Unix
            loop.add_signal_handler(number, stop.set)
    try:
        async with opened(settings, behind, api_url=api_url) as door:
            LOG.info("serving Slack over %s; health on port %s", settings.slack.mode, door.port)
            await stop.wait()
            LOG.info("ending; %s questions in work", len(door.listeners.work))
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError):
                loop.remove_signal_handler(number)


async def _bolt(client: AsyncWebClient, signing_secret: str, logger: logging.Logger) -> tuple[AsyncApp, Self]:
    """Bolt's app and who the bot is, with the bot's identity looked up once and now, so that a wrong token shows at the start."""
    try:
        me = await client.auth_test()
    except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError) as error:
        raise CannotServe(_complaint("SLACK_BOT_TOKEN", error)) from None
    _warn_of_scopes(me)

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=me.get("enterprise_id"),
            team_id=me.get("team_id"),
            bot_token=client.token,  # as it is now: tokens are rotated
            bot_id=me.get("bot_id"),
            bot_user_id=me.get("user_id"),
        )

    # without a token of its own bolt asks `authorize` and makes no auth.test of its own with the first delivery
    tokenless = AsyncWebClient(base_url=client.base_url, session=client.session, logger=logger)
    # bolt logs the body of a request with a bad signature at INFO; this logger's level and filter reach all of bolt's.
    # Signatures are checked at the door, with the secret of the day, before anything is parsed; bolt knows only the first.
    app = AsyncApp(
        client=tokenless,
        authorize=authorize,
        signing_secret=signing_secret,
        logger=logger,
        request_verification_enabled=False,
    )
    return app, Self(team_id=me.get("team_id") or "", user_id=me.get("user_id") or "", bot_id=me.get("bot_id") or "")


async def _on_error(error: Exception, response: BoltResponse | None) -> BoltResponse | None:
    """A listener raised over a delivery without the fields that Slack sends, or over a fault of ours.

    `response`: what bolt would answer; None where Slack has its acknowledgement already, and nothing can be said any more.
    """
    misshapen = isinstance(error, _MISSHAPEN)
    LOG.warning("a delivery could not be taken", exc_info=error)
    return None if response is None else BoltResponse(status=400 if misshapen else 500)


def _signed(body: bytes, request: web.Request, secret: str) -> bool:
    """Whether Slack sent this, within the last five minutes (docs.slack.dev, verifying-requests-from-slack)."""
    timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
    signature = request.headers.get("X-Slack-Signature", "")
    try:
        return bool(SignatureVerifier(secret).is_valid(body, timestamp, signature))
    except (ValueError, TypeError):  # a time that is no number, a signature that is not ASCII
        return False


def _warn_of_scopes(me: AsyncSlackResponse) -> None:
    granted = next((value for name, value in me.headers.items() if name.lower() == "x-oauth-scopes"), "")
    missing = SCOPES - {scope.strip() for scope in granted.split(",")}
    if granted and missing:
        LOG.warning("the Slack app lacks scopes: %s (see the app manifest)", ", ".join(sorted(missing)))


def _library_logger() -> logging.Logger:
    logger = logging.getLogger("bot.slack.library")
    logger.setLevel(max(logging.WARNING, logging.getLogger().level))
    if not any(isinstance(one, Redacting) for one in logger.filters):
        logger.addFilter(Redacting())
    return logger


def _complaint(variable: str, error: Exception) -> str:
    if isinstance(error, SlackApiError) and error.response is not None:
        return f"Slack does not accept {variable}: {error.response.get('error')}"
    return f"Slack does not answer ({type(error).__name__})"
