"""Alertmanager's webhook: who may send it, what of it is taken, and what is said in the channel."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.alerting.receiver import LARGEST, PATH
from tests.alerting.scene import TOKEN, Clusters, attended, quiet, replied, replies
from tests.alerts import firing
from tests.fakes.slack import FakeSlack

RIGHT = {"Authorization": f"Bearer {TOKEN}"}


def webhook(*alerts: dict[str, str], status: str = "firing", **more: Any) -> dict[str, Any]:  # noqa: ANN401
    listed = [
        {"status": status, "labels": labels, "annotations": {}, "startsAt": "2025-12-28T06:03:00Z"} for labels in alerts
    ]
    return {"version": "4", "groupKey": "{}", "status": status, "receiver": "bot", "alerts": listed} | more


async def post(port: int, body: object, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    data = io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{port}{PATH}", data=data, headers=RIGHT if headers is None else headers
        ) as answer,
    ):
        return answer.status, await answer.json(content_type=None)


async def test_alert_and_answer_are_posted_once_however_often_it_is_sent(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()) as door:
        for expected in (1, 0, 0):
            assert await post(door.port, webhook(firing.POD)) == (200, {"alerts": 1, "new": expected})
        [message] = await replied(slack, "KubePodNotReady")
        assert message.thread_ts is None
        assert "EFA" in message.text
        assert await post(door.port, webhook(firing.POD, status="resolved")) == (200, {"alerts": 1, "new": 1})
        await replied(slack, "Over after")
        assert len(replies(slack)) == 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
async def test_without_the_token_nothing_is_taken(slack: FakeSlack, tmp_path: Path, headers: dict[str, str]) -> None:
    async with attended(slack, tmp_path, Clusters()) as door:
        status, _ = await post(door.port, webhook(firing.POD), headers)
        assert status == 401
        await quiet()
        assert not replies(slack)


async def test_what_is_too_large_or_no_webhook_is_refused_in_one_line(slack: FakeSlack, tmp_path: Path) -> None:
    async with attended(slack, tmp_path, Clusters()) as door:
        assert (await post(door.port, b" " * (5 << 20)))[0] == 413
        for body in (b"{", b"[]", b'{"alerts": 3}', b'{"alerts": [3]}'):
            status, answer = await post(door.port, body)
            assert (status, "\n" in answer["error"]) == (400, False)
    assert LARGEST < 5 << 20


async def test_a_thousand_alerts_in_one_webhook_are_one_message(slack: FakeSlack, tmp_path: Path) -> None:
    ends = [f"{a}{b}{c}2x" for a in "bcdfghjklm" for b in "bcdfghjklm" for c in "bcdfghjklm"]
    alerts = [{**firing.POD, "pod": f"cart-7c9f6b5d48-{end}"} for end in ends]
    clusters = Clusters()
    async with attended(slack, tmp_path, clusters) as door:
        assert await post(door.port, webhook(*alerts, version="99")) == (200, {"alerts": 1000, "new": 1000})
        await slack.wait_for(
            lambda s: [m for m in replies(s) if "1,000 pods" in m.text or "1000 pods" in m.text], timeout=30
        )
        assert len(replies(slack)) == 1
        assert len(clusters.asked) <= 3


async def test_alerts_that_have_nothing_to_do_with_scheduling_are_taken_and_left(
    slack: FakeSlack, tmp_path: Path
) -> None:
    async with attended(slack, tmp_path, Clusters()) as door:
        assert await post(door.port, webhook({"alertname": "Watchdog"}, {"alertname": "CPUThrottlingHigh"})) == (
            200,
            {"alerts": 0, "new": 0},
        )
