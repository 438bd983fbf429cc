"""The fake Slack's Web API: what it refuses, what goes wrong on request, what it remembers of messages and views."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tests.fakes.fixtures import assert_no_violations, running_slack
from tests.fakes.slack import FakeSlack, Fault, Rate, scene

Json = dict[str, Any]
HELLO: list[Json] = [{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with running_slack() as running:
        yield running


@pytest.fixture
def client(slack: FakeSlack) -> AsyncWebClient:
    return AsyncWebClient(token=slack.workspace.bot_token, base_url=slack.api_url, retry_handlers=[])


def error(refused: pytest.ExceptionInfo[SlackApiError]) -> Json:
    """The body of a refusal."""
    body: Json = refused.value.response.data
    return body


def modal(title: str, **more: object) -> Json:
    """A modal without inputs."""
    return {"type": "modal", "title": {"type": "plain_text", "text": title}, "blocks": HELLO, **more}


# -- who may call --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("token", "method", "answer"),
    [
        ("xoxb-stolen", "auth.test", "invalid_auth"),
        ("", "auth.test", "not_authed"),
        ("xapp-tern", "auth.test", "not_allowed_token_type"),
        ("xoxb-tern", "apps.connections.open", "not_allowed_token_type"),
        ("xoxb-stolen", "apps.connections.open", "invalid_auth"),
    ],
)
async def test_tokens(slack: FakeSlack, token: str, method: str, answer: str) -> None:
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session,
        session.post(slack.api_url + method) as response,
    ):
        assert (await response.json())["error"] == answer


async def test_a_scope_that_was_not_granted(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.workspace.scopes -= {"users:read"}
    with pytest.raises(SlackApiError) as refused:
        await client.users_info(user=scene.ANNA)
    assert error(refused)["error"] == "missing_scope"
    assert error(refused)["needed"] == "users:read"
    assert "chat:write" in error(refused)["provided"]


async def test_an_unknown_method_is_a_violation(slack: FakeSlack, client: AsyncWebClient) -> None:
    with slack.expecting("unknown_method"), pytest.raises(SlackApiError, match="unknown_method"):
        await client.api_call("chat.shout")


async def test_a_test_fails_for_what_it_did_not_expect(client: AsyncWebClient, slack: FakeSlack) -> None:
    with pytest.raises(SlackApiError):
        await client.api_call("chat.postMessage", json={"channel": scene.OPS, "text": ""})
    with pytest.raises(AssertionError, match=r"chat.postMessage no_text"):
        assert_no_violations(slack)
    slack.violations.clear()
    with pytest.raises(AssertionError, match="expected Slack to refuse with no_text"), slack.expecting("no_text"):
        pass


# -- messages ------------------------------------------------------------------------------------------------
async def test_a_refused_block_is_pointed_at(slack: FakeSlack, client: AsyncWebClient) -> None:
    blocks = [*HELLO, {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    with slack.expecting("invalid_blocks"), pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=scene.OPS, text="x", blocks=blocks)
    line = "must be less than 3001 characters [json-pointer:/blocks/1/text/text]"
    assert error(refused)["response_metadata"]["messages"] == [f"[ERROR] {line}"]
    assert slack.workspace.by_bot() == []


async def test_arguments_come_as_form_too(slack: FakeSlack) -> None:
    form = {"channel": scene.OPS, "text": "x", "blocks": json.dumps(HELLO), "token": slack.workspace.bot_token}
    async with aiohttp.ClientSession() as session:
        async with session.post(slack.api_url + "chat.postMessage", data=form) as response:
            assert (await response.json())["ok"]
        with slack.expecting("invalid_blocks_format"):
            await session.post(slack.api_url + "chat.postMessage", data={**form, "blocks": "[{"})
    assert slack.workspace.by_bot()[0].blocks[0]["text"]["text"] == "hello"


async def test_what_can_be_clicked_and_chosen(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Elements in containers and menus' options are found; what is not there cannot be chosen."""
    options = [{"text": {"type": "plain_text", "text": n}, "value": n} for n in ("keep", "apply")]
    menu = {"type": "overflow", "action_id": "more", "options": options}
    inner = {"type": "actions", "elements": [menu]}
    await client.chat_postMessage(
        channel=scene.OPS,
        text="x",
        blocks=[
            {"type": "container", "title": {"type": "plain_text", "text": "t"}, "child_blocks": [inner]},
        ],
    )
    slack.post_to("http://127.0.0.1:9/")  # nobody there: only the payload matters
    message = slack.workspace.last(scene.OPS)
    delivery = await slack.click("more", message, user=scene.GUEST, choice="apply")
    [chosen] = delivery.payload["actions"]
    assert chosen["selected_option"] == options[1]
    assert chosen["block_id"] == message.blocks[0]["child_blocks"][0]["block_id"]
    assert delivery.payload["user"]["team_id"] != slack.workspace.id
    assert delivery.shown_error == "dispatch_failed"
    with pytest.raises(LookupError, match="no option 'delete'"):
        await slack.click("more", message, choice="delete")


