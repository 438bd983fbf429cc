"""`why-gone`: composes one question about a node that went away, for the command line and for Slack. Decides nothing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, Protocol

from bot.app import Clock, Connected, Place, connect, wall_clock
from bot.config import ClusterConfig, Config
from bot.diagnosis.departure import Departure, departure
from bot.diagnosis.lives import lives_of
from bot.failures import failed
from bot.model.diagnosis import Remedy
from bot.model.kubernetes import Pod
from bot.model.objects import ref_of
from bot.model.world import World
from bot.playbooks import Playbooks, render_departure
from bot.remediation.patches import patched
from bot.slack.blocks import answer
from bot.slack.lives import lives_lines, with_lives
from bot.slack.questions import Ask
from bot.slack.services import Asker, Failed, Shown, Verb
from bot.sources.cluster import Cluster
from bot.sources.errors import ClusterUnreachable, NotPermitted, PodNotFound, SourceError
from bot.sources.snapshot import read_snapshot

_UNREAD: Final[Mapping[str, type[SourceError]]] = {
    "http": ClusterUnreachable,
    "no-answer": ClusterUnreachable,
    "no-permission": NotPermitted,
}
_HOLDING: Final = ("events", "nodeclaims.karpenter.sh", "nodes")
"""Gaps in these may hide the node that was asked for: with them, nobody can say that nothing is known of it."""


class Connecting(Protocol):
    """Who has the connections to the clusters."""

    async def connected(self, config: ClusterConfig) -> Connected:
        """The cluster's connection. Raises ClusterUnreachable."""
        ...


def departed(world: World, name: str, namespace: str) -> Departure:
    """What became of a node, NodeClaim or pod. Raises PodNotFound where nothing is known of that name, and what kept
    the cluster from being read where that may be why.
    """
    space, _, bare = name.strip("/").rpartition("/")
    found = departure(world, bare if space.lower() in ("node", "nodes", "pod", "nodeclaim") else name, namespace)
    if found.state == "unknown":
        for gap in found.diagnosis.missing:
            if gap.what in _HOLDING and (trouble := _UNREAD.get(gap.code)):
                raise trouble(str(gap))
        raise PodNotFound(name)
    remedies = tuple(patched(world, _meant(world, remedy), remedy) for remedy in found.diagnosis.remedies)
    return replace(found, diagnosis=replace(found.diagnosis, remedies=remedies))


def _meant(world: World, remedy: Remedy) -> Pod:
    """The pod that a remedy changes; any where it changes none."""
    objects = {edit.object for edit in remedy.edits}
    return next((pod for pod in world.pods if ref_of(pod) in objects), Pod())


def departure_from_snapshot(folder: Path, name: str, namespace: str = "") -> Departure:
    """Answers from a recorded cluster. Raises SnapshotError, PodNotFound."""
    return departed(read_snapshot(folder, wall_clock()), name, namespace)


async def departure_live(place: Place, name: str, namespace: str = "", clock: Clock = wall_clock) -> Departure:
    """Answers from a live cluster, once. Raises the SourceErrors."""
    async with await connect(place) as api:
        cluster = Cluster(api, name=place.context, installation=place.installation)
        return departed(await cluster.observe_past(name, clock()), name, namespace)


class Remembering(Protocol):
    """Who keeps the past of clusters."""

    async def remembered(self, cluster: str, world: World) -> World:
        """The World with what was kept of the cluster's last week."""
        ...


def why_gone(
    connecting: Connecting, memory: Remembering, config: Config, playbooks: Playbooks, clock: Clock = wall_clock
) -> Verb:
    """The verb's answer in Slack."""

    async def said(ask: Ask, asker: Asker) -> Shown | Failed:  # noqa: ARG001 (everybody may ask)
        name = " ".join(ask.words)
        where = config.cluster(ask.cluster)
        if where is None:
            known = tuple(filter(None, (c.name or c.context for c in config.clusters)))
            return Failed(code="unknown-cluster", facts={"asked": ask.cluster, "known": known})
        if not name:
            return Failed(code="missing-pod", facts={"command": "/karpenter", "asked": "", "suggestion": ""})
        try:
            cluster = (await connecting.connected(where)).cluster
            seen = await cluster.observe_past(name, clock())
            world = await memory.remembered(where.name, seen)
            found = departed(world, name, ask.namespace)
        except PodNotFound:
            return Failed(code="nothing-known", facts={"asked": name})
        except SourceError as error:
            return failed(error, name)
        language = ask.language or config.language
        phrases = playbooks.phrases(language)
        rendered, lives = render_departure(found, playbooks, language), lives_of(world, found)
        shown = answer(replace(rendered, nodes=lives_lines(lives, phrases)), phrases)
        return Shown(message=with_lives(shown, lives, world.now, phrases, playbooks.phrases("en")))

    return said
