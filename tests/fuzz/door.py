"""The whole serving bot, its two HTTP doors, and real deliveries of every kind to be mutated."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from bot import packaged
from bot.alerting.receiver import PATH
from bot.app import wall_clock
from bot.config import AlertsConfig, ApprovalsConfig, ClusterConfig, Config, SlackConfig, StoreConfig
from bot.model.proposals import ApprovalRule
from bot.playground.clusters import RecordedEc2, alive, recordings, shipped
from bot.playground.slack.signatures import sign
from bot.server import built
from bot.slack.serving import EVENTS_PATH, opened
from tests.alerts import firing, layouts
from tests.fakes.slack import FakeSlack, Message, View, scene
from tests.fakes.writable_kube import WritableKube, writable
from tests.fuzz.mutations import mutated, torn

SEED: Final = "seed-efa-8-on-g6e-8xlarge"
POD: Final = "llama-3-8b-node-0-1-z49j4"
TOKEN: Final = "a-token-of-the-operators"
_FORM: Final = "application/x-www-form-urlencoded"
Template = tuple[str, Any]
"""A delivery's kind and payload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """An open door, and the Slack and the cluster behind it."""

    slack: FakeSlack
    kube: WritableKube
    base: str
    templates: list[Template]

    def request(self, chance: random.Random) -> tuple[str, bytes, dict[str, str]]:
        """A mutated delivery, rightly signed: its URL, body and headers."""
        body, kind = _delivery(chance.choice(self.templates), chance)
        signed = sign(self.slack.app.signing_secret, body, int(time.time()))
        return f"{self.base}{EVENTS_PATH}", body, {**signed, "Content-Type": kind}

    def webhook(self, chance: random.Random) -> tuple[str, bytes, dict[str, str]]:
        """A mutated webhook of Alertmanager's, with the token (mostly)."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        if chance.random() < 0.02:
            headers["Authorization"] = chance.choice(
                ["", "Bearer", "Bearer \u20ac".encode().decode("latin-1"), "Basic x"]
            )
        return f"{self.base}{PATH}", _webhook(chance), headers

    def sweep(self) -> Iterator[str]:
        """What the bot has said to Slack since the last time, as JSON; then Slack and the cluster forget it all."""
        for call in self.slack.calls:
            if call.method.startswith(("chat.", "views.", "response_url", "files.")):
                yield json.dumps(call.arguments, default=str)
        self.slack.calls.clear()
        self.slack.deliveries.clear()
        self.slack.violations.clear()  # the fake's complaints about payloads that no Slack sends are not what is looked for
        self.slack.warnings.clear()
        space = self.slack.workspace
        for kept in (space.messages, space.views, space.files, space._index, space._in_channel, space._in_thread):
            kept.clear()
        self.kube.requests.clear()


@asynccontextmanager
async def whole_bot(folder: Path) -> AsyncIterator[Bot]:
    """Everything as `karpenter-bot serve` has it, over HTTP, before the seed's cluster; approvals and webhooks are on."""
    recording = next(one for one in recordings(shipped()) if one.name == SEED)
    seed = alive(recording, folder / "snapshot", wall_clock())
    async with FakeSlack() as slack, writable(seed.objects, logs=seed.logs) as kube:
        config = Config(
            slack=SlackConfig(
                mode="http",
                bot_token=slack.workspace.bot_token,
                signing_secret=slack.app.signing_secret,
                host="127.0.0.1",
                port=0,
                answer_seconds=60,
                drain_seconds=5,
            ),
            store=StoreConfig(url=f"sqlite:///{folder / 'store.sqlite3'}"),
            alerts=AlertsConfig(token=TOKEN, channel=scene.ALERTS),
            approvals=ApprovalsConfig(rules=(ApprovalRule(users=(scene.ANNA,)),)),
            clusters=(ClusterConfig(name="training-on-eks", kubeconfig=str(kube.kubeconfig(folder))),),
        )
        async with (
            built(config, packaged.load_playbooks(), ec2=RecordedEc2(seed)) as behind,
            opened(config, behind, api_url=slack.api_url) as door,
        ):
            base = f"http://127.0.0.1:{door.port}"
            slack.post_to(f"{base}{EVENTS_PATH}")
            yield Bot(slack=slack, kube=kube, base=base, templates=await _templates(slack))


# -- real deliveries ---------------------------------------------------------------------------------------------------


