"""From a remedy's button to a proposal: decided anew, rehearsed on the server, written down; or the patch to copy, and why."""

import hashlib
import json
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final, Protocol, cast

import msgspec

from bot.approving.carrying import TRIES
from bot.approving.hands import Hands
from bot.approving.recording import Clock, is_race
from bot.model.diagnosis import Diagnosis, Json, Patch, Remedy
from bot.model.objects import ObjectRef
from bot.model.proposals import Alteration, ApprovalRule, Place, Proposal, Purpose, State
from bot.remediation.approvals import rule_for
from bot.remediation.documents import text
from bot.remediation.gitops import managed_by
from bot.remediation.outcomes import digest_of, guarded, holds, repository_patch, way_back, yaml_diff
from bot.remediation.patches import CREATE, kubectl_command
from bot.remediation.recreation import changed, manifest_of, stops, why_kept
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

    async def offers(self, cluster: str, diagnosis: Diagnosis, *, but: str = "") -> tuple[Offered, ...]:
        """A button for each remedy that has a patch: to propose it, or to copy it where it cannot be applied from here.

        `but`: the key of a remedy that gets none.
        """
        found: list[tuple[Offer, Offered]] = []
        for number, remedy in enumerate(diagnosis.remedies[:MOST_OFFERS]):
            if remedy.patch is None or remedy.patch.patch is None or remedy_key(remedy) == but:
                continue
            offer = Offer(
                token=secrets.token_urlsafe(TOKEN_BYTES),
                cluster=cluster,
                namespace=diagnosis.pod.namespace,
                pod=diagnosis.pod.name,
                remedy=remedy_key(remedy),
            )
            ready = await self._may_write(cluster, remedy.patch)
            anew = ready and not remedy.patch.applicable
            found.append((offer, Offered(token=offer.token, number=number, ready=ready, recreates=anew)))
        await ledger.keep_offers(self._store, [offer for offer, _ in found], self._clock())
        return tuple(offered for _, offered in found)

    async def _may_write(self, cluster: str, patch: Patch) -> bool:
        """Whether somebody may approve it and the bot may write it; what cannot be asked is a no."""
        target, verbs = patch.target, verbs_for(patch)
        if not verbs or rule_for(self._terms.rules, cluster, target) is None:
            return False
        try:
            return await (await self._clusters.hands(cluster)).may(target, *verbs)
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
        patch, worded = remedy.patch, self._clusters.worded(diagnosis, remedy, language)
        if patch.patch_type == CREATE and patch.patch is not None:
            return copied(patch, worded, worded.why_not or patch.why_not)
        if not isinstance(patch.patch, list):
            return no_longer
        hands = await self._clusters.hands(offer.cluster)
        try:
            why_not = await self._why_not(hands, offer.cluster, patch, worded)
            alteration = None if why_not else await self._altered(hands, patch)
        except ReadFailed as refused:
            return copied(patch, worded, refused.message, "approvals.dry-run-refused")
        if alteration is None:
            return why_not or no_longer
        one = self._drafted(alteration, offer, user, language, place)
        cause = diagnosis.causes[0].id if diagnosis.causes else ""
        one = replace(one, facts={**_told(remedy, worded), **stopping(alteration), "cause": cause})
        await ledger.create(self._store, one, Told(event="propose", at=one.created_at, actor=user, detail=shown(one)))
        return one

    async def _altered(self, hands: Hands, patch: Patch) -> Alteration | None:
        """What would be done, rehearsed; None where there is nothing to do any more. Raises ReadFailed."""
        if patch.applicable:
            found = await rehearsed(hands, patch.target, _steps(patch))
            return found if found is None or patch.undo is not None else replace(found, undo=())
        before = await hands.read(patch.target)
        after = changed(before, _steps(patch)) if before is not None else None
        if before is None or after is None or why_kept(before) is not None:
            return None
        return await rehearsed_anew(hands, patch.target, before, manifest_of(after), _steps(patch))

    async def _why_not(self, hands: Hands, cluster: str, patch: Patch, worded: Worded) -> Copy | None:
        """The patch to copy where it cannot be applied from here. Raises ReadFailed."""
        verbs = verbs_for(patch)
        if not verbs:
            return copied(patch, worded, worded.why_not or patch.why_not)
        if rule_for(self._terms.rules, cluster, patch.target) is None:
            return copied(patch, worded, "", "approvals.nobody")
        if not await hands.may(patch.target, *verbs):
            role = "approvals.no-write-role" if patch.applicable else "approvals.no-recreate-role"
            return copied(patch, worded, worded.why_not, role)
        # the object as it is told by its managedFields too, which a diagnosis does not have of everything
        manager = managed_by(await hands.read(patch.target))
        return copied(patch, worded, str(manager), "approvals.managed", manager.what) if manager else None

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

    async def next_fixes(self, one: Proposal, diagnosis: Diagnosis) -> list[Json]:
        """What the message of a change that did not suffice offers: the other remedies of the pod as it is now."""
        offers = await self.offers(one.cluster, diagnosis, but=one.remedy)
        said = [self._clusters.worded(diagnosis, remedy, one.language).summary for remedy in diagnosis.remedies]
        return [{**msgspec.to_builtins(o), "number": n, "summary": said[o.number]} for n, o in enumerate(offers)]

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


async def rehearsed_anew(
    hands: Hands, target: ObjectRef, before: Json, creates: Json, patch: tuple[dict[str, Json], ...] = ()
) -> Alteration | None:
    """Deleting what is there (`before`; None where nothing is) and creating this, rehearsed on the server. None where the
    two are the same. Raises ReadFailed.
    """
    await hands.rehearse_recreation(target, before, creates)
    old = manifest_of(before)
    diff = yaml_diff(old, creates)
    if not diff:
        return None
    return Alteration(
        target=target,
        uid=text(before, "metadata", "uid"),
        patch=patch,
        undo=(),
        diff=diff,
        digest=digest_of(old, creates),
        before=before,
        creates=creates,
    )


def verbs_for(patch: Patch) -> tuple[str, ...]:
    """What the bot must be allowed to do for it; nothing where it does not make this change itself."""
    return ("patch",) if patch.applicable else ("delete", "create") if patch.recreate else ()


def stopping(alteration: Alteration) -> dict[str, Json]:
    """How many running pods a recreation ends; nothing for a patch."""
    return {} if alteration.before is None else {"stops": stops(alteration.before)}


def _told(remedy: Remedy, worded: Worded) -> dict[str, Json]:
    return {
        "summary": worded.summary,
        "opens": worded.opens,
        "risks": list(worded.risks),
        "cautions": list(remedy.cautions),
        "nodepool": remedy.nodepool,
    }


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
        **({"recreates": True} if one.recreates else {}),
    }
    return {**shown, "parent": one.parent} if one.parent else shown


_LABELS: Final = {"Flux HelmRelease": "repository-helm-release", "Helm release": "repository-helm"}
"""Who renders a chart changes its values, and has no kustomization; all others take the patch as it is."""


def copied(patch: Patch, worded: Worded, why: str, code: str = "", tool: str = "") -> Copy:
    """The change to make by hand, and why. `tool`: what manages the object, where its patch does not say so."""
    steps, tool = _steps(patch), tool or patch.why_not_facts.get("tool", "")
    return Copy(
        target=str(patch.target),
        summary=worded.summary,
        why=why,
        code=code,
        command=kubectl_command(patch),
        repository=repository_patch(patch.target, steps, tool) if steps else "",
        managed=bool(tool),
        label=_LABELS.get(tool, "repository"),
    )
