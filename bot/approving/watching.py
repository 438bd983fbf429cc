"""What comes of an applied change: the NodeClaim that Karpenter makes, its node, the pod that runs. Looks, decides nothing
but what it sees; ends within its time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from bot.approving.hands import Hands
from bot.model.diagnosis import Json
from bot.model.labels import CAPACITY_TYPE, INSTANCE_TYPE, ZONE
from bot.model.objects import ObjectRef
from bot.model.proposals import Proposal
from bot.remediation.recreation import uid_left
from bot.sources.errors import ReadFailed
from bot.sources.resources import KARPENTER, PODS, Resource

NODE_CLAIMS: Final = Resource(group=KARPENTER, plural="nodeclaims", namespaced=False)
CLOCK_SKEW: Final = timedelta(seconds=5)
_LONGEST_CHAIN: Final = 8
ROLLED: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Kinds whose controller ends the pods of an old template."""
_MOST_PODS: Final = (("limit", "500"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is there now. Times are seconds after the change was applied; None: not yet."""

    nodeclaim: str = ""
    instance_type: str = ""
    zone: str = ""
    capacity_type: str = ""
    launched: float | None = None
    node_ready: float | None = None
    node: str = ""
    pod: str = ""
    running: float | None = None

    def as_json(self) -> dict[str, Json]:
        """For the proposal's facts."""
        return {name: getattr(self, name) for name in self.__slots__}


class Watcher:
    """Looks after one proposal. Remembers which owners belong to its object, so each is asked for once."""

    def __init__(self, hands: Hands, proposal: Proposal) -> None:
        self._hands, self._proposal = hands, proposal
        self._since: datetime = proposal.applied_at or proposal.created_at
        self._belongs: dict[str, bool] = {uid_left(proposal): True}
        self._rolls: bool | None = None

    async def look(self) -> Sight:
        """What is there now. Raises ReadFailed, SourceError."""
        pods = [pod for pod in await self._pods() if not (self._ran_before(pod) and await self._rolled())]
        running = next((p for p in pods if _phase(p) == "Running"), None)
        chosen = running or next((p for p in pods if not _phase(p) or _phase(p) == "Pending"), None)
        claims = await self._claims()
        node = str((chosen or {}).get("spec", {}).get("nodeName") or "")
        claim = next((c for c in claims if node and c.get("status", {}).get("nodeName") == node), None)
        if claim is None:
            claim = next((c for c in claims if self._is_new(c)), None) if not running else None
        sight = Sight(node=node, pod=chosen["metadata"]["name"] if chosen else "", running=self._ran(running))
        return self._with_claim(sight, claim) if claim else sight

    def _ran(self, pod: Mapping[str, Any] | None) -> float | None:
        """When the pod began to run: its start time, or now where it does not say."""
        if pod is None:
            return None
        return self._after(_begun(pod)) or 0.0

    def _ran_before(self, pod: Mapping[str, Any]) -> bool:
        """Whether it ran already when the change was made: where the change makes pods anew, this is none of them."""
        begun = _begun(pod) if _phase(pod) == "Running" else ""
        return bool(begun) and _moment(begun) < self._since - CLOCK_SKEW

    async def _rolled(self) -> bool:
        """Whether the changed object ends the pods that it had. Raises ReadFailed, SourceError."""
        if self._rolls is None:
            target = self._proposal.alteration.target
            found: Any = await self._hands.read(target) if target.kind in ROLLED else None
            self._rolls = isinstance(found, dict) and _rolls_out(found["spec"])
        return self._rolls

    def _with_claim(self, sight: Sight, claim: Mapping[str, Any]) -> Sight:
        labels = claim["metadata"].get("labels") or {}
        conditions = {c["type"]: c for c in claim.get("status", {}).get("conditions") or []}
        return replace(
            sight,
            nodeclaim=str(claim["metadata"]["name"]),
            instance_type=str(labels.get(INSTANCE_TYPE, "")),
            zone=str(labels.get(ZONE, "")),
            capacity_type=str(labels.get(CAPACITY_TYPE, "")),
            launched=self._since_condition(conditions.get("Launched")),
            node_ready=self._since_condition(conditions.get("Initialized")),
        )

    def _since_condition(self, condition: Mapping[str, Any] | None) -> float | None:
        if condition is None or condition.get("status") != "True":
            return None
        return self._after(str(condition.get("lastTransitionTime") or ""))

    def _after(self, moment: str) -> float | None:
        """Seconds from the change to then. Kubernetes writes whole seconds, so a little before is the same moment."""
        return max((_moment(moment) - self._since).total_seconds(), 0.0) if moment else None

    async def _claims(self) -> list[dict[str, Any]]:
        """The NodeClaims, the newest first; of the remedy's NodePool before the others."""
        try:
            found = await self._hands.listed(NODE_CLAIMS)
        except ReadFailed:
            return []
        return sorted(found, key=lambda c: str(c["metadata"].get("creationTimestamp")), reverse=True)

    def _is_new(self, one: Mapping[str, Any]) -> bool:
        created = str(one["metadata"].get("creationTimestamp") or "")
        return bool(created) and _moment(created) >= self._since - CLOCK_SKEW

    async def _pods(self) -> list[dict[str, Any]]:
        """The pod that waited, if it is still there, and those that the changed object has made since, newest first."""
        target, waited = self._proposal.alteration.target, self._proposal.pod
        found = await self._hands.listed(PODS, waited.namespace, _MOST_PODS)
        own = [p for p in found if p["metadata"]["name"] == waited.name]
        made = [p for p in found if p not in own and target.namespace and self._is_new(p) and await self._is_ours(p)]
        both = [p for p in (*made, *own) if not p["metadata"].get("deletionTimestamp")]
        return sorted(both, key=lambda p: str(p["metadata"].get("creationTimestamp")), reverse=True)

    async def _is_ours(self, pod: Mapping[str, Any]) -> bool:
        """Whether the chain of owners leads to the changed object."""
        one: Mapping[str, Any] | None = pod
        passed: list[str] = []
        answer = False
        for _ in range(_LONGEST_CHAIN):
            owner = _controller(one) if one else None
            if owner is None:
                break
            if owner["uid"] in self._belongs:
                answer = self._belongs[owner["uid"]]
                break
            passed.append(owner["uid"])
            one = await self._read(owner, str(pod["metadata"].get("namespace", "")))
        self._belongs.update(dict.fromkeys(passed, answer))
        return answer

    async def _read(self, owner: Mapping[str, Any], namespace: str) -> Mapping[str, Any] | None:
        ref = ObjectRef(api_version=owner["apiVersion"], kind=owner["kind"], namespace=namespace, name=owner["name"])
        try:
            found: Any = await self._hands.read(ref)
        except ReadFailed:
            return None
        return found if isinstance(found, dict) else None


def _rolls_out(spec: Mapping[str, Any]) -> bool:
    """Not one that is paused, or leaves its pods until somebody deletes them, or keeps back a part of them."""
    how = spec.get("updateStrategy") or {}
    kept = how.get("type") == "OnDelete" or (how.get("rollingUpdate") or {}).get("partition")
    return not (spec.get("paused") or kept)


def _begun(pod: Mapping[str, Any]) -> str:
    """Since when its last container runs; since when the node has it, where that is not said."""
    states = [c.get("state", {}).get("running") or {} for c in pod["status"].get("containerStatuses") or []]
    return str(max((s.get("startedAt") or "" for s in states), default="") or pod["status"].get("startTime") or "")


def _controller(one: Mapping[str, Any]) -> Mapping[str, Any] | None:
    owners = one["metadata"].get("ownerReferences") or []
    return next((o for o in owners if o.get("controller")), owners[0] if owners else None)


def _phase(pod: Mapping[str, Any]) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def told_event(proposal: Proposal, now: datetime, message: str) -> dict[str, Json]:
    """A Kubernetes Event about the changed object; of cluster-scoped objects they are kept in `default`."""
    target, at = proposal.alteration.target, now.strftime("%Y-%m-%dT%H:%M:%SZ")
    namespace = target.namespace or "default"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{target.name[:200]}.", "namespace": namespace},
        "involvedObject": {
            "apiVersion": target.api_version,
            "kind": target.kind,
            "name": target.name,
            "namespace": target.namespace,
            "uid": uid_left(proposal),
        },
        "reason": "ChangeUndone" if proposal.purpose == "undo" else "ChangeApplied",
        "message": message[:1000],
        "type": "Normal",
        "source": {"component": "karpenter-bot"},
        "reportingComponent": "karpenter-bot",
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
