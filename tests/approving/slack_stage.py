"""The approval part in the fake Slack: a recorded cluster's diagnosis, its objects on an API that takes writes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from bot import app, packaged
from bot.approving.hands import Hands
from bot.approving.proposing import Terms
from bot.approving.service import Service, WordedClusters
from bot.model.diagnosis import Diagnosis
from bot.model.proposals import ApprovalRule
from bot.slack.proposals import Proposals
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Reply
from bot.slack.serving import Behind, opened
from bot.sources.errors import ClusterUnreachable
from bot.sources.kube_api import KubeConnection, open_connection
from bot.sources.pod_search import PodQuestion
from bot.store import Store
from tests.approving.stage import Clock
from tests.fakes.fixtures import running_slack
from tests.fakes.slack import FakeSlack, Message, View, scene
from tests.fakes.writable_kube import WritableKube, writable
from tests.playbooks.samples import said
from tests.recorded import CASES
from tests.slack.door import Scripted, config_for
from tests.test_server import manifests

CASE: Final = "selector-excluded-by-nodepool"
POOL: Final = "gpu"
PLAYBOOKS: Final = packaged.load_playbooks()
ANNA_MAY: Final = ApprovalRule(users=(scene.ANNA,))
GROUP_MAY: Final = ApprovalRule(groups=(scene.ON_CALL,))


class Services(Scripted):
    """Answers with the case's diagnosis and its buttons."""

    def __init__(self, diagnosis: Diagnosis, service: Service) -> None:
        super().__init__()
        self.diagnosis, self.service = diagnosis, service

    async def why(self, question: Why, asker: Asker) -> Reply:  # noqa: ARG002 (the door's signature)
        offers = await self.service.offers("prod", self.diagnosis)
        return Answered(answer_id="a", rendered=said(self.diagnosis, question.language), offers=offers)


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a story needs: people in Slack, the API server, the ledger, a clock."""

    slack: FakeSlack
    kube: WritableKube
    store: Store
    service: Service
    clock: Clock
    down: list[str] = field(default_factory=list)
    """Put something in, and the cluster does not answer any more."""

    async def answer(self, user: str = scene.ANNA) -> Message:
        """Somebody asks why; the answer with its buttons."""
        before = len(self.messages())
        await self.slack.slash_command("why x", user=user)
        found = await self.slack.wait_for(
            lambda _: [m for m in self.messages()[before:] if "show_evidence" in str(m.blocks)], 30
        )
        return found[-1]

    def messages(self) -> list[Message]:
        return self.slack.workspace.by_bot(scene.OPS)

    async def modal(self, words: str, user: str = scene.ANNA) -> View:
        """The open modal with these words."""
        found = await self.slack.wait_for(
            lambda s: [m for m in s.workspace.modals(user) if words in str(m.content)], 30
        )
        return found[-1]

    async def proposed(self, user: str = scene.ANNA) -> Message:
        """Somebody proposes the best remedy and posts it for approval."""
        message = await self.answer(user)
        await self.slack.click("propose", message, user=user)
        view = await self._ready(user)
        await self.slack.submit(view)
        return await self.message_with("approve")

    async def _ready(self, user: str) -> View:
        found = await self.slack.wait_for(
            lambda s: [m for m in s.workspace.modals(user) if m.content.get("callback_id") == "proposal"], 30
        )
        return found[-1]

    async def message_with(self, words: str) -> Message:
        """The newest of the bot's messages with these words in it, button names included."""
        found = await self.slack.wait_for(lambda _: [m for m in self.messages() if words in m.text + str(m.blocks)], 30)
        return found[-1]

    async def event(self) -> dict[str, Any]:
        """The first Event that was written about a change; the message may say before it that it was applied."""
        events = self.kube.events
        return dict((await self.slack.wait_for(lambda _: events))[0])

    async def told(self, words: str, user: str = scene.ANNA) -> str:
        """What only this person was shown, with these words."""
        found = await self.slack.wait_for(
            lambda s: [m.text for m in s.workspace.ephemerals(user) if words in m.text], 30
        )
        return str(found[-1])

    def pod_runs(self) -> None:
        """Karpenter and the kubelet do their part."""
        now = "2026-03-02T03:00:{:02d}Z"
        labels = {
            "node.kubernetes.io/instance-type": "p5.48xlarge",
            "topology.kubernetes.io/zone": "ap-northeast-2a",
            "karpenter.sh/capacity-type": "on-demand",
        }
        conditions = [
            {"type": "Launched", "status": "True", "lastTransitionTime": now.format(2)},
            {"type": "Initialized", "status": "True", "lastTransitionTime": now.format(40)},
        ]
        self.kube.objects.append(
            {
                "apiVersion": "karpenter.sh/v1",
                "kind": "NodeClaim",
                "metadata": {"name": "gpu-x7k2p", "labels": labels, "creationTimestamp": now.format(1)},
                "status": {"nodeName": "ip-1", "conditions": conditions},
            }
        )
        pod = next(o for o in self.kube.objects if o["kind"] == "Pod" and o["metadata"]["name"] == self.pod)
        running = [{"name": "c", "state": {"running": {"startedAt": now.format(44)}}}]
        pod["spec"]["nodeName"] = "ip-1"
        pod["status"] = {**pod.get("status", {}), "phase": "Running", "containerStatuses": running}

    @property
    def pod(self) -> str:
        return diagnosis_of(CASE).pod.name


