"""What a channel sets: words in, settings out; quiet hours; and what the bot does about them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.alerting.settings import ChannelSettings, SettingRefusedError, changed
from tests.alerting.scene import Clusters, attended, pod_alert, posted, quiet, replied, replies
from tests.fakes.slack import FakeSlack, scene


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["off"], "on", False),
        (["끄기"], "on", False),
        (["clusters", "a,b"], "clusters", ("a", "b")),
        (["클러스터", "a", "b"], "clusters", ("a", "b")),
        (["namespaces", "team-a"], "namespaces", ("team-a",)),
        (["namespaces", "all"], "namespaces", ()),
        (["language", "ko"], "language", "ko"),
        (["quiet", "22:00-07:00", "Asia/Seoul"], "quiet", "22:00-07:00"),
        (["quiet", "none"], "quiet", ""),
    ],
)
def test_words_change_one_setting(words: list[str], field: str, value: object) -> None:
    assert getattr(changed(ChannelSettings(), words), field) == value


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["language", "fr"],
        ["quiet", "25:00-07:00"],
        ["quiet", "22:00-07:00", "Mars/Olympus"],
        ["clusters"],
    ],
)
def test_what_is_no_setting_is_refused(words: list[str]) -> None:
    with pytest.raises(SettingRefusedError):
        changed(ChannelSettings(), words)


def test_stored_settings_come_back_and_unknown_ones_are_dropped() -> None:
    settings = ChannelSettings(clusters=("a",), language="ko")
    assert ChannelSettings.read(settings.as_json() | {"later": 1}) == settings
    assert ChannelSettings.read({}) == ChannelSettings()


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("22:00-07:00", "2026-01-05T13:30:00", "2026-01-05T22:00:00"),  # 22:30 in Seoul until 07:00
        ("22:00-07:00", "2026-01-05T21:30:00", "2026-01-05T22:00:00"),  # 06:30 in Seoul
        ("22:00-07:00", "2026-01-05T03:00:00", None),
        ("09:00-18:00", "2026-01-05T03:00:00", "2026-01-05T09:00:00"),
        ("", "2026-01-05T03:00:00", None),
    ],
)
def test_quiet_hours_end_when_they_end_in_their_zone(hours: str, now: str, until: str | None) -> None:
    settings = ChannelSettings(quiet=hours, zone="Asia/Seoul")
    found = settings.quiet_until(datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert found == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)


async def test_settings_are_set_in_slack_and_kept(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()):
        await slack.slash_command("settings namespaces payments", user=scene.ANNA, channel=scene.ALERTS)
        await slack.wait_for(lambda s: [m for m in s.workspace.ephemerals() if "`payments`" in m.text])
        await slack.slash_command("설정 언어 ko", user=scene.MIN, channel=scene.ALERTS)
        await slack.wait_for(lambda s: [m for m in s.workspace.ephemerals() if "언어: ko" in m.text])
    async with attended(slack, tmp_path, Clusters()):
        await posted(slack, pod_alert("xk2lp"))
        await quiet()
        assert not [m for m in replies(slack) if m.ephemeral_to is None]
        await posted(slack, pod_alert("9zr7d", namespace="payments"))
        [reply] = await replied(slack, "EFA 인터페이스")
        assert reply.thread_ts


async def test_a_channel_that_is_off_is_left_alone(slack: FakeSlack, tmp_path: Path) -> None:
    clusters = Clusters()
    async with attended(slack, tmp_path, clusters):
        await slack.slash_command("settings off", user=scene.ANNA, channel=scene.ALERTS)
        await slack.wait_for(lambda s: [m for m in s.workspace.ephemerals() if "not answered" in m.text])
        await posted(slack, pod_alert("xk2lp"))
        await quiet()
        assert not clusters.asked
