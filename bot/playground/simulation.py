"""What Karpenter, EC2 and kubelet would do after a change of a recorded cluster, simulated: never a real cluster's story.

Whether a pod gets a node, and which, is decided by the bot's own engine (its mirror of Karpenter's scheduler) over the changed
recording: the cheapest offering that is left is "launched". How long that takes is made up (seconds instead of minutes), and
every object that is made here is called so: its name has `simulated` in it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Final

from bot import app
from bot.diagnosis import diagnose
from bot.diagnosis.history import read_history, refused_offerings
from bot.diagnosis.pods import requests_of
from bot.diagnosis.releases import NEWEST
from bot.diagnosis.scheduling import Attempt, begin, solve
from bot.diagnosis.verdicts import parse_version
from bot.model.diagnosis import Verdict
from bot.model.kubernetes import Pod
from bot.model.labels import HOSTNAME, INITIALIZED, INSTANCE_TYPE, NODEPOOL, REGISTERED
from bot.model.quantities import Quantity, Resources, total
from bot.model.world import InstanceType, Offering, World
from bot.playground.kube import Manifest
from bot.playground.kube_writes import WritableKube
from bot.sources.errors import SourceError
from bot.sources.pod_search import PodQuestion

LOG: Final = logging.getLogger(__name__)
MARK: Final = "simulated"
MOST: Final = 16
"""Pods that a change is followed for."""
_CONDITIONS: Final = ("Launched", "Registered", "Initialized", "Ready")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The node that Karpenter would launch: the cheapest that its decision leaves."""

    nodepool: str
    type: InstanceType
    offering: Offering


def next_of(world: World, pod: Pod) -> Launch | str | None:
    """The launch that the pod gets, or the name of the node that it fits; None where it still has to wait. Pure."""
    found = diagnose(world, pod)
    if found.verdict is Verdict.FITS_EXISTING_NODE:
        return str(found.facts["node"])
    if found.verdict is not Verdict.LAUNCHABLE:
        return None
    refused = refused_offerings(world, read_history(world))
    attempt = solve(begin(world, pod, refused, parse_version(world.karpenter_version) or NEWEST)).launch
    best = _cheapest(attempt) if attempt else None
    return Launch(nodepool=attempt.template.name, type=best[0], offering=best[1]) if attempt and best else None


def _cheapest(attempt: Attempt) -> tuple[InstanceType, Offering] | None:
    space = attempt.template.space
    slots = space.slots_meeting(attempt.requirements)
    rows = space.rows_of_types(attempt.types) & space.rows_of_slots(slots) & space.available_rows
    return space.cheapest(rows) if rows else None


