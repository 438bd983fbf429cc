"""From a remedy's button to a proposal: decided anew, rehearsed on the server, written down; or the patch to copy, and why."""

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Protocol, cast

import msgspec

from bot.approving.carrying import TRIES, Clock, is_race
from bot.approving.hands import Hands
from bot.model.diagnosis import Diagnosis, Json, Patch, Remedy
from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, ApprovalRule, Place, Proposal, Purpose, State
from bot.remediation.approvals import rule_for
from bot.remediation.outcomes import digest_of, guarded, holds, repository_patch, way_back, yaml_diff
from bot.remediation.patches import kubectl_command
from bot.slack.services import Asker, Copy, Failed, Offered
from bot.sources.errors import ReadFailed, SourceError
from bot.store import Store, ledger
from bot.store.ledger import Offer, Told

LOG: Final = logging.getLogger(__name__)
MOST_OFFERS: Final = 5
TOKEN_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Worded:
    """A remedy in plain sentences of one language."""

    summary: str
    opens: str
    risks: tuple[str, ...]
    why_not: str = ""


class Clusters(Protocol):
    """Diagnoses and hands for each configured cluster, by its name."""

    async def diagnose(self, cluster: str, namespace: str, pod: str) -> Diagnosis:
        """The pod's diagnosis now. Raises the SourceErrors."""
        ...

    async def hands(self, cluster: str) -> Hands:
        """The bot's hands there. Raises the SourceErrors."""
        ...

    async def price(self, cluster: str, instance_type: str, zone: str, capacity_type: str) -> float | None:
        """Dollars an hour now; None where it cannot be told."""
        ...

    def worded(self, diagnosis: Diagnosis, remedy: Remedy, language: str) -> Worded:
        """The remedy in words."""
        ...

    def headline(self, diagnosis: Diagnosis, language: str) -> str:
        """The diagnosis in a sentence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which conditions changes may be made."""

    rules: tuple[ApprovalRule, ...] = ()
    expires_minutes: int = 30
    verify_minutes: int = 15


class Proposer:
    """Writes proposals into the ledger."""

    def __init__(self, store: Store, clusters: Clusters, terms: Terms, clock: Clock) -> None:
        self._store, self._clusters, self._terms, self._clock = store, clusters, terms, clock

    async def offers(self, cluster: str, diagnosis: Diagnosis) -> tuple[Offered, ...]:
        """A button for each remedy that has a patch: to propose it, or to copy it where it cannot be applied from here."""
        found: list[tuple[Offer, Offered]] = []
        for number, remedy in enumerate(diagnosis.remedies[:MOST_OFFERS]):
            if remedy.patch is None or remedy.patch.patch is None:
                continue
            offer = Offer(
                token=secrets.token_urlsafe(TOKEN_BYTES),
                cluster=cluster,
                namespace=diagnosis.pod.namespace,
                pod=diagnosis.pod.name,
                remedy=remedy_key(remedy),
            )
            ready = remedy.patch.applicable and await self._may_write(cluster, remedy.patch.target)
            found.append((offer, Offered(token=offer.token, number=number, ready=ready)))
        await ledger.keep_offers(self._store, [offer for offer, _ in found], self._clock())
        return tuple(offered for _, offered in found)

    async def _may_write(self, cluster: str, target: ObjectRef) -> bool:
        """Whether somebody may approve it and the bot may write it; what cannot be asked is a no."""
        if rule_for(self._terms.rules, cluster, target) is None:
            return False
        try:
            return await (await self._clusters.hands(cluster)).may_patch(target)
        except (ReadFailed, SourceError) as error:
            LOG.warning("cannot tell whether %s may be patched: %s", target, error)
            return False

    async def propose(self, token: str, asker: Asker, language: str) -> Proposal | Copy | Failed:
        """Decides anew, rehearses on the server, and writes the proposal down. Raises StoreUnavailable, SourceError."""
        offer = await ledger.find_offer(self._store, token)
        if offer is None:
            return Failed(code="approvals.unknown")
        return await self._propose(offer, asker.user, language, Place(channel=asker.channel, thread_ts=asker.thread_ts))

    async def _propose(self, offer: Offer, user: str, language: str, place: Place) -> Proposal | Copy | Failed:
        diagnosis = await self._clusters.diagnose(offer.cluster, offer.namespace, offer.pod)
        no_longer = Failed(code="approvals.no-longer", facts={"now": self._clusters.headline(diagnosis, language)})
        remedy = next((one for one in diagnosis.remedies if remedy_key(one) == offer.remedy), None)
        if diagnosis.pod.name != offer.pod or remedy is None or remedy.patch is None:
            return no_longer
        if not isinstance(remedy.patch.patch, list):
            return no_longer
        patch, worded = remedy.patch, self._clusters.worded(diagnosis, remedy, language)
        hands = await self._clusters.hands(offer.cluster)
        try:
            why_not = await self._why_not(hands, offer.cluster, patch, worded)
            alteration = None if why_not else await rehearsed(hands, patch.target, _steps(patch))
        except ReadFailed as refused:
            return copied(patch, worded, refused.message, "approvals.dry-run-refused")
        if alteration is None:
            return why_not or no_longer
        alteration = alteration if patch.undo is not None else replace(alteration, undo=())
        one = self._drafted(alteration, offer, user, language, place)
        facts: dict[str, Json] = {
            "summary": worded.summary,
            "opens": worded.opens,
            "risks": list(worded.risks),
            "cautions": list(remedy.cautions),
            "nodepool": remedy.nodepool,
        }
        one = replace(one, facts=facts)
        await ledger.create(self._store, one, Told(event="propose", at=one.created_at, actor=user, detail=shown(one)))
        return one

    async def _why_not(self, hands: Hands, cluster: str, patch: Patch, worded: Worded) -> Copy | None:
        """The patch to copy where it cannot be applied from here. Raises ReadFailed."""
        if not patch.applicable:
            return copied(patch, worded, worded.why_not or patch.why_not)
        if rule_for(self._terms.rules, cluster, patch.target) is None:
            return copied(patch, worded, "", "approvals.nobody")
        if not await hands.may_patch(patch.target):
            return copied(patch, worded, "", "approvals.no-write-role")
        return None

    def _drafted(self, alteration: Alteration, offer: Offer, user: str, language: str, place: Place) -> Proposal:
        now = self._clock()
        return Proposal(
            id=secrets.token_urlsafe(TOKEN_BYTES),
            purpose=Purpose.REMEDY,
            state=State.PROPOSED,
            cluster=offer.cluster,
            alteration=alteration,
            pod=ObjectRef(api_version="v1", kind="Pod", namespace=offer.namespace, name=offer.pod),
            pod_uid="",
            remedy=offer.remedy,
            requester=user,
            created_at=now,
            expires_at=now + timedelta(minutes=self._terms.expires_minutes),
            language=language,
            place=place,
        )

    async def again(self, old: Proposal) -> Proposal | Copy | Failed:
        """The same remedy decided anew, since its object has changed: another proposal, to be approved anew."""
        offer = Offer(token="", cluster=old.cluster, namespace=old.pod.namespace, pod=old.pod.name, remedy=old.remedy)
        place = replace(old.place, ts="")
        return await self._propose(offer, old.requester, old.language, place)