async def test_update_is_for_own_visible_messages_of_at_most_4000(slack: FakeSlack, client: AsyncWebClient) -> None:
    own = await client.chat_postMessage(channel=scene.OPS, text="x", blocks=HELLO)
    other = await slack.message("by a person")
    hidden = await client.chat_postEphemeral(channel=scene.OPS, user=scene.ANNA, text="psst")
    for ts, text, refusal in [
        (other.ts, "x", "cant_update_message"),
        (hidden["message_ts"], "x", "message_not_found"),
        (own["ts"], "x" * 4001, "msg_too_long"),
    ]:
        with slack.expecting(refusal), pytest.raises(SlackApiError, match=refusal):
            await client.chat_update(channel=scene.OPS, ts=ts, text=text)
    await client.chat_update(channel=scene.OPS, ts=own["ts"], text="x" * 4000)
    message = slack.workspace.message(scene.OPS, own["ts"])
    assert message
    assert message.blocks == []


async def test_a_thread_hangs_on_its_parent(slack: FakeSlack, client: AsyncWebClient) -> None:
    parent = await slack.message("why")
    reply = await client.chat_postMessage(channel=scene.OPS, text="because", thread_ts=parent.ts)
    assert [m.text for m in slack.workspace.replies(scene.OPS, parent.ts)] == ["because"]
    for wrong in (reply["ts"], "1.000001"):
        with slack.expecting("cannot_reply_to_message"), pytest.raises(SlackApiError):
            await client.chat_postMessage(channel=scene.OPS, text="x", thread_ts=wrong)


async def test_pings_and_links_are_seen_wherever_they_hide(slack: FakeSlack, client: AsyncWebClient) -> None:
    await client.chat_postMessage(
        channel=scene.OPS,
        text="&lt;!channel&gt; is only text, <!here> is not",
        blocks=[
            {"type": "section", "fields": [{"type": "mrkdwn", "text": "<https://evil.example|https://karpenter.sh>"}]},
            {"type": "context", "elements": [{"type": "plain_text", "text": "<!everyone>"}]},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "http://b.example", "verbatim": True}]},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": "see http://c.example"}]},
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
                {"type": "usergroup", "usergroup_id": "S1"}, {"type": "link", "url": "https://a.example"}]}]},
        ],
    )  # fmt: skip
    assert [(ping.kind, ping.target) for ping in slack.workspace.pings()] == [("here", ""), ("usergroup", "S1")]
    links = slack.workspace.links()
    assert [(link.url, link.forged, link.bare) for link in links] == [
        ("https://evil.example", True, False),
        ("http://c.example", False, True),
        ("https://a.example", False, False),
    ]
    posted = slack.workspace.by_bot()[0]
    await client.chat_update(channel=scene.OPS, ts=posted.ts, text="@here", parse="none")
    assert slack.workspace.pings() == []
    await client.chat_update(channel=scene.OPS, ts=posted.ts, text="@here")
    assert [ping.kind for ping in slack.workspace.pings()] == ["here"]  # chat.update parses names by default


async def test_timestamps_never_repeat(slack: FakeSlack, client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel=scene.OPS, text="x"))["ts"] for _ in range(20)]
    assert stamps == sorted(set(stamps), key=float)


async def test_a_workspace_without_the_newest_blocks(slack: FakeSlack, client: AsyncWebClient) -> None:
    """Not the bot's fault: it must fall back, so nothing is recorded against it."""
    slack.workspace.lacking_blocks = frozenset({"card"})
    card = {"type": "card", "title": {"type": "plain_text", "text": "x"}}
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=scene.OPS, text="x", blocks=[card])
    assert error(refused)["errors"] == ["unsupported type: card [json-pointer:/blocks/0/type]"]
    assert slack.violations == []


