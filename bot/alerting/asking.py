"""One alert's question put to the cluster: a Found for the incident, or LookupFailed. Reads through `Clusters` only."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from bot.alerting import words
from bot.alerting.answers import Clusters, Found, LookupFailed, WaitingGroup
from bot.alerts import Question, Subject
from bot.alerts.owners import job_of, owner_of
from bot.playbooks import Line, Phrases
from bot.slack.blocks import Message
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Choose, Failed
from bot.sources.ownership import Owned

MOST_OWNERS: Final = 20
"""Workloads of a group that are looked at; their pods are most of what waits, and the rest is counted."""
BEHIND: Final = 5
"""Workloads that are looked at behind an alert about NodePools."""
_NOT_FOUND: Final = frozenset({"pod-not-found", "no-pending-pods"})
_LONGEST: Final = 180
InTime = Callable[[Awaitable[Any]], Awaitable[Any]]


class Asking:
    """Puts alerts' questions to clusters, at most as many at once as answers are worked at (`in_time`)."""

    def __init__(self, clusters: Clusters, in_time: InTime) -> None:
        self._clusters, self._in_time = clusters, in_time

    def resolve(self, cluster: str, channel: str) -> str | None:
        """The configured name of the cluster that an alert in this channel is about."""
        return self._clusters.resolve(cluster, channel)

    async def owners(self, cluster: str, namespace: str, pods: Sequence[str]) -> Mapping[str, Owned]:
        """The owners of pods that are there; nothing where the cluster does not tell."""
        try:
            found: Mapping[str, Owned] = await self._timed(self._clusters.owners(cluster, namespace, pods))
        except LookupFailed:
            return {}
        return found

    async def ask(
        self,
        question: Question,
        subject: Subject,
        asker: Asker,
        phrases: Phrases,
        owned: Mapping[str, Owned] | None = None,
    ) -> Found:
        """The answer to an alert; `owned`: the owners of its pods, None where nobody has asked. Raises LookupFailed."""
        cluster = self._clusters.resolve(subject.cluster, asker.channel)
        if cluster is None:
            facts = {"asked": subject.cluster, "known": self._clusters.names}
            raise LookupFailed("unknown-cluster", facts, again=False)
        if owned is None and question is Question.WHY_POD and len(subject.pods) > 1:
            owned = await self.owners(cluster, subject.namespace, subject.pods)
        if question is Question.WHY_NODE and (subject.node or subject.nodeclaim):
            return await self._node(cluster, subject, phrases)
        if question is Question.NODEPOOL:
            return await self._nodepool(cluster, subject, asker, phrases)
        if question is Question.WHY_POD and len({one.top for one in (owned or {}).values()}) > 1:
            return await self._several(cluster, subject.namespace, owned or {}, asker, phrases)
        there = [pod for pod in subject.pods if pod in (owned or {})] or subject.pods
        name = subject.pod or next(iter(there), "") or subject.job or subject.workload
        if question is Question.WHY_POD and name:
            return await self._pod(cluster, subject, name, asker, phrases, owned or {})
        return await self._group(cluster, subject, asker, phrases)

    async def _pod(
        self, cluster: str, subject: Subject, name: str, asker: Asker, phrases: Phrases, owned: Mapping[str, Owned]
    ) -> Found:
        reply = await self._why(cluster, subject.namespace, name, asker, phrases)
        if isinstance(reply, Choose):  # a Job or Deployment with several pods that wait: one speaks for all
            first = reply.candidates[0]
            pods = tuple(f"{c.namespace}/{c.name}" for c in reply.candidates)
            found = await self._why(cluster, first.namespace, first.name, asker, phrases)
            if isinstance(found, Answered):
                return await self._found(cluster, found, pods, owned, phrases)
            reply = found
        if isinstance(reply, Answered):
            pods = tuple(f"{subject.namespace}/{pod}" for pod in subject.pods) or (reply.rendered.pod,)
            return await self._found(cluster, reply, pods, owned, phrases)
        if isinstance(reply, Failed) and reply.code in _NOT_FOUND:
            return await self._gone(cluster, subject, name, phrases)
        assert isinstance(reply, Failed)  # noqa: S101 (what is left of Reply)
        raise LookupFailed(reply.code, reply.facts)

    async def _found(
        self, cluster: str, reply: Answered, pods: tuple[str, ...], owned: Mapping[str, Owned], phrases: Phrases
    ) -> Found:
        rendered = reply.rendered
        namespace, _, pod = rendered.pod.partition("/")
        known = owned if pod in owned else {**owned, **await self.owners(cluster, namespace, [pod])}
        owner = str(known[pod].top) if pod in known else owner_of(pod)
        cause = rendered.causes[0].id if rendered.causes else rendered.verdict
        whole = tuple(p if "/" in p and not p.startswith("/") else f"{namespace}/{p.strip('/')}" for p in pods)
        return Found(
            key=f"{workload_key(cluster, namespace, owner)}{cause}",
            message=words.pod_answer(reply, phrases),
            pods=whole,
            jobs=tuple(sorted({job for name in whole if (job := job_in(name, known))})),
            watch={"cluster": cluster, "namespace": namespace, "owners": [owner], "pod": pod},
        )

    async def _gone(self, cluster: str, subject: Subject, name: str, phrases: Phrases) -> Found:
        trace = await self._timed(self._clusters.trace(cluster, subject.namespace, name))
        asked = f"{subject.namespace}/{name}" if subject.namespace else name
        return Found(
            key=f"gone:{_short(f'{cluster}/{asked}')}",
            message=words.gone_pod(asked, trace, phrases),
            pods=(asked,) if subject.pod else (),
            watch={},
        )

    async def _node(self, cluster: str, subject: Subject, phrases: Phrases) -> Found:
        """Its health now, and what `why-gone` says of it and its pods."""
        story, gone = await asyncio.gather(
            self._timed(self._clusters.node(cluster, subject)),
            self._timed(self._clusters.departed(cluster, subject, phrases.language)),
        )
        return Found(
            key=f"node:{_short(f'{cluster}/{story.name}')}",
            message=words.node_answer(story, gone, cluster, phrases),
            watch={"cluster": cluster, "node": story.name} if story.exists else {},
        )

    async def _nodepool(self, cluster: str, subject: Subject, asker: Asker, phrases: Phrases) -> Found:
        """The NodePool with its limits and their use (of all NodePools those in trouble), and the pods that wait."""
        pooled, groups = await asyncio.gather(
            self._timed(self._clusters.nodepools(cluster, subject.nodepool)),
            self._timed(self._clusters.pending(cluster, "")),
        )
        asked = groups[:BEHIND]
        lines = await asyncio.gather(*(self._line(cluster, group, asker, phrases) for group in asked))
        behind = list(zip(asked, lines, strict=True))
        total = sum(group.count for group in groups)
        return Found(
            key=f"nodepool:{_short(f'{cluster}/{subject.nodepool}')}",
            message=words.nodepool_answer(pooled, subject.nodepool, behind, total, phrases),
        )

    async def _several(
        self, cluster: str, namespace: str, owned: Mapping[str, Owned], asker: Asker, phrases: Phrases
    ) -> Found:
        """One answer for an alert whose pods belong to several workloads."""
        by_owner: dict[str, list[str]] = {}
        for name, one in sorted(owned.items()):
            by_owner.setdefault(str(one.top), []).append(f"{namespace}/{name}")
        groups = [
            WaitingGroup(namespace=namespace, owner=owner.partition("/")[2], pods=tuple(pods), count=len(pods))
            for owner, pods in sorted(by_owner.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        ]
        where = {"cluster": cluster, "namespace": namespace, "nodepool": ""}
        message = await self._grouped(cluster, groups, where, asker, phrases)
        return Found(
            key=workload_key(cluster, namespace, ",".join(sorted(by_owner))),
            message=message,
            pods=tuple(f"{namespace}/{name}" for name in owned),
            jobs=tuple(sorted({one.job for one in owned.values() if one.job})),
            watch={"cluster": cluster, "namespace": namespace, "owners": sorted(by_owner)},
        )

    async def _group(self, cluster: str, subject: Subject, asker: Asker, phrases: Phrases) -> Found:
        """One answer for many pods that the alert does not name."""
        groups = await self._timed(self._clusters.pending(cluster, subject.namespace))
        where = {"cluster": cluster, "namespace": subject.namespace, "nodepool": subject.nodepool}
        key = f"group:{_short(f'{cluster}/{subject.namespace}:{subject.nodepool}')}"
        if not groups:
            return Found(key=key, message=words.nothing_waits(where, phrases))
        message = await self._grouped(cluster, groups, where, asker, phrases)
        pods = tuple(pod for group in groups for pod in group.pods)[:1_000]
        watch = {"cluster": cluster, "namespace": subject.namespace, "owners": []}
        return Found(key=key, message=message, pods=pods, watch=watch)

    async def _grouped(
        self,
        cluster: str,
        groups: Sequence[WaitingGroup],
        where: Mapping[str, object],
        asker: Asker,
        phrases: Phrases,
    ) -> Message:
        """By workload, one pod of each asked about, equal causes put together."""
        asked = groups[:MOST_OWNERS]
        lines = await asyncio.gather(*(self._line(cluster, group, asker, phrases) for group in asked))
        total = sum(group.count for group in groups)
        return words.grouped(where, list(zip(asked, lines, strict=True)), total, phrases)

    async def _line(self, cluster: str, group: WaitingGroup, asker: Asker, phrases: Phrases) -> Line:
        namespace, _, pod = group.pods[0].partition("/")
        reply = await self._why(cluster, namespace, pod, asker, phrases)
        if isinstance(reply, Answered):
            return reply.rendered.headline
        code = reply.code if isinstance(reply, Failed) else "internal"
        facts = dict(reply.facts) if isinstance(reply, Failed) else {"reference": "several"}
        return phrases.line(f"error.{code}", **facts) if phrases.has(f"error.{code}") else Line(())

    async def _why(self, cluster: str, namespace: str, pod: str, asker: Asker, phrases: Phrases) -> Any:  # noqa: ANN401
        question = Why(pod=pod, namespace=namespace, cluster=cluster, language=phrases.language)
        return await self._in_time(self._clusters.why(question, asker))

    async def _timed(self, work: Awaitable[Any]) -> Any:  # noqa: ANN401
        found = await self._in_time(_told(work))
        if isinstance(found, LookupFailed):
            raise found
        if isinstance(found, Failed):
            raise LookupFailed(found.code, found.facts)
        return found


def workload_key(cluster: str, namespace: str, owner: str) -> str:
    """How the keys of incidents about this workload begin; the cause follows. Several workloads stand with commas between."""
    return f"pod:{_short(f'{cluster}/{namespace}/{owner}')}:"


def job_in(pod: str, owned: Mapping[str, Owned]) -> str:
    """The Job that made a pod (`namespace/name`): by its owner, by its name alone where it is gone."""
    name = pod.rpartition("/")[2]
    return owned[name].job if name in owned else job_of(name)


def _short(text: str) -> str:
    """At most _LONGEST characters that mean the same text only."""
    return text if len(text) <= _LONGEST else hashlib.sha256(text.encode()).hexdigest()


async def _told(work: Awaitable[Any]) -> Any:  # noqa: ANN401
    """A LookupFailed as a value: `in_time` makes every exception a failure without a name."""
    try:
        return await work
    except LookupFailed as failed:
        return failed
