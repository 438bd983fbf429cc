"""One alert's question put to the cluster: a Found for the incident, or LookupFailed. Reads through `Clusters` only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from bot.alerting import words
from bot.alerting.answers import Clusters, Found, LookupFailed, WaitingGroup
from bot.alerts import Question, Subject
from bot.alerts.owners import owner_of
from bot.playbooks import Line, Phrases
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Choose, Failed

MOST_OWNERS: Final = 20
"""Workloads of a group that are looked at; their pods are most of what waits, and the rest is counted."""
_NOT_FOUND: Final = frozenset({"pod-not-found", "no-pending-pods"})
InTime = Callable[[Awaitable[Any]], Awaitable[Any]]


class Asking:
    """Puts alerts' questions to clusters, at most as many at once as answers are worked at (`in_time`)."""

    def __init__(self, clusters: Clusters, in_time: InTime) -> None:
        self._clusters, self._in_time = clusters, in_time

    def resolve(self, cluster: str, channel: str) -> str | None:
        """The configured name of the cluster that an alert in this channel is about."""
        return self._clusters.resolve(cluster, channel)

    async def ask(self, question: Question, subject: Subject, asker: Asker, phrases: Phrases) -> Found:
        """The answer to an alert. Raises LookupFailed."""
        cluster = self._clusters.resolve(subject.cluster, asker.channel)
        if cluster is None:
            facts = {"asked": subject.cluster, "known": self._clusters.names}
            raise LookupFailed("unknown-cluster", facts, again=False)
        if question is Question.WHY_NODE and (subject.node or subject.nodeclaim):
            return await self._node(cluster, subject, phrases)
        name = subject.pod or subject.job or subject.workload
        if question is Question.WHY_POD and name:
            return await self._pod(cluster, subject, name, asker, phrases)
        if question is Question.WHY_POD and len(subject.pods) > 1:
            return await self._pod(cluster, subject, subject.pods[0], asker, phrases)
        return await self._group(cluster, subject, asker, phrases)

    async def _pod(self, cluster: str, subject: Subject, name: str, asker: Asker, phrases: Phrases) -> Found:
        reply = await self._why(cluster, subject.namespace, name, asker, phrases)
        if isinstance(reply, Choose):  # a Job or Deployment with several pods that wait: one speaks for all
            first = reply.candidates[0]
            pods = tuple(f"{c.namespace}/{c.name}" for c in reply.candidates)
            found = await self._why(cluster, first.namespace, first.name, asker, phrases)
            if isinstance(found, Answered):
                return self._found(cluster, found, pods, reply.total, phrases)
            reply = found
        if isinstance(reply, Answered):
            pods = tuple(f"{subject.namespace}/{pod}" for pod in subject.pods) or (reply.rendered.pod,)
            return self._found(cluster, reply, pods, len(pods), phrases)
        if isinstance(reply, Failed) and reply.code in _NOT_FOUND:
            return await self._gone(cluster, subject, name, phrases)
        assert isinstance(reply, Failed)  # noqa: S101 (what is left of Reply)
        raise LookupFailed(reply.code, reply.facts)

    def _found(self, cluster: str, reply: Answered, pods: tuple[str, ...], count: int, phrases: Phrases) -> Found:
        rendered = reply.rendered
        namespace, _, pod = rendered.pod.partition("/")
        owner = owner_of(pod)
        cause = rendered.causes[0].id if rendered.causes else rendered.verdict
        return Found(
            key=f"pod:{cluster}/{namespace}/{owner}:{cause}",
            message=words.pod_answer(reply, phrases),
            pods=tuple(p if "/" in p and not p.startswith("/") else f"{namespace}/{p.strip('/')}" for p in pods),
            count=count,
            watch={"cluster": cluster, "namespace": namespace, "owner": owner, "pod": pod},
        )

    async def _gone(self, cluster: str, subject: Subject, name: str, phrases: Phrases) -> Found:
        trace = await self._timed(self._clusters.trace(cluster, subject.namespace, name))
        asked = f"{subject.namespace}/{name}" if subject.namespace else name
        return Found(
            key=f"gone:{cluster}/{asked}",
            message=words.gone_pod(asked, trace, phrases),
            pods=(asked,) if subject.pod else (),
            watch={},
        )

    async def _node(self, cluster: str, subject: Subject, phrases: Phrases) -> Found:
        story = await self._timed(self._clusters.node(cluster, subject))
        watch = {"cluster": cluster, "node": story.name} if story.exists else {}
        return Found(
            key=f"node:{cluster}/{subject.node or subject.nodeclaim}",
            message=words.node_answer(story, cluster, phrases),
            watch=watch,
        )

    async def _group(self, cluster: str, subject: Subject, asker: Asker, phrases: Phrases) -> Found:
        """One answer for many pods: by workload, one pod of each asked about, equal causes put together."""
        groups = await self._timed(self._clusters.pending(cluster, subject.namespace))
        where = {"cluster": cluster, "namespace": subject.namespace, "nodepool": subject.nodepool}
        key = f"group:{cluster}/{subject.namespace}:{subject.nodepool}"
        if not groups:
            return Found(key=key, message=words.nothing_waits(where, phrases))
        asked = groups[:MOST_OWNERS]
        lines = await asyncio.gather(*(self._line(cluster, group, asker, phrases) for group in asked))
        pods = tuple(pod for group in groups for pod in group.pods)[:1_000]
        total = sum(group.count for group in groups)
        message = words.grouped(where, list(zip(asked, lines, strict=True)), total, phrases)
        watch = {"cluster": cluster, "namespace": subject.namespace, "owner": ""}
        return Found(key=key, message=message, pods=pods, count=total, watch=watch)

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


async def _told(work: Awaitable[Any]) -> Any:  # noqa: ANN401
    """A LookupFailed as a value: `in_time` makes every exception a failure without a name."""
    try:
        return await work
    except LookupFailed as failed:
        return failed