# -- limits on calls, and trouble ----------------------------------------------------------------------------
async def test_rate_limits_per_channel_and_per_workspace(slack: FakeSlack, client: AsyncWebClient) -> None:
    slack.rate_limits.enforced = True
    slack.rate_limits.rates["users.info"] = Rate(2)
    await client.chat_postMessage(channel=scene.OPS, text="one")
    await client.chat_postMessage(channel=scene.ALERTS, text="another channel")
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(channel=scene.OPS, text="two")
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "1"
    slack.clock.advance(1)
    await client.chat_postMessage(channel=scene.OPS, text="two")
    for _ in range(2):
        await client.users_info(user=scene.ANNA)
    for _ in range(2):
        with pytest.raises(SlackApiError) as refused:
            await client.users_info(user=scene.ANNA)
    assert refused.value.response.headers["Retry-After"] == "30"
    assert (slack.rate_limits.refused, slack.rate_limits.impatient) == (3, 1)


async def test_the_client_waits_as_long_as_it_is_told(slack: FakeSlack) -> None:
    patient = AsyncWebClient(
        token=slack.workspace.bot_token,
        base_url=slack.api_url,
        retry_handlers=[AsyncRateLimitErrorRetryHandler(max_retry_count=1)],
    )
    slack.faults.add(Fault(method="chat.postMessage", retry_after=1))
    await patient.chat_postMessage(channel=scene.OPS, text="x")
    assert [call.status for call in slack.calls_of("chat.postMessage")] == [429, 200]
    first, second = slack.calls_of("chat.postMessage")
    assert second.at - first.at >= 1


async def test_scripted_trouble(slack: FakeSlack, client: AsyncWebClient) -> None:
    for fault in (
        Fault(method="chat.postMessage", error="edit_window_closed"),
        Fault(method="chat.postMessage", status=500),
        Fault(method="chat.postMessage", reset=True),
        Fault(method="chat.postMessage", lost=True),
        Fault(method="chat.postMessage", error="channel_not_found", when=lambda a: a["channel"] == scene.ALERTS),
    ):
        slack.faults.add(fault)
    with pytest.raises(SlackApiError, match="edit_window_closed"):
        await client.chat_postMessage(channel=scene.OPS, text="1")
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=scene.OPS, text="2")
    for text in ("3", "4"):
        with pytest.raises(aiohttp.ClientConnectionError):
            await client.chat_postMessage(channel=scene.OPS, text=text)
    await client.chat_postMessage(channel=scene.OPS, text="5")
    assert [m.text for m in slack.workspace.by_bot()] == ["4", "5"]  # the fourth was done, its answer was lost
    assert [call.status for call in slack.calls_of("chat.postMessage")] == [200, 500, 0, 200, 0, 200]
    with pytest.raises(SlackApiError, match="channel_not_found"):
        await client.chat_postMessage(channel=scene.ALERTS, text="6")


# -- response urls, triggers, views --------------------------------------------------------------------------
async def test_a_response_url_is_good_for_five_answers(slack: FakeSlack) -> None:
    url = slack.issue_response_url(slack.workspace, channel=scene.ELSEWHERE, user=scene.ANNA)
    hook = AsyncWebhookClient(url)
    assert (await hook.send(text="only you")).status_code == 200
    await hook.send(text="everyone", response_type="in_channel")
    for _ in range(3):
        await hook.send(text="more")
    assert [m.text for m in slack.workspace.in_channel(scene.ELSEWHERE)] == ["everyone"]
    assert len(slack.workspace.ephemerals(scene.ANNA)) == 4
    with slack.expecting("used_url"):
        assert (await hook.send(text="sixth")).status_code == 404


async def test_a_response_url_lives_for_thirty_minutes(slack: FakeSlack) -> None:
    hook = AsyncWebhookClient(slack.issue_response_url(slack.workspace, channel=scene.OPS, user=scene.ANNA))
    slack.clock.advance(1799)
    assert (await hook.send(text="in time")).status_code == 200
    slack.clock.advance(2)
    with slack.expecting("expired_url"):
        assert (await hook.send(text="too late")).status_code == 404


async def test_a_response_url_changes_or_removes_its_message(slack: FakeSlack, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel=scene.OPS, user=scene.ANNA, text="sure?")
    [asked] = slack.workspace.ephemerals()
    hook = AsyncWebhookClient(
        slack.issue_response_url(slack.workspace, channel=scene.OPS, user=scene.ANNA, message_ts=asked.ts)
    )
    await hook.send(text="yes", replace_original=True)
    assert asked.text == "yes"
    await hook.send(delete_original=True)
    assert slack.workspace.ephemerals() == []