class Simulation:
    """Follows every change that is kept. `step`: seconds between two stages of a node's start."""

    def __init__(
        self, kube: WritableKube, connected: app.Connected, shared: app.Shared, place: app.Place, *, step: float = 1.5
    ) -> None:
        self._kube, self._connected, self._shared, self._place, self._step = kube, connected, shared, place, step
        self._changed = asyncio.Event()
        kube.kept = lambda _: self._changed.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._round()
            except SourceError as error:
                LOG.warning("the simulation cannot go on: %s", error)
            except Exception:
                LOG.exception("the simulation stumbled; it goes on with the next change")

    async def _round(self) -> None:
        """Gives each pod that waits what the engine says it gets, one after the other: each node changes what is next."""
        await asyncio.sleep(self._step)
        for pod in [o for o in self._kube.objects if _waits(o)][:MOST]:
            meta = pod["metadata"]
            question = PodQuestion(name=meta["name"], namespace=meta["namespace"])
            world, seen = await app.observed(
                self._connected.cluster, self._shared.ec2, self._place, question, app.wall_clock
            )
            world = await self._connected.cluster.observe_placements(world)
            found = await asyncio.to_thread(lambda w, p: next_of(self._shared.catalogues.of(w), p), world, seen)
            if isinstance(found, Launch):
                await self._launched(pod, seen, found)
            elif found:
                self._runs(pod, found)

    async def _launched(self, pod: Manifest, seen: Pod, launch: Launch) -> None:
        """The NodeClaim, its node, and the pod on it, a step after another."""
        name = f"{launch.nodepool}-{MARK}-{secrets.token_hex(2)}"
        claim = _node_claim(name, seen, launch, _now())
        self._kube.put(claim)
        self._kube.put(_nominated(pod, name, _now()))
        node = _node(name, launch, _now())
        for condition in _CONDITIONS:
            if condition == "Registered":
                self._kube.put(node)
                claim["status"]["nodeName"] = name
            if condition == "Initialized":
                node["metadata"]["labels"][INITIALIZED] = "true"
                node["status"]["conditions"] = [_condition("Ready", "KubeletReady")]
                self._kube.put(node)
            claim["status"]["conditions"] = [
                *(c for c in claim["status"]["conditions"] if c["type"] != condition),
                _condition(condition, condition),
            ]
            self._kube.put(claim)
            if condition != "Ready":
                await asyncio.sleep(self._step)
        self._use(launch)
        self._runs(pod, name)

    def _runs(self, pod: Manifest, node: str) -> None:
        """Bound and begun."""
        newest = self._kube.find("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
        if newest is None:
            return
        now = _now()
        newest["spec"]["nodeName"] = node
        begun = {"ready": True, "state": {"running": {"startedAt": now}}}
        running = [{"name": container["name"], **begun} for container in newest["spec"].get("containers") or []]
        conditions = [_condition(one, "") for one in ("PodScheduled", "Initialized", "ContainersReady", "Ready")]
        newest["status"] = {
            "phase": "Running",
            "startTime": now,
            "conditions": conditions,
            "containerStatuses": running,
        }
        self._kube.put(newest)

    def _use(self, launch: Launch) -> None:
        """Counts the node against its NodePool's limits, as Karpenter does in the NodePool's status."""
        pool = self._kube.find("NodePool", launch.nodepool)
        if pool is None:
            return
        status = pool.setdefault("status", {})
        used = {name: Quantity.parse(value) for name, value in (status.get("resources") or {}).items()}
        status["resources"] = {name: str(amount) for name, amount in total([used, dict(launch.type.capacity)]).items()}
        self._kube.put(pool)


def _waits(one: Manifest) -> bool:
    return (
        one["kind"] == "Pod"
        and one.get("status", {}).get("phase") == "Pending"
        and not one["spec"].get("nodeName")
        and not one["metadata"].get("deletionTimestamp")
    )


def _labels(launch: Launch) -> dict[str, str]:
    """What the node's labels say: those of its type that have one value, and its offering's."""
    fixed = {key: next(iter(values)) for key, values in launch.type.labels.items() if len(values) == 1}
    own = {key: value for key, value in launch.offering.labels.items() if value is not None}
    return {**fixed, **own, NODEPOOL: launch.nodepool, INSTANCE_TYPE: launch.type.name}


def _condition(kind: str, reason: str, *, status: str = "True", now: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": now or _now()}


def _now() -> str:
    return app.wall_clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def _amounts(amounts: Resources) -> dict[str, str]:
    return {name: str(amount) for name, amount in amounts.items()}


def _node_claim(name: str, pod: Pod, launch: Launch, now: str) -> Manifest:
    """A NodeClaim as Karpenter makes it (karpenter.sh/v1), not launched yet."""
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": now,
            "labels": _labels(launch),
            "annotations": {"karpenter-bot.dev/simulated": "true"},
        },
        "spec": {
            "requirements": [{"key": INSTANCE_TYPE, "operator": "In", "values": [launch.type.name]}],
            "resources": {"requests": _amounts(requests_of(pod.spec))},
        },
        "status": {
            "providerID": f"aws:///{launch.offering.zone}/i-{MARK}-{name}",
            "capacity": _amounts(launch.type.capacity),
            "allocatable": _amounts(launch.type.allocatable),
            "conditions": [_condition("Launched", "AwaitingReconciliation", status="Unknown", now=now)],
        },
    }


def _node(name: str, launch: Launch, now: str) -> Manifest:
    labels = {**_labels(launch), REGISTERED: "true", HOSTNAME: name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "uid": f"uid-node-{name}", "creationTimestamp": now, "labels": labels},
        "spec": {"providerID": f"aws:///{launch.offering.zone}/i-{MARK}-{name}"},
        "status": {
            "capacity": _amounts(launch.type.capacity),
            "allocatable": _amounts(launch.type.allocatable),
            "conditions": [_condition("Ready", "KubeletNotReady", status="False")],
        },
    }


def _nominated(pod: Manifest, claim: str, now: str) -> Manifest:
    """Karpenter's event that a NodeClaim is being made for the pod (karpenter: scheduling/events.go, Nominated)."""
    meta = pod["metadata"]
    about = {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": meta["namespace"], "name": f"{meta['name']}.{secrets.token_hex(4)}"},
        "involvedObject": about,
        "reason": "Nominated",
        "message": f"Pod should schedule on: nodeclaim/{claim}",
        "type": "Normal",
        "source": {"component": "karpenter"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
