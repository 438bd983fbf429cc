"""Approve-to-apply as Slack sees it (bot.slack.proposals.Changes): desk and engine, their failures told as codes."""

import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from bot.approving.carrying import Worker
from bot.approving.desk import ApprovalDesk, LookUp
from bot.approving.hands import Hands
from bot.approving.proposing import Clusters, Terms, Worded
from bot.approving.recording import Clock
from bot.approving.running import LOOK_SECONDS, Changed, Engine
from bot.model.diagnosis import Diagnosis, Remedy
from bot.model.proposals import Place, Proposal
from bot.playbooks import Playbooks, plain, render
from bot.playbooks.focus import focused
from bot.slack.proposal_blocks import audit_message
from bot.slack.questions import Ask
from bot.slack.services import Asker, Copy, Failed, Offered, Shown, Verb
from bot.sources.errors import (
    ClusterUnreachable,
    CredentialsExpired,
    NotPermitted,
    PodNotFound,
    ReadFailed,
    SourceError,
)
from bot.sources.kube_api import KubeConnection
from bot.store import Store, StoreUnavailable, ledger

SHOWN_ENTRIES = 15
Found = TypeVar("Found")
_CODES: tuple[tuple[type[Exception], str], ...] = (
    (PodNotFound, "pod-not-found"),
    (CredentialsExpired, "credentials-expired"),
    (NotPermitted, "not-permitted"),
    (ClusterUnreachable, "cluster-unreachable"),
)


class Service:
    """Implements bot.slack.proposals.Changes."""

    def __init__(
        self, store: Store, clusters: Clusters, terms: Terms, clock: Clock, *, look_seconds: float = LOOK_SECONDS
    ) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.desk = ApprovalDesk(store, clusters, terms, clock)
        self.engine = Engine(self.desk, Worker(store, clusters.hands, clock, name), name, look_seconds=look_seconds)

    async def offers(self, cluster: str, diagnosis: Diagnosis) -> tuple[Offered, ...]:
        """The buttons under an answer; none when the ledger does not answer: the answer goes out all the same."""
        try:
            return await self.desk.proposer.offers(cluster, diagnosis)
        except StoreUnavailable:
            return ()

    async def propose(self, token: str, asker: Asker, language: str) -> Proposal | Copy | Failed:
        return await _told(self.desk.proposer.propose(token, asker, language))

    async def find(self, proposal: str) -> Proposal | None:
        return await ledger.find(self.desk.store, proposal)

    async def placed(self, proposal: str, place: Place) -> None:
        await self.desk.placed(proposal, place)

    async def approve(self, proposal: str, user: str) -> Proposal | Failed:
        return await _told(self.desk.approve(proposal, user))

    async def reject(self, proposal: str, user: str, reason: str) -> Proposal | Failed:
        return await _told(self.desk.reject(proposal, user, reason))

    async def undo(self, proposal: str, user: str) -> Proposal | Failed:
        return await _told(self.desk.undo(proposal, user))

    def go_on(self, proposal: str) -> None:
        self.engine.go_on(proposal)

    def begin(self, people: LookUp, changed: Changed) -> None:
        self.desk.people, self.engine.changed = people, changed
        self.engine.start()

    async def end(self) -> None:
        await self.engine.close()

    def audit(self, playbooks: Playbooks) -> Verb:
        """`/karpenter audit`: the newest entries, for the asker's eyes only."""

        async def shown(ask: Ask, _asker: Asker) -> Shown | Failed:
            try:
                entries = await ledger.audit(self.desk.store, last=SHOWN_ENTRIES)
            except StoreUnavailable:
                return Failed(code="approvals.store-down")
            return Shown(message=audit_message(entries, playbooks.phrases(ask.language)), discreet=True)

        return shown


async def _told(work: Awaitable[Found]) -> Found | Failed:
    """A store or a cluster that does not answer is an answer too: nothing was done."""
    try:
        return await work
    except StoreUnavailable:
        return Failed(code="approvals.store-down")
    except PodNotFound as gone:
        return Failed(code="pod-not-found", facts={"asked": gone.question, "near": gone.nearest})
    except (SourceError, ReadFailed) as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), "cluster-unreachable")
        return Failed(code=code, facts={"why": str(error)})


Diagnosing = Callable[[str, str, str], Awaitable[Diagnosis]]
Connecting = Callable[[str], Awaitable[KubeConnection]]
Pricing = Callable[[str, str, str, str], Awaitable[float | None]]


class WordedClusters:
    """Clusters whose diagnoses are worded by the playbooks."""

    def __init__(self, diagnose: Diagnosing, connect: Connecting, price: Pricing, playbooks: Playbooks) -> None:
        self._diagnose, self._connect, self._price, self._playbooks = diagnose, connect, price, playbooks
        self._hands: dict[str, Hands] = {}

    async def diagnose(self, cluster: str, namespace: str, pod: str) -> Diagnosis:
        return await self._diagnose(cluster, namespace, pod)

    async def hands(self, cluster: str) -> Hands:
        if cluster not in self._hands:
            self._hands[cluster] = Hands(await self._connect(cluster))
        return self._hands[cluster]

    async def price(self, cluster: str, instance_type: str, zone: str, capacity_type: str) -> float | None:
        return await self._price(cluster, instance_type, zone, capacity_type)

    def worded(self, diagnosis: Diagnosis, remedy: Remedy, language: str) -> Worded:
        number = diagnosis.remedies.index(remedy)
        said = render(diagnosis, self._playbooks, language).remedies[number]
        return Worded(
            summary=plain(said.summary),
            opens=plain(said.opens),
            risks=_sentences([plain(line) for line in said.cautions]),
            why_not=plain(said.why_not) if said.why_not else "",
        )

    def headline(self, diagnosis: Diagnosis, language: str) -> str:
        return render(focused(diagnosis), self._playbooks, language).summary


def _sentences(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line)
