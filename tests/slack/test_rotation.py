"""Tokens change on disk while the bot serves: taken up without a restart, never before Slack takes them, never in the log."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.config import load_config
from bot.slack import rotation
from bot.slack.serving import EVENTS_PATH, Behind, Door, Watch, opened
from bot.telemetry.logs import TEXT, Redacting
from tests.fakes.slack import FakeSlack, scene
from tests.slack.door import Scripted, idle

SECRETS = ("xoxb-tern", "xoxb-second", "xoxb-typo", "xapp-tern", "xapp-second", "s3cret", "second-secret")
FILES = {
    "SLACK_BOT_TOKEN_FILE": "bot-token",
    "SLACK_APP_TOKEN_FILE": "app-token",
    "SLACK_SIGNING_SECRET_FILE": "signing-secret",
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that any library logs, as the serving bot would write it at its most talkative."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(TEXT))
    handler.addFilter(Redacting())
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)
    assert stream.getvalue(), "something was logged, or this proves nothing"
    assert not [secret for secret in SECRETS if secret in stream.getvalue()]


@asynccontextmanager
async def serving(slack: FakeSlack, environment: Mapping[str, str]) -> AsyncIterator[Door]:
    """The door with its secrets in files."""
    config = load_config(environment, serving=True)
    watch = Watch(tokens=lambda: load_config(environment, serving=True).slack)
    async with opened(config, Behind(services=Scripted(), watch=watch), api_url=slack.api_url) as door:
        yield door


def files_in(folder: Path, slack: FakeSlack, mode: str) -> dict[str, str]:
    """The environment of a pod with a mounted Secret."""
    secrets = (slack.workspace.bot_token, slack.app.app_token, slack.app.signing_secret)
    for name, secret in zip(FILES.values(), secrets, strict=True):
        (folder / name).write_text(secret + "\n", "utf-8")
    given = {variable: str(folder / name) for variable, name in FILES.items()}
    return {**given, "KARPENTER_BOT_SLACK_MODE": mode, "KARPENTER_BOT_SLACK_LISTEN": "127.0.0.1:0"}


async def said(log: io.StringIO, words: str, times: int = 1) -> None:
    async with asyncio.timeout(10):
        while log.getvalue().count(words) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def asks(slack: FakeSlack, door: Door) -> int:
    """A question more; how many have been answered."""
    assert (await slack.slash_command("why train-0")).acked
    await idle(slack, door)
    return len([m for m in slack.workspace.by_bot(scene.OPS) if "EFA" in m.text])


async def test_new_tokens_are_taken_up_and_bad_ones_left(
    slack: FakeSlack, tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "EVERY", 0.05)
    environment = files_in(tmp_path, slack, "socket")
    async with serving(slack, environment) as door:
        await slack.wait_for(lambda s: s.sockets.connections)
        assert await asks(slack, door) == 1

        (tmp_path / "bot-token").write_text("xoxb-typo", "utf-8")
        await said(log, "Slack does not take the new SLACK_BOT_TOKEN, the old one stays: invalid_auth")
        (tmp_path / "bot-token").unlink()
        await said(log, "Slack's tokens cannot be read again, the old ones stay")
        assert await asks(slack, door) == 2

        # Slack has new ones, and the old ones end
        slack.workspace.bot_token, slack.app = "xoxb-second", replace(slack.app, app_token="xapp-second")
        (tmp_path / "bot-token").write_text("xoxb-second", "utf-8")
        (tmp_path / "app-token").write_text("xapp-second", "utf-8")
        await said(log, "took up new Slack tokens")
        assert await asks(slack, door) == 3
        [old] = slack.sockets.connections
        await slack.sockets.disconnect("refresh_requested", close=False)
        await slack.wait_for(lambda s: s.sockets.connections and old not in s.sockets.connections, timeout=20)
        assert await asks(slack, door) == 4


async def test_a_new_signing_secret_ends_the_old_one(
    slack: FakeSlack, tmp_path: Path, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "EVERY", 0.05)
    environment = files_in(tmp_path, slack, "http")
    async with serving(slack, environment) as door:
        url = f"http://127.0.0.1:{door.port}{EVENTS_PATH}"
        before = slack.post_to(url)
        assert await asks(slack, door) == 1
        [first] = slack.deliveries
        slack.app = replace(slack.app, signing_secret="second-secret")
        (tmp_path / "signing-secret").write_text("second-secret", "utf-8")
        await said(log, "took up new Slack tokens")
        body, headers = before.sent[0]
        assert (await before.send(body, headers))[0] == 401
        slack.post_to(url)
        assert await asks(slack, door) == 2
        assert first.acked