@cache
def diagnosis_of(case: str) -> Diagnosis:
    """The recorded case's answer."""
    folder = CASES / case
    question = yaml.safe_load((folder / "case.yaml").read_text("utf-8"))["question"]
    return app.answer_from_snapshot(folder, PodQuestion.parse(question)).diagnosis


@asynccontextmanager
async def stage(
    store: Store,
    folder: Path,
    *rules: ApprovalRule,
    change: Callable[[list[dict[str, Any]]], None] | None = None,
    mode: str = "socket",
    case: str = CASE,
) -> AsyncIterator[Stage]:
    """Everything running. `change` alters the cluster's objects before."""
    objects = manifests(CASES / case)
    if change:
        change(objects)
    diagnosis, clock, down = diagnosis_of(case), Clock(), list[str]()
    async with writable(objects) as kube, running_slack() as slack:
        connection = await open_connection(kubeconfig=str(kube.kubeconfig(folder)))

        async def connect(_cluster: str) -> KubeConnection:
            if down:
                raise ClusterUnreachable("no route to the API server")
            return connection

        async def diagnose(_cluster: str, _namespace: str, _pod: str) -> Diagnosis:
            if down:
                raise ClusterUnreachable("no route to the API server")
            return diagnosis

        async def price(*_: str) -> float | None:
            return 55.04

        clusters = WordedClusters(diagnose, connect, price, PLAYBOOKS)
        service = Service(store, clusters, Terms(rules=rules), clock, look_seconds=0.05)
        services = Services(diagnosis, service)
        behind = Behind(services=services, verbs={"audit": service.audit(PLAYBOOKS)}, parts=(Proposals(service),))
        try:
            async with opened(config_for(slack, mode), behind, api_url=slack.api_url) as door:
                if mode == "http":
                    slack.post_to(f"http://127.0.0.1:{door.port}/slack/events")
                else:
                    await slack.wait_for(lambda s: s.sockets.connections)
                yield Stage(slack=slack, kube=kube, store=store, service=service, clock=clock, down=down)
        finally:
            await connection.close()


def four_eyes(rule: ApprovalRule) -> ApprovalRule:
    return replace(rule, four_eyes=True)


__all__ = ["ANNA_MAY", "CASE", "GROUP_MAY", "POOL", "Hands", "Stage", "diagnosis_of", "four_eyes", "stage"]
