"""The scene of every story: a Slack that grants what the manifest asks for, and the bot in it."""

from collections.abc import AsyncIterator

import pytest

from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack
from tests.slack.door import Scene, Scripted, door
from tests.slack.test_manifest import manifest


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with running_slack() as running:
        running.workspace.scopes = frozenset(manifest()["oauth_config"]["scopes"]["bot"])
        yield running
        assert not running.warnings
        assert not running.workspace.pings()
        for call in running.calls:
            if call.method in ("chat.postMessage", "chat.postEphemeral", "chat.update", "response_url"):
                assert (call.arguments["parse"], call.arguments["unfurl_links"]) == ("none", False)


@pytest.fixture(params=["socket", "http"])
async def at(request: pytest.FixtureRequest, slack: FakeSlack) -> AsyncIterator[Scene]:
    services = Scripted()
    async with door(slack, services, mode=request.param) as bot:
        yield Scene(slack=slack, services=services, bot=bot)


@pytest.fixture
async def socket(slack: FakeSlack) -> AsyncIterator[Scene]:
    """For stories in which the way does not matter."""
    services = Scripted()
    async with door(slack, services) as bot:
        yield Scene(slack=slack, services=services, bot=bot)
