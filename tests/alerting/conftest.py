"""The fake Slack of every story of alert threads, with the scopes that the manifest asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack
from tests.slack.test_manifest import manifest


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with running_slack(echo=True) as running:
        running.workspace.scopes = frozenset(manifest()["oauth_config"]["scopes"]["bot"])
        yield running
        assert not running.workspace.pings()
