"""The door as a process: what it refuses, what it says of its health, how it starts and ends, what it never logs."""

import asyncio
import io
import logging
import os
import signal
import time
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from bot.playground.slack.signatures import sign
from bot.slack.serving import BODY, EVENTS_PATH, Behind, CannotServe, serve
from bot.telemetry.logs import Redacting
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.slack.door import Scripted, config_for, door, idle


async def status(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


# -- requests over HTTP -------------------------------------------------------------------------------------------------


async def test_only_slack_is_listened_to(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    services = Scripted()
    caplog.set_level(logging.DEBUG)
    async with door(slack, services, mode="http") as bot:
        hooks = slack.webhooks
        assert hooks
        assert await hooks.verify_url()
        await slack.slash_command("why train-0")
        delivery = slack.deliveries[0]
        assert await hooks.send_forged(delivery) == 401
        assert await hooks.send_old(delivery) == 401
        body, headers = hooks.sent[0]
        assert (await hooks.send(body, {"Content-Type": headers["Content-Type"]}))[0] == 401
        # a replay within five minutes is rightly signed: it is taken, and nothing is done
        assert (await hooks.send(body, headers))[0] == 200
        await idle(slack, bot)
    assert len(services.asked) == 1
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("bot."))
    for secret in ("train-0", slack.workspace.bot_token, headers["X-Slack-Signature"], "response_url="):
        assert secret not in logged
    assert not any(record.name.startswith("slack_") for record in caplog.records)


async def test_what_is_too_large_or_elsewhere_is_refused(slack: FakeSlack) -> None:
    async with door(slack, Scripted(), mode="http") as bot:
        base = f"http://127.0.0.1:{bot.port}"
        too_large = io.BytesIO(b"x" * (BODY + 1))
        async with aiohttp.ClientSession() as session, session.post(f"{base}{EVENTS_PATH}", data=too_large) as response:
            assert response.status == 413
        assert await status(f"{base}{EVENTS_PATH}") == 405
        assert await status(f"{base}/elsewhere") == 404


GARBAGE = (b"", b"{", b"[]", b"null", b"payload=%7B", b"payload=1", b"\xff\xfe", b"a=" * 9_000)
DEEP = (b"[" * 100_000, b'{"event":{"text":' + b"[" * 900 + b"]" * 900 + b"}}")


@pytest.mark.parametrize("body", GARBAGE + DEEP, ids=lambda body: str(body[:12]))
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain; charset=nope"])
async def test_garbage_is_refused_whoever_signs_it(
    slack: FakeSlack, caplog: pytest.LogCaptureFixture, body: bytes, kind: str
) -> None:
    async with door(slack, Scripted(), mode="http"):
        hooks = slack.webhooks
        assert hooks
        for claim in ({}, {"X-Slack-Signature": "v0=ü", "X-Slack-Request-Timestamp": "soon"}):
            assert (await hooks.send(body, {"Content-Type": kind, **claim}))[0] == 401
        signed = sign(slack.app.signing_secret, body, int(time.time()))
        assert (await hooks.send(body, {"Content-Type": kind, **signed}))[0] < 500
    assert not [record for record in caplog.records if record.exc_info]


async def test_over_a_socket_nobody_can_post(slack: FakeSlack) -> None:
    async with door(slack, Scripted()) as bot:
        assert await status(f"http://127.0.0.1:{bot.port}{EVENTS_PATH}") == 404


# -- health ----------------------------------------------------------------------------------------------------------------


async def test_ready_is_only_whom_slack_can_reach(slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    async with door(slack, Scripted()) as bot:
        base = f"http://127.0.0.1:{bot.port}"
        assert [await status(f"{base}{path}") for path in ("/healthz", "/readyz")] == [200, 200]
        slack.faults.add(Fault(method="apps.connections.open", error="internal_error", times=10_000))
        await slack.sockets.close()
        await slack.wait_for(lambda s: not s.sockets.connections)
        while await bot.connected():  # noqa: ASYNC110 (the client tells nobody)
            await asyncio.sleep(0.01)
        assert [await status(f"{base}{path}") for path in ("/healthz", "/readyz")] == [200, 503]
        monkeypatch.setattr("bot.slack.serving._LOST_FOR", 0.0)
        assert await status(f"{base}/healthz") == 503


async def test_it_reconnects_when_slack_refreshes_the_connection(slack: FakeSlack) -> None:
    services = Scripted()
    async with door(slack, services) as bot:
        [first] = slack.sockets.connections
        await slack.sockets.disconnect("refresh_requested", close=False)
        await slack.wait_for(lambda s: s.sockets.connections and first not in s.sockets.connections)
        await slack.slash_command("why train-0")
        await idle(slack, bot)
    assert len(services.asked) == 1


# -- beginning and end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "changes", "told"),
    [
        ("socket", {"bot_token": "xoxb-of-another"}, "SLACK_BOT_TOKEN: invalid_auth"),
        ("socket", {"app_token": "xapp-of-another"}, "SLACK_APP_TOKEN: "),
        ("http", {"signing_secret": " "}, "SLACK_SIGNING_SECRET"),
    ],
)
async def test_a_door_that_cannot_open_says_why(
    slack: FakeSlack, mode: str, changes: dict[str, str], told: str
) -> None:
    with pytest.raises(CannotServe, match=told):
        async with door(slack, Scripted(), mode=mode, **changes):
            pass


async def test_a_slack_that_does_not_answer(slack: FakeSlack) -> None:
    with pytest.raises(CannotServe, match="does not answer"):
        await serve(config_for(slack), Behind(services=Scripted()), api_url="http://127.0.0.1:9/api/")


async def test_a_port_that_is_taken(slack: FakeSlack) -> None:
    async with door(slack, Scripted()) as bot:
        with pytest.raises(CannotServe, match=f"cannot listen on 127.0.0.1:{bot.port}"):
            async with door(slack, Scripted(), port=bot.port):
                pass


@pytest.mark.parametrize("end", ["signal", "cancelled"])
async def test_it_serves_until_it_is_told_to_end_and_finishes_its_work(slack: FakeSlack, end: str) -> None:
    services = Scripted()
    services.gate.clear()
    serving = asyncio.create_task(serve(config_for(slack), Behind(services=services), api_url=slack.api_url))
    await slack.wait_for(lambda s: s.sockets.connections)
    await slack.slash_command("why train-0")
    await slack.wait_for(lambda _: services.asked)
    if end == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    else:
        serving.cancel()
    await slack.wait_for(lambda s: not s.sockets.connections)
    services.gate.set()
    await asyncio.wait([serving])
    assert serving.cancelled() is (end == "cancelled")
    [message] = slack.workspace.by_bot(scene.OPS)
    assert len(message.revisions) == 2


async def test_missing_scopes_are_named_at_the_start(slack: FakeSlack, caplog: pytest.LogCaptureFixture) -> None:
    slack.workspace.scopes -= {"users:read", "im:history"}
    async with door(slack, Scripted()):
        pass
    assert "the Slack app lacks scopes: im:history, users:read" in caplog.text


def test_what_the_libraries_log_has_no_secrets() -> None:
    error = web.HTTPForbidden(reason="wss://wss.example/link/?ticket=abc-123")
    info = (type(error), error, None)
    message = "failed: %s xapp-1-A-2 https://hooks.slack.com/commands/T1/2/xyz ?ticket=abc-123"
    record = logging.LogRecord("x", logging.ERROR, "", 0, message, ("xoxb-1-2",), info)
    assert Redacting().filter(record)
    written = logging.Formatter().format(record)
    assert "HTTPForbidden" in written
    for secret in ("xoxb", "xapp", "xyz", "abc-123"):
        assert secret not in written


def test_a_config_shows_no_secrets() -> None:
    config = config_for(FakeSlack())
    assert "xoxb" not in repr(replace(config))
    assert "s3cret" not in repr(config)