async def rehearsed(hands: Hands, target: ObjectRef, patch: tuple[dict[str, Json], ...]) -> Alteration | None:
    """What the server would make of it; None where the object is gone or would not change. Raises ReadFailed."""
    for left in reversed(range(TRIES)):  # its status may change between the look and the rehearsal
        before = await hands.read(target)
        if not isinstance(before, dict):
            return None
        try:
            after = await hands.rehearse(target, guarded(patch, before, "rehearsal"))
            break
        except ReadFailed as refused:
            if not left or not is_race(refused) or not holds(patch, before):
                raise
    diff = yaml_diff(before, after)
    if not diff:
        return None
    return Alteration(
        target=target,
        uid=str(cast("Any", before)["metadata"]["uid"]),
        patch=patch,
        undo=tuple(way_back(before, after)),
        diff=diff,
        digest=digest_of(before, after),
    )


def _steps(patch: Patch) -> tuple[dict[str, Json], ...]:
    return tuple(one for one in patch.patch if isinstance(one, dict)) if isinstance(patch.patch, list) else ()


def remedy_key(remedy: Remedy) -> str:
    """The same for the same edits of the same fields, whatever else is the case."""
    edits = [[str(e.object), e.field, e.change, e.subject, e.old, e.new] for e in remedy.edits]
    return hashlib.sha256(json.dumps([remedy.id, edits], sort_keys=True).encode()).hexdigest()[:32]


def shown(one: Proposal) -> dict[str, Json]:
    """What the audit keeps of what was shown."""
    shown: dict[str, Json] = {
        "purpose": one.purpose,
        "cluster": one.cluster,
        "target": msgspec.to_builtins(one.alteration.target),
        "pod": msgspec.to_builtins(one.pod),
        "remedy": one.facts.get("summary"),
        "opens": one.facts.get("opens"),
        "risks": one.facts.get("risks"),
        "diff": one.alteration.diff,
        "patch": [dict(one) for one in one.alteration.patch],
        "dryRun": "passed",
    }
    return {**shown, "parent": one.parent} if one.parent else shown


def copied(patch: Patch, worded: Worded, why: str, code: str = "") -> Copy:
    steps = _steps(patch)
    return Copy(
        target=str(patch.target),
        summary=worded.summary,
        why=why,
        code=code,
        command=kubectl_command(patch),
        repository=repository_patch(patch.target, steps) if steps else "",
        managed=patch.why_not_code == "gitops",
    )