async def test_a_trigger_opens_one_view_within_three_seconds(slack: FakeSlack, client: AsyncWebClient) -> None:
    trigger = slack.issue_trigger(scene.ANNA)
    opened = await client.views_open(trigger_id=trigger, view=modal("One"))
    with slack.expecting("exchanged_trigger_id"), pytest.raises(SlackApiError):
        await client.views_open(trigger_id=trigger, view=modal("Two"))
    late = slack.issue_trigger(scene.ANNA)
    slack.clock.advance(3.1)
    with slack.expecting("expired_trigger_id"), pytest.raises(SlackApiError):
        await client.views_open(trigger_id=late, view=modal("Late"))
    assert [view.id for view in slack.workspace.modals(scene.ANNA)] == [opened["view"]["id"]]


async def test_views_stack_three_high_and_know_their_hash(slack: FakeSlack, client: AsyncWebClient) -> None:
    first = await client.views_open(trigger_id=slack.issue_trigger(scene.ANNA), view=modal("1", external_id="e"))
    top = first["view"]["id"]
    for title in ("2", "3"):
        pushed = await client.views_push(trigger_id=slack.issue_trigger(scene.ANNA, top), view=modal(title))
        top = pushed["view"]["id"]
    with slack.expecting("push_limit_reached"), pytest.raises(SlackApiError):
        await client.views_push(trigger_id=slack.issue_trigger(scene.ANNA, top), view=modal("4"))
    await client.views_update(external_id="e", view=modal("1b", external_id="e"), hash=first["view"]["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(external_id="e", view=modal("1c"), hash=first["view"]["hash"])
    assert [view.content["title"]["text"] for view in slack.workspace.modals()] == ["1b", "2", "3"]


# -- people, groups, files -----------------------------------------------------------------------------------
async def test_people_groups_and_pages(slack: FakeSlack, client: AsyncWebClient) -> None:
    assert "locale" not in (await client.users_info(user=scene.MIN))["user"]
    assert (await client.users_info(user=scene.MIN, include_locale=True))["user"]["locale"] == "ko-KR"
    assert (await client.usergroups_users_list(usergroup=scene.ON_CALL))["users"] == [scene.ANNA]
    with pytest.raises(SlackApiError, match="no_such_subteam"):
        await client.usergroups_users_list(usergroup="S0NOBODY")
    slack.workspace.plan = "free"
    with pytest.raises(SlackApiError, match="plan_upgrade_required"):
        await client.usergroups_users_list(usergroup=scene.ON_CALL)
    names = [c["name"] async for page in await client.conversations_list(limit=2) for c in page["channels"]]
    assert names == ["ops", "alerts", "elsewhere"]
    await client.conversations_join(channel=scene.ELSEWHERE)
    members = (await client.conversations_members(channel=scene.ELSEWHERE))["members"]
    assert slack.workspace.bot_user in members


async def test_reactions_and_history(slack: FakeSlack, client: AsyncWebClient) -> None:
    asked = await slack.message("why")
    await client.reactions_add(channel=scene.OPS, timestamp=asked.ts, name="eyes")
    with pytest.raises(SlackApiError, match="already_reacted"):
        await client.reactions_add(channel=scene.OPS, timestamp=asked.ts, name="eyes")
    [shown] = (await client.conversations_history(channel=scene.OPS))["messages"]
    assert shown["reactions"][0]["name"] == "eyes"
    await client.reactions_remove(channel=scene.OPS, timestamp=asked.ts, name="eyes")
    assert asked.reactions == {}
    link = await client.chat_getPermalink(channel=scene.OPS, message_ts=asked.ts)
    assert link["permalink"].endswith(f"/{scene.OPS}/p{asked.ts.replace('.', '')}")


async def test_metadata_stays_until_it_is_taken_away(slack: FakeSlack, client: AsyncWebClient) -> None:
    mark = {"event_type": "answer", "event_payload": {"fingerprint": "f"}}
    posted = await client.chat_postMessage(channel=scene.OPS, text="x", metadata=mark)
    await client.chat_update(channel=scene.OPS, ts=posted["ts"], text="y")
    history = await client.conversations_history(channel=scene.OPS, include_all_metadata=True)
    assert history["messages"][0]["metadata"] == mark
    await client.chat_update(channel=scene.OPS, ts=posted["ts"], text="y", metadata={})
    assert slack.workspace.last(scene.OPS).metadata is None


async def test_a_file_is_uploaded_and_shared_in_the_thread(slack: FakeSlack, client: AsyncWebClient) -> None:
    asked = await slack.message("why")
    await client.files_upload_v2(
        channel=scene.OPS, thread_ts=asked.ts, filename="evidence.txt", content="all of it", title="Evidence"
    )
    [file] = slack.workspace.files.values()
    assert (file.title, file.content, file.shared) == ("Evidence", b"all of it", True)
    assert slack.workspace.replies(scene.OPS, asked.ts)[0].files == (file.id,)