async def _templates(slack: FakeSlack) -> list[Template]:
    """A day with the bot: every command, mention, click, modal, shortcut, edit and alert there is."""
    await slack.slash_command(f"why default/{POD}")
    answer = await _message(slack, "EFA interface")
    for words in (
        "help",
        "offerings g6e.8xlarge",
        "nodepools gpu",
        "settings",
        "audit",
        "why-gone ip-10-0-0-1",
        "why llama",
    ):
        await slack.slash_command(words, user=scene.MIN)
        await asyncio.sleep(0.3)
    await slack.mention(f"why {POD}")
    await slack.direct_message("help")
    await _clicks(slack, answer, ("show_evidence", "propose", "propose_other"))
    with suppress(TimeoutError, LookupError):
        await slack.submit(await _modal(slack, "proposal"))
        posted = await _message(slack, "", action="approve")
        await _clicks(slack, posted, ("reject",))
        await slack.submit(await _modal(slack, "rejection"), {"reason": "no"})
        await _clicks(slack, posted, ("approve", "undo"))
    for picking in [m for m in slack.workspace.messages if '"why"' in json.dumps(m.blocks)][:1]:
        await _clicks(slack, picking, ("why",))
    await slack.open_home()
    await asyncio.sleep(2)
    home = slack.workspace.home(scene.ANNA)
    if home is not None:
        await _clicks(slack, home, ("home_refresh", "home_ask", "home_language"), choice="ko")
    alert = await slack.bot_message({k: v for k, v in layouts.default_template([firing.POD]).items() if k != "ts"})
    await slack.message_shortcut("explain_this", alert)
    await slack.edit(alert, text="changed")
    await asyncio.sleep(1)
    return [(delivery.kind, delivery.payload) for delivery in slack.deliveries]


async def _message(slack: FakeSlack, words: str, action: str = "") -> Message:
    def found(seen: FakeSlack) -> list[Message]:
        said = seen.workspace.by_bot(scene.OPS)
        return [m for m in said if words in m.text and (not action or f'"{action}"' in json.dumps(m.blocks))]

    return (await slack.wait_for(found, timeout=60))[-1]


async def _modal(slack: FakeSlack, callback: str) -> View:
    def found(seen: FakeSlack) -> list[View]:
        return [m for m in seen.workspace.modals() if callback in str(m.content.get("callback_id"))]

    return (await slack.wait_for(found, timeout=20))[-1]


async def _clicks(slack: FakeSlack, on: Message | View, actions: tuple[str, ...], choice: str | None = None) -> None:
    for action in actions:
        with suppress(LookupError, StopIteration, KeyError, TypeError):
            await slack.click(action, on, choice=choice)
            await asyncio.sleep(0.5)


# -- mutated -----------------------------------------------------------------------------------------------------------


def _delivery(template: Template, chance: random.Random) -> tuple[bytes, str]:
    kind, payload = template
    if chance.random() < 0.03:
        return chance.randbytes(chance.randint(0, 500)), chance.choice(["application/json", _FORM])
    changed = mutated(_anew(payload, chance), chance)
    match kind:
        case "events_api":
            return json.dumps(changed).encode(), "application/json"
        case "interactive":
            return urlencode({"payload": json.dumps(changed)}).encode(), _FORM
        case _:
            form = changed if isinstance(changed, dict) else {"text": str(changed)[:100]}
            return urlencode({k: _plain(v) for k, v in form.items()}).encode(), _FORM


def _anew(payload: Any, chance: random.Random) -> Any:  # noqa: ANN401
    """The delivery as it would come for the first time: what was seen before is passed over before anything reads it."""
    fresh, now = copy.deepcopy(payload), f"{time.time():.0f}.{chance.randrange(10**6):06d}"
    fresh |= {name: f"{chance.getrandbits(64):x}" for name in ("trigger_id", "event_id") if name in fresh}
    for holder in (fresh.get("event"), *(fresh.get("actions") or ())):
        if isinstance(holder, dict):
            holder |= {name: now for name in ("ts", "event_ts", "action_ts") if name in holder}
    person = {"id": f"U{chance.randrange(2_000):04d}"} if chance.random() < 0.5 else {}
    if person and isinstance(fresh.get("user"), dict):  # not always the same: one person is soon told to wait
        fresh["user"] |= person
    elif person and "user_id" in fresh:
        fresh["user_id"] = person["id"]
    return fresh


def _webhook(chance: random.Random) -> bytes:
    labels = chance.choice([firing.POD, {"alertname": "KubeNodeNotReady", "node": "ip-10-0-0-1"}, {}])
    started = f"2026-01-01T00:00:{chance.randrange(60):02d}Z"
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "x"}, "startsAt": started}
    whole = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "bot", "alerts": [alert] * 2}
    changed = mutated(whole, chance)
    body = json.dumps(changed).encode()
    return torn(body, chance) if chance.random() < 0.2 else body


def _plain(value: Any) -> str:  # noqa: ANN401
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace").decode()


async def post(session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Status and text."""
    async with session.post(url, data=body, headers=headers) as response:
        return response.status, await response.text()
