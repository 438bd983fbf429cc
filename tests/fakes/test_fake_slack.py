"""The fake Slack against Slack's own client library: what it carries, what it remembers, when it sends again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck as Ack
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, scene

Json = dict[str, Any]


def section(text: str, *buttons: str) -> list[Json]:
    """A section and its buttons."""
    blocks: list[Json] = [{"type": "section", "text": {"type": "mrkdwn", "text": text}}]
    if buttons:
        elements = [
            {"type": "button", "action_id": name, "value": f"{name}-1", "text": {"type": "plain_text", "text": name}}
            for name in buttons
        ]
        blocks.append({"type": "actions", "elements": elements})
    return blocks


MODAL: Json = {
    "type": "modal",
    "callback_id": "settings",
    "title": {"type": "plain_text", "text": "Settings"},
    "submit": {"type": "plain_text", "text": "Save"},
    "blocks": [
        {
            "type": "input",
            "block_id": "cluster",
            "label": {"type": "plain_text", "text": "Cluster"},
            "element": {"type": "plain_text_input", "action_id": "name"},
        }
    ],
}


class Echo:
    """A tiny bot: answers the command with buttons, a click with an update or a modal, a message in its thread."""

    def __init__(self, slack: FakeSlack) -> None:
        self.client = AsyncWebClient(token=slack.workspace.bot_token, base_url=slack.api_url)
        self.app = AsyncApp(client=self.client, signing_secret=slack.app.signing_secret)
        self.seen: list[Json] = []
        self.headers: list[Json] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.app.command(slack.app.command)(self.on_command)
        self.app.action("done")(self.on_done)
        self.app.action("settings")(self.on_settings)
        self.app.view("settings")(self.on_saved)
        self.app.event("message")(self.on_message)
        self.app.event("app_mention")(self.on_seen)
        self.app.event("app_home_opened")(self.on_home)
        self.app.shortcut("explain")(self.on_seen_shortcut)

    async def on_command(self, ack: Ack, command: Json, client: AsyncWebClient) -> None:
        await self.gate.wait()
        await ack()
        blocks = section(f"you said {command['text']}", "done", "settings")
        await client.chat_postMessage(channel=command["channel_id"], text=command["text"], blocks=blocks)

    async def on_done(self, ack: Ack, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text=f"done by <@{body['user']['id']}>"
        )

    async def on_settings(self, ack: Ack, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def on_saved(self, ack: Ack, view: Json) -> None:
        name = view["state"]["values"]["cluster"]["name"]["value"]
        if name == "bad":
            await ack(response_action="errors", errors={"cluster": "no such cluster"})
        else:
            self.seen.append({"saved": name})
            await ack()

    async def on_message(self, event: Json, body: Json, request: AsyncBoltRequest, client: AsyncWebClient) -> None:
        self.seen.append(event)
        self.headers.append({"event_id": body["event_id"], **request.headers})
        if event.get("text") == "answer me":
            await client.chat_postMessage(channel=event["channel"], text="here", thread_ts=event["ts"])

    async def on_seen(self, event: Json) -> None:
        self.seen.append(event)

    async def on_seen_shortcut(self, ack: Ack, shortcut: Json) -> None:
        await ack()
        self.seen.append(shortcut)

    async def on_home(self, event: Json, client: AsyncWebClient) -> None:
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": section("nothing is stuck")})


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with running_slack() as running:
        yield running


@pytest.fixture(params=["socket", "http"])
async def echo(request: pytest.FixtureRequest, slack: FakeSlack) -> AsyncIterator[Echo]:
    bot = Echo(slack)
    async with over_socket(slack, bot) if request.param == "socket" else over_http(slack, bot):
        yield bot


class over_socket:  # noqa: N801 - reads as a phrase
    """The bot at the end of a Socket Mode connection."""

    def __init__(self, slack: FakeSlack, bot: Echo) -> None:
        self.slack, self.handler = slack, AsyncSocketModeHandler(bot.app, slack.app.app_token)
        self.handler.client.ping_interval = 0.05

    async def __aenter__(self) -> AsyncSocketModeHandler:
        await self.handler.connect_async()  # type: ignore[no-untyped-call]
        await self.slack.wait_for(lambda s: s.sockets.connections)
        return self.handler

    async def __aexit__(self, *_: object) -> None:
        client = self.handler.client
        tasks = [client.message_receiver, client.current_session_monitor, client.message_processor]
        await self.handler.close_async()  # type: ignore[no-untyped-call]
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)


class over_http:  # noqa: N801 - reads as a phrase
    """The bot behind a request URL."""

    def __init__(self, slack: FakeSlack, bot: Echo) -> None:
        self.slack, self.runner = slack, web.AppRunner(bot.app.web_app(path="/slack/events"), shutdown_timeout=0.1)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/slack/events"
        self.slack.post_to(url)
        return url

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


# -- conversations with a real bolt app, by socket and by HTTP -----------------------------------------------
async def test_a_command_is_acknowledged_and_answered(slack: FakeSlack, echo: Echo) -> None:
    delivery = await slack.slash_command("why pod-1", user=scene.MIN)
    assert delivery.acked
    assert delivery.shown_error is None
    answer = await slack.wait_for(lambda s: s.workspace.by_bot(scene.OPS))
    assert answer[0].text == "why pod-1"
    assert answer[0].blocks[0]["text"]["text"] == "you said why pod-1"


async def test_a_click_changes_the_message_and_keeps_its_history(slack: FakeSlack, echo: Echo) -> None:
    await slack.slash_command("x")
    [message] = await slack.wait_for(lambda s: s.workspace.by_bot())
    await slack.click("done", message)
    await slack.wait_for(lambda _: message.text.startswith("done"))
    assert [len(revision.blocks) for revision in message.revisions] == [2, 0]  # text alone removes the blocks
    assert slack.workspace.pings()[0].target == scene.ANNA
    with pytest.raises(LookupError, match="done"):
        await slack.click("done", message)


async def test_a_modal_opens_shows_errors_and_is_saved(slack: FakeSlack, echo: Echo) -> None:
    await slack.slash_command("x")
    [message] = await slack.wait_for(lambda s: s.workspace.by_bot())
    await slack.click("settings", message)
    [modal] = await slack.wait_for(lambda s: s.workspace.modals())
    with pytest.raises(LookupError, match="name must be filled in"):
        await slack.submit(modal)
    await slack.submit(modal, {"name": "bad"})
    assert modal.errors == {"cluster": "no such cluster"}
    assert modal.open
    await slack.submit(modal, {"name": "prod"})
    assert not slack.workspace.modals()
    assert echo.seen == [{"saved": "prod"}]


async def test_a_mention_arrives_twice_with_two_event_ids(slack: FakeSlack, echo: Echo) -> None:
    message = await slack.mention("why pod-1")
    await slack.wait_for(lambda _: len(echo.seen) == 2)
    assert {event["type"] for event in echo.seen} == {"message", "app_mention"}
    assert {event["ts"] for event in echo.seen} == {message.ts}
    assert len({delivery.payload["event_id"] for delivery in slack.deliveries}) == 2


async def test_an_answer_goes_into_the_thread(slack: FakeSlack, echo: Echo) -> None:
    asked = await slack.message("answer me")
    [reply] = await slack.wait_for(lambda s: s.workspace.replies(scene.OPS, asked.ts))
    assert reply.text == "here"
    answered = await echo.client.conversations_replies(channel=scene.OPS, ts=asked.ts)
    assert [m["text"] for m in answered["messages"]] == ["answer me", "here"]


async def test_home_shortcut_and_recorded_alert(slack: FakeSlack, echo: Echo) -> None:
    await slack.open_home(scene.MIN)
    await slack.wait_for(lambda s: s.workspace.home(scene.MIN))
    alert = await slack.bot_message(
        {"type": "message", "subtype": "bot_message", "bot_id": "B0AM", "channel": "C0NEW", "ts": "1763890021.114500",
         "attachments": [{"title": "[FIRING:1] KubePodNotReady"}]}
    )  # fmt: skip
    assert alert.ts == "1763890021.114500"
    await slack.edit(alert, attachments=[{"title": "[RESOLVED] KubePodNotReady"}])
    await slack.message_shortcut("explain", alert)
    await slack.wait_for(lambda _: len(echo.seen) == 3)
    new, changed, shortcut = echo.seen
    assert new["attachments"][0]["title"].startswith("[FIRING")
    assert (changed["subtype"], changed["hidden"]) == ("message_changed", True)
    assert changed["previous_message"]["attachments"] == new["attachments"]
    assert changed["message"]["ts"] == shortcut["message"]["ts"] == alert.ts


async def test_the_bot_hears_nothing_from_channels_it_is_not_in(slack: FakeSlack, echo: Echo) -> None:
    await slack.message("answer me", channel=scene.ELSEWHERE)
    assert not slack.deliveries
    with pytest.raises(SlackApiError, match="not_in_channel"):
        await echo.client.chat_postMessage(channel=scene.ELSEWHERE, text="hello")


async def test_an_event_that_is_not_taken_is_sent_again_three_times(slack: FakeSlack) -> None:
    """At once, after a minute, after five, each with its number and reason and the same event_id."""
    taken: list[Json] = []

    async def refuse(request: web.Request) -> web.Response:
        taken.append({"num": request.headers.get("X-Slack-Retry-Num"), **(await request.json())})
        return web.Response(status=500)

    async with serving(refuse) as url:
        slack.post_to(url)
        await slack.message("hello")
        [delivery] = slack.deliveries
        await slack.wait_for(lambda _: len(delivery.attempts) == 2)
        slack.clock.advance(60)
        await slack.wait_for(lambda _: len(delivery.attempts) == 3)
        slack.clock.advance(300)
        await slack.wait_for(lambda _: delivery.settled)
    assert [event["num"] for event in taken] == [None, "1", "2", "3"]
    assert len({event["event_id"] for event in taken}) == 1
    assert [attempt.failure for attempt in delivery.attempts] == ["http_error"] * 4
    assert not delivery.acked
    assert {violation.error for violation in slack.violations} == {"http_500"}
    slack.violations.clear()


async def test_no_retry_when_the_bot_asks_for_none(slack: FakeSlack) -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    async with serving(refuse) as url:
        slack.post_to(url)
        with slack.expecting("http_500"):
            await slack.message("hello")
    assert len(slack.deliveries[0].attempts) == 1


async def test_a_command_not_acknowledged_in_three_seconds_shows_an_error(slack: FakeSlack, echo: Echo) -> None:
    echo.gate.clear()
    typing = asyncio.create_task(slack.slash_command("x"))
    await slack.wait_for(lambda s: s.deliveries)
    await asyncio.sleep(0.05)
    slack.clock.advance(3)
    with slack.expecting("not_acknowledged_in_time"):
        delivery = await typing
    assert delivery.shown_error == "operation_timeout"
    assert len(delivery.attempts) == 1  # a person tries again, Slack does not
    echo.gate.set()


async def test_a_socket_that_is_silent_gets_the_event_again(slack: FakeSlack) -> None:
    async with aiohttp.ClientSession() as session:
        first = await open_socket(session, slack)
        sending = asyncio.create_task(slack.message("hello"))
        envelope = await first.receive_json()
        assert envelope["retry_attempt"] == 0
        slack.clock.advance(3)
        again = await first.receive_json()
        assert (again["retry_attempt"], again["retry_reason"]) == (1, "timeout")
        assert again["payload"]["event_id"] == envelope["payload"]["event_id"]
        await first.send_json({"envelope_id": again["envelope_id"]})
        await sending
        await slack.wait_for(lambda s: s.deliveries[0].settled)
        await first.send_json({"envelope_id": envelope["envelope_id"]})
        await slack.wait_for(lambda s: len(s.sockets.acks) == 2)
    assert [ack.late for ack in slack.sockets.acks] == [False, True]
    assert slack.deliveries[0].acked
    slack.violations.clear()


async def test_a_lost_connection_hands_its_payload_to_the_next(slack: FakeSlack) -> None:
    async with aiohttp.ClientSession() as session:
        first, second = await open_socket(session, slack), await open_socket(session, slack)
        sending = asyncio.create_task(slack.message("hello"))
        await first.receive_json()
        await first.close()
        envelope = await second.receive_json()
        assert envelope["retry_attempt"] == 1
        await second.send_json({"envelope_id": envelope["envelope_id"]})
        await sending
        await slack.wait_for(lambda s: s.deliveries[0].settled)
    assert [attempt.failure for attempt in slack.deliveries[0].attempts] == ["connection_failed", None]


async def test_the_eleventh_connection_is_sent_away(slack: FakeSlack) -> None:
    async with aiohttp.ClientSession() as session:
        kept = [await open_socket(session, slack) for _ in range(10)]
        client = AsyncWebClient(base_url=slack.api_url)
        opened = await client.apps_connections_open(app_token=slack.app.app_token)
        eleventh = await session.ws_connect(opened["url"])
        assert (await eleventh.receive_json())["reason"] == "too_many_websockets"
        assert not any(socket.closed for socket in kept)
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(opened["url"])  # a ticket opens one connection


async def test_bolt_reconnects_when_slack_refreshes_the_connection(slack: FakeSlack) -> None:
    bot = Echo(slack)
    async with over_socket(slack, bot):
        [first] = slack.sockets.connections
        await slack.sockets.disconnect("refresh_requested", close=False)
        await slack.wait_for(lambda s: s.sockets.connections and first not in s.sockets.connections)
        assert (await slack.slash_command("x")).acked


async def test_a_delivery_that_slack_repeats_reaches_the_bot_with_retry_headers(slack: FakeSlack, echo: Echo) -> None:
    await slack.message("hello")
    await slack.deliver_again(slack.deliveries[0])
    await slack.wait_for(lambda _: len(echo.headers) == 2)
    assert echo.headers[0]["event_id"] == echo.headers[1]["event_id"]
    assert echo.headers[1]["x-slack-retry-num"] == ["1"]


async def test_forged_old_and_replayed_requests(slack: FakeSlack) -> None:
    bot = Echo(slack)
    async with over_http(slack, bot):
        hooks = slack.webhooks
        assert hooks
        assert await hooks.verify_url()
        await slack.message("hello")
        delivery = slack.deliveries[0]
        assert await hooks.send_forged(delivery) == 401
        assert await hooks.send_old(delivery) == 401
        assert (await hooks.send(*hooks.sent[0]))[0] == 200  # inside five minutes only the bot itself can tell
        await slack.wait_for(lambda _: len(bot.headers) == 2)


async def test_own_messages_come_back_when_asked_for() -> None:
    async with running_slack(echo=True) as slack:
        bot = Echo(slack)
        async with over_http(slack, bot):
            await bot.client.chat_postMessage(channel=scene.OPS, text="hello")
            await slack.wait_for(lambda s: s.deliveries and s.deliveries[0].acked)
            assert slack.deliveries[0].payload["event"]["bot_id"] == slack.workspace.bot_id
            assert bot.seen == []  # bolt ignores its own


class serving:  # noqa: N801 - reads as a phrase
    """A request URL with one handler."""

    def __init__(self, handler: Callable[[web.Request], Awaitable[web.Response]]) -> None:
        app = web.Application()
        app.router.add_post("/", handler)
        self.runner = web.AppRunner(app)

    async def __aenter__(self) -> str:
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self.runner.addresses[0][1]}/"

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()


async def open_socket(session: aiohttp.ClientSession, slack: FakeSlack) -> aiohttp.ClientWebSocketResponse:
    """A Socket Mode connection without a client library, hello read."""
    client = AsyncWebClient(token=slack.app.app_token, base_url=slack.api_url)
    opened = await client.apps_connections_open(app_token=slack.app.app_token)
    socket = await session.ws_connect(opened["url"])
    assert (await socket.receive_json())["type"] == "hello"
    return socket
