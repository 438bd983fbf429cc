"""Alerts that wait -> incidents: like ones together, each question asked once, the answer and what it grew to in one message."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from bot.alerting import words
from bot.alerting.answers import Found, LookupFailed
from bot.alerting.asking import Asking, job_in, workload_key
from bot.alerting.intake import alert_of
from bot.alerting.settings import ChannelSettings
from bot.alerts import Alert, Question, Status, Subject
from bot.alerts.owners import owner_of
from bot.app import Clock
from bot.playbooks import Phrases, Rendered
from bot.slack.blocks import answer
from bot.slack.services import Asker
from bot.sources.ownership import Owned
from bot.store import Store, StoreUnavailable, incidents, outbox
from bot.store.incidents import Change, Fold, Incident, Waiting

LOG: Final = logging.getLogger(__name__)
TAKEN_FOR: Final = 15.0
"""Seconds for which alerts are taken, again and again while they are worked at; of a process that died, another takes them."""
FRESH: Final = timedelta(minutes=5)
"""So long an incident's answer holds for further alerts about the same workload."""
MOST_PODS: Final = 2_000
MOST_TRIES: Final = 4
_Where = tuple[str, str, str]
"""Channel, the cluster as the alert calls it, namespace."""
Explain = Callable[[str, str], Rendered | None]
"""A pasted text and a language -> what the text proves by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Waiting alerts of one channel that ask the same of the same workload, `owner`; `owned` are their pods' owners."""

    channel: str
    question: Question
    subject: Subject
    items: tuple[Waiting, ...]
    owner: str = ""
    owned: Mapping[str, Owned] = field(default_factory=dict)

    @property
    def first(self) -> Mapping[str, Any]:
        """The earliest alert's body: the reply goes into its thread."""
        return min(self.items, key=lambda one: one.body.get("sent", 0.0)).body


