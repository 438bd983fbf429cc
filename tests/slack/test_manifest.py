"""The app manifest asks Slack for what the code uses, in Slack's limits (docs.slack.dev, reference/app-manifest)."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bot.slack.listeners import COMMAND, EVENTS, SCOPES
from tests.fakes.slack import App

FILE = Path(__file__).parents[2] / "deploy" / "slack" / "manifest.yaml"
# reference/events: the scope that an event needs
SCOPE_OF = {
    "app_home_opened": None,
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
}


@cache
def manifest() -> dict[str, Any]:
    """The shipped manifest."""
    read: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return read


def test_it_asks_for_what_the_code_uses() -> None:
    scopes = manifest()["oauth_config"]["scopes"]["bot"]
    events = manifest()["settings"]["event_subscriptions"]["bot_events"]
    assert set(scopes) >= SCOPES
    assert set(events) >= EVENTS
    assert {SCOPE_OF[event] for event in events} - {None} <= set(scopes)
    assert [command["command"] for command in manifest()["features"]["slash_commands"]] == [COMMAND]
    assert manifest()["settings"]["interactivity"]["is_enabled"]
    assert manifest()["settings"]["socket_mode_enabled"]


def test_the_stories_are_played_in_the_app_that_is_shipped() -> None:
    """The fake's app has the manifest's command and events."""
    assert App().command == COMMAND
    shortcuts = {one["callback_id"]: one["name"] for one in manifest()["features"]["shortcuts"]}
    assert App().shortcuts == shortcuts
    assert App().events == set(manifest()["settings"]["event_subscriptions"]["bot_events"])


def test_it_is_within_slacks_limits() -> None:
    shown, features = manifest()["display_information"], manifest()["features"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 174 <= len(shown["long_description"]) <= 4_000
    assert 0 < len(features["bot_user"]["display_name"]) <= 80
    for command in features["slash_commands"]:
        assert len(command["command"]) <= 32
        assert len(command["description"]) <= 2_000
        assert len(command["usage_hint"]) <= 1_000
    for shortcut in features["shortcuts"]:
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    scopes = manifest()["oauth_config"]["scopes"]["bot"]
    assert scopes == sorted(set(scopes))