class Attending:
    """Deals with what waits in the store; many may do so at once."""

    def __init__(
        self, store: Store, asking: Asking, phrases: Callable[[str], Phrases], clock: Clock, explain: Explain
    ) -> None:
        self._store, self._asking, self._phrases, self._clock = store, asking, phrases, clock
        self._explain = explain
        self.wake = asyncio.Event()
        self.changed: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Attends until it is cancelled."""
        while True:
            self.wake.clear()
            try:
                some = await self.attend()
            except Exception:
                LOG.exception("attending to alerts stumbled; it goes on")
                some = False
            if not some:
                try:
                    async with asyncio.timeout(1.0):
                        await self.wake.wait()
                except TimeoutError:
                    continue

    async def attend(self) -> bool:
        """Deals with everything that waits now; whether there was anything."""
        taken = await incidents.take(self._store, self._clock(), TAKEN_FOR)
        if not taken:
            return False
        holding = asyncio.create_task(self._hold([item.id for item in taken]))
        try:
            done = await self._deal([(item, alert_of(item.body)) for item in taken])
        finally:
            holding.cancel()
        return done

    async def _hold(self, ids: Sequence[str]) -> None:
        """Keeps what was taken from other replicas for as long as it is worked at."""
        while True:
            await asyncio.sleep(TAKEN_FOR / 3)
            try:
                await incidents.hold(self._store, ids, self._clock() + timedelta(seconds=TAKEN_FOR))
            except StoreUnavailable as error:
                LOG.warning("taken alerts could not be held: %s", error)

    async def _deal(self, alerts: Sequence[tuple[Waiting, Alert]]) -> bool:
        firing = [(item, alert) for item, alert in alerts if alert.status is not Status.RESOLVED]
        owned = await self._owned(firing)
        done = await asyncio.gather(*(self._guarded(batch) for batch in batches(firing, owned)))
        for item, alert in alerts:
            if alert.status is Status.RESOLVED:
                await self._resolved(item)
        return all(done)

    async def _owned(self, alerts: Sequence[tuple[Waiting, Alert]]) -> dict[_Where, Mapping[str, Owned]]:
        """The owners of the pods that alerts name, a question for each channel and namespace."""
        pods: dict[_Where, list[str]] = {}
        for item, alert in alerts:
            one = alert.subject
            if alert.question is Question.WHY_POD and one.pods and one.namespace:
                pods.setdefault((item.channel, one.cluster, one.namespace), []).extend(one.pods)
        asked = {where: self._asking.resolve(where[1], where[0]) for where in pods}
        known = [where for where, cluster in asked.items() if cluster is not None]
        found = await asyncio.gather(
            *(self._asking.owners(str(asked[where]), where[2], list(dict.fromkeys(pods[where]))) for where in known)
        )
        return dict(zip(known, found, strict=True))

    async def _guarded(self, batch: Batch) -> bool:
        try:
            await self._firing(batch)
        except Exception:
            LOG.exception("alerts in %s could not be dealt with; they are tried again", batch.channel)
            await incidents.put_back(self._store, _ids(batch), self._clock() + timedelta(seconds=10))
            return False
        return True

    async def _firing(self, batch: Batch) -> None:
        settings = ChannelSettings.read(await outbox.read_settings(self._store, batch.channel))
        subject = batch.subject
        resolved = self._asking.resolve(subject.cluster, batch.channel) or ""
        if not settings.wants({subject.cluster, resolved} if subject.cluster else set(), subject.namespace):
            await incidents.settle(self._store, _ids(batch))
            return
        news = [item for item in batch.items if not await self._known_edit(item)]
        if len(news) < len(batch.items):
            await incidents.settle(self._store, [item.id for item in batch.items if item not in news])
        if not news:
            return
        phrases = self._phrases(settings.language)
        given = bool(batch.first.get("text"))  # by a person, who waits for an answer there
        joined = None if given else await self._joinable(batch)
        if joined is not None:
            await self._fold(batch, news, joined.key, None, phrases)
            return
        asker = Asker(user=str(batch.first.get("user", "")), channel=batch.channel, thread_ts=batch.first["thread_ts"])
        found: Found | None
        try:
            found = await self._asking.ask(batch.question, subject, asker, phrases, batch.owned)
        except LookupFailed as failed:
            found = await self._without_answer(batch, failed, phrases)
        if found is None:
            return
        if given and found.key.startswith(("gone:", "failed:")):
            found = self._of_text(batch, phrases) or found
        await self._fold(batch, news, f"paste:{news[0].id}" if given else found.key, found, phrases)

    async def _known_edit(self, item: Waiting) -> bool:
        """An edit of an alert that is known to fire already says nothing new."""
        if not item.body.get("changed"):
            return False
        return await incidents.is_firing(self._store, item.channel, item.body["fingerprint"])

    async def _joinable(self, batch: Batch) -> Incident | None:
        """The open incident of the same workload whose answer is fresh."""
        if batch.question is not Question.WHY_POD or not batch.owner or not batch.subject.namespace:
            return None
        cluster = self._asking.resolve(batch.subject.cluster, batch.channel)
        prefix = workload_key(cluster or "", batch.subject.namespace, batch.owner)
        found = await incidents.known(self._store, batch.channel, prefix)
        if found is None or not found.body.get("asked"):
            return None
        asked = datetime.fromisoformat(found.body["asked"])
        return found if self._clock() - asked < FRESH else None

    async def _without_answer(self, batch: Batch, failed: LookupFailed, phrases: Phrases) -> Found | None:
        """Tries again later, a few times; then says why there is no answer, once for all alerts with that trouble."""
        tries = max(item.attempts for item in batch.items)
        if failed.again and tries < MOST_TRIES:
            again = self._clock() + timedelta(seconds=5 * 2**tries)
            await incidents.put_back(self._store, _ids(batch), again)
            return None
        message = words.failure(failed.code, failed.facts, phrases)
        return Found(key=f"failed:{failed.code}:{batch.subject.cluster}"[:255], message=message)

    def _of_text(self, batch: Batch, phrases: Phrases) -> Found | None:
        rendered = self._explain(str(batch.first["text"]), phrases.language)
        if rendered is None:
            return None
        return Found(key=f"paste:{batch.items[0].id}"[:255], message=answer(rendered, phrases))

    async def _fold(
        self, batch: Batch, news: Sequence[Waiting], key: str, found: Found | None, phrases: Phrases
    ) -> None:
        now = self._clock()
        named = [f"{a.subject.namespace}/{pod}" for a in map(_alert, news) for pod in a.subject.pods]
        pods = [*(found.pods if found else ()), *named]

        def decide(change: Change) -> None:
            body = change.body
            if change.new:
                body |= {"opened": now.isoformat(), "alerts": 0, "pods": [], "jobs": [], "language": phrases.language}
                body |= {"watch": {}, "alert": batch.first.get("heading")}
            if found is not None:
                body |= {"answer": found.message.as_json(), "asked": now.isoformat(), "watch": dict(found.watch)}
            body["alerts"] += len(news)
            body["pods"] = list(dict.fromkeys([*body["pods"], *pods]))[:MOST_PODS]
            jobs = [job for pod in named if (job := job_in(pod, batch.owned))]
            body["jobs"] = list(dict.fromkeys([*body["jobs"], *(found.jobs if found else ()), *jobs]))[:MOST_PODS]
            change.wanted = words.incident_message(body, phrases)

        fold = Fold(
            channel=batch.channel,
            key=key[:255],
            thread_ts=batch.first["thread_ts"],
            fingerprints=tuple(dict.fromkeys(item.body["fingerprint"] for item in news)),
            done=tuple(item.id for item in news),
        )
        await incidents.fold(self._store, fold, now, decide)
        self.changed()

    async def _resolved(self, item: Waiting) -> None:
        incident, firing = await incidents.resolve(self._store, item.channel, item.body["fingerprint"], self._clock())
        if not incident or firing:
            await incidents.settle(self._store, [item.id])
            return
        await self.ended(incident, "resolved", done=(item.id,))

    async def ended(self, incident: str, how: str, *, node: str = "", done: Sequence[str] = ()) -> None:
        """Closes an incident and says in its message how it ended."""
        now = self._clock()

        def decide(change: Change) -> None:
            change.state = incidents.ENDED
            change.body["ended"] = {"how": how, "node": node, "at": now.isoformat()}
            change.wanted = words.incident_message(change.body, self._phrases(change.body.get("language", "")))

        await incidents.end(self._store, incident, now, decide, done)
        self.changed()


def batches(
    alerts: Iterable[tuple[Waiting, Alert]], owned: Mapping[_Where, Mapping[str, Owned]] | None = None
) -> list[Batch]:
    """Alerts by channel, question and workload, the oldest first. `owned`: the owners of the pods that are there."""
    found: dict[tuple[str, ...], list[tuple[Waiting, Alert]]] = {}
    owners: dict[tuple[str, ...], Mapping[str, Owned]] = {}
    for item, alert in alerts:
        if alert.question is None:
            continue
        one = alert.subject
        own = _of(one, (owned or {}).get((item.channel, one.cluster, one.namespace), {}))
        about = workloads(one, own)
        named = about or one.node or one.nodeclaim or one.nodepool or one.namespace
        place = (item.channel, alert.question, one.cluster, one.namespace, about)
        own_name = "" if named else alert.alertname
        key = (*place, one.node, one.nodeclaim, one.nodepool, own_name, item.id if item.body.get("text") else "")
        found.setdefault(key, []).append((item, alert))
        owners[key] = {**owners.get(key, {}), **own}
    return [
        Batch(
            channel=key[0],
            question=some[0][1].question or Question.WHY_POD,
            subject=some[0][1].subject,
            items=tuple(item for item, _ in some),
            owner=key[4],
            owned=owners[key],
        )
        for key, some in found.items()
    ]


def workloads(subject: Subject, owned: Mapping[str, Owned]) -> str:
    """The workloads that an alert is about: its pods' topmost owners; by name alone only where no pod is left."""
    if owned:
        return ",".join(sorted({str(one.top) for one in owned.values()}))
    names = subject.pods or ((subject.pod,) if subject.pod else ())
    return owner_of(names[0]) if names else subject.job or subject.workload


def _of(subject: Subject, owned: Mapping[str, Owned]) -> dict[str, Owned]:
    return {name: owned[name] for name in subject.pods if name in owned}


def _ids(batch: Batch) -> list[str]:
    return [item.id for item in batch.items]


def _alert(item: Waiting) -> Alert:
    return alert_of(item.body)
