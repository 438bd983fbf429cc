"""The serving bot's composition root: settings in, Slack's door open, one shared set of connections and caches behind it."""

import asyncio
import gc
import logging
import os
import secrets
import sys
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bot import __version__, app, operations
from bot.alerting import AlertThreads
from bot.alerting.wiring import alert_threads
from bot.approving.proposing import Terms
from bot.approving.service import Service, WordedClusters
from bot.catalogues import Catalogues
from bot.config import ClusterConfig, Config, ConfigError, SlackConfig, load_config
from bot.departing import why_gone
from bot.digest import Digest
from bot.failures import failed
from bot.leading import Leadership, leadership
from bot.market_verbs import market_verbs
from bot.model.diagnosis import Diagnosis
from bot.people import People
from bot.playbooks import Phrases, Playbooks, Rendered, render
from bot.playbooks.focus import focused
from bot.reloading import FollowedPlaybooks, Following
from bot.remembering import Keeper, Memory
from bot.replicas import Housekeeping, StoreBook, as_evidence, evidence_in
from bot.slack import serving
from bot.slack.floor import Part
from bot.slack.handover import Handover
from bot.slack.proposals import Proposals
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Candidate, Choose, Failed, Offered, Reply, Verb
from bot.sources.aws import Account
from bot.sources.ec2 import Ec2, Ec2Question
from bot.sources.errors import ClusterUnreachable, PodNotFound, ReadFailed, SeveralPods, SourceError
from bot.sources.flights import Flights
from bot.sources.karpenter_side import Installation
from bot.sources.kube_api import KubeConnection
from bot.sources.lanes import Lane
from bot.sources.pod_search import PodQuestion
from bot.sources.regions import region_of_zone
from bot.store import Store, StoreUnavailable, open_store
from bot.store.answers import keep_answer, kept_answer
from bot.store.clock import SharedClock
from bot.telemetry.logs import start_logging
from bot.telemetry.measures import count, stage
from bot.telemetry.tracing import start_tracing, stop_tracing

LOG: Final = logging.getLogger(__name__)
Offering = Callable[[str, Diagnosis], Awaitable[tuple[Offered, ...]]]
"""The buttons under an answer: the cluster's name and its diagnosis in."""
Noting = Callable[[str, Diagnosis, str], Awaitable[None]]
"""Who counts answers: the cluster's name, the diagnosis, the channel."""
_PROBE: Final = 3.0
"""Seconds for one cluster's sign of life."""
_FOR_AWS: Final = 0.6
"""The share of an answer's time that AWS may take; without its facts the rest of the answer still goes out."""
_TURN: Final = 0.0005
"""Seconds for which a thread that decides may keep Python to itself while the event loop waits to acknowledge what came in.
The default of 5 ms costs an acknowledgement, with its dozens of waits for sockets and the store, half a second.
"""
KEPT_ANSWERS: Final = 500
"""Answers whose evidence can still be opened; older buttons say that theirs is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """An answer that was worked out once for all who asked for it at that time. `noted`: the channels that count it."""

    diagnosis: Diagnosis
    answer_id: str
    rendered: Mapping[str, Rendered]
    offers: tuple[Offered, ...] = ()
    noted: set[str] = field(default_factory=set)


class Desk:
    """Answers the questions that come in from Slack (bot.slack.services.Services)."""

    def __init__(
        self, config: Config, playbooks: Playbooks, ec2: Ec2 | None = None, store: Store | None = None
    ) -> None:
        self._store = store
        self._config = config
        self._playbooks = playbooks
        self._shared = app.Shared(
            ec2=ec2 or Ec2(patience=config.slack.answer_seconds * _FOR_AWS), catalogues=Catalogues(len(config.clusters))
        )
        self._answers: OrderedDict[str, Diagnosis] = OrderedDict()
        self._connected: dict[str, app.Connected] = {}
        self._lanes: dict[str, Lane] = {}
        self._flights: Flights[tuple[str, PodQuestion], _Common] = Flights()
        self.offers: Offering | None = None
        self.noted: Noting | None = None

    async def why(self, question: Why, asker: Asker) -> Reply:
        """Answers, offers the pods that fit, or says in a code why there is no answer."""
        config = self.named(question.cluster, asker.channel)
        if isinstance(config, Failed):
            return config
        pod = PodQuestion(name=question.pod, namespace=question.namespace)
        try:
            found = await self._flights.join(
                (config.name, pod), self.lane(config).turn, lambda: self._answered(config, pod)
            )
        except PodNotFound as error:
            if error.fits:
                return Failed(code="no-pending-pods", facts={"asked": question.asked, "others": error.fits})
            return Failed(code="pod-not-found", facts={"asked": question.asked, "near": error.nearest})
        except SeveralPods as error:
            candidates = (Candidate(namespace=n, name=p) for n, _, p in (c.partition("/") for c in error.candidates))
            return Choose(candidates=tuple(candidates), asked=question.asked, total=error.total)
        except SourceError as error:
            return failed(error, question.asked)
        cause = found.diagnosis.causes[0].id if found.diagnosis.causes else "none"
        count("answers", cluster=config.shown_name, verdict=found.diagnosis.verdict.value, cause=cause)
        if self.noted and asker.channel not in found.noted:
            found.noted.add(asker.channel)
            await self.noted(config.name, found.diagnosis, asker.channel)
        language = question.language or self._config.language
        rendered = found.rendered.get(language) or self._rendered(found.diagnosis, language)
        return Answered(answer_id=found.answer_id, rendered=rendered, offers=found.offers)

    async def _answered(self, config: ClusterConfig, pod: PodQuestion) -> _Common:
        """The answer for all who ask for it now, in every language. Raises the SourceErrors."""
        diagnosis = await self._diagnosis(config, pod)
        with stage("render"):
            rendered = {language: self._rendered(diagnosis, language) for language in self._playbooks.languages}
        offers = await self.offers(config.name, diagnosis) if self.offers else ()
        answer_id = await self._keep(diagnosis, rendered)
        return _Common(diagnosis=diagnosis, answer_id=answer_id, rendered=rendered, offers=offers)

    @property
    def shared(self) -> app.Shared:
        """AWS and the catalogues, with their caches."""
        return self._shared

    def named(self, cluster: str, channel: str = "") -> ClusterConfig | Failed:
        """The cluster of that name, for no name the channel's or the only one; else the failure that says which there are."""
        config = self._config.cluster_of(cluster, channel)
        if config is not None:
            return config
        known = tuple(filter(None, (c.name or c.context for c in self._config.clusters)))
        return Failed(code="unknown-cluster", facts={"asked": cluster, "known": known})

    def place(self, config: ClusterConfig) -> app.Place:
        """How the cluster and its AWS account are reached."""
        return place_for(self._config, config)

    async def evidence(self, answer_id: str, language: str) -> Rendered | None:
        """A kept answer once more; from the store where another replica, or this one before its restart, gave it."""
        diagnosis = self._answers.get(answer_id)
        if diagnosis is not None:
            return self._rendered(diagnosis, language)
        kept = await kept_answer(self._store, answer_id) if self._store else None
        return evidence_in(kept, language or self._config.language) if kept else None

    def phrases(self, language: str) -> Phrases:
        """A language's sentences."""
        return self._playbooks.phrases(language)

    async def close(self) -> None:
        """Ends every connection and thread."""
        for connected in self._connected.values():
            await connected.close()
        self._shared.ec2.close()

    async def prepare(self) -> None:
        """Connects to every cluster and reads what all questions need; trouble is left for the questions to tell."""
        await asyncio.gather(*map(self._prepare, self._config.clusters))

    async def _prepare(self, config: ClusterConfig) -> None:
        try:
            connected = await self.connected(config)
            await app.prepare(connected.cluster, self._shared, place_for(self._config, config))
        except SourceError as error:
            LOG.warning("cluster %s: %s", config.shown_name, error)

    async def connected(self, config: ClusterConfig) -> app.Connected:
        """The cluster's connection, made at its first use. Raises ClusterUnreachable."""
        async with self.lane(config).connecting:
            if config.name not in self._connected:
                place = place_for(self._config, config)
                self._connected[config.name] = await app.stay_connected(place, config.name)
        return self._connected[config.name]

    def lane(self, config: ClusterConfig) -> Lane:
        """The turns of one cluster, and its rest where it does not answer."""
        lane = self._lanes.get(config.name)
        if lane is None:
            lane = self._lanes[config.name] = Lane(
                config.shown_name, self._config.slack.answers_at_once, time.monotonic
            )
        return lane

    async def reached(self, config: ClusterConfig) -> str:
        """Why a cluster cannot be asked now; "" when it answers. Asks it for its version, which anybody may."""
        try:
            async with asyncio.timeout(_PROBE):
                await (await self.connected(config)).connection.get("/version")
        except TimeoutError:
            return f"silent for {_PROBE:.0f} s"
        except SourceError as error:
            return type(error).__name__
        except ReadFailed as failure:
            return "" if failure.status else "no answer"
        return ""

    async def diagnosis(self, cluster: str, namespace: str, pod: str) -> Diagnosis:
        """The pod of a configured cluster, by its name there, now. Raises the SourceErrors."""
        config = self._named(cluster)
        async with self.lane(config).turn():
            return await self._diagnosis(config, PodQuestion(name=pod, namespace=namespace))

    async def connection(self, cluster: str) -> KubeConnection:
        """The connection to a configured cluster. Raises the SourceErrors."""
        return (await self.connected(self._named(cluster))).connection

    async def price(self, cluster: str, instance_type: str, zone: str, capacity_type: str) -> float | None:
        """Dollars an hour now; None where it cannot be told."""
        place = place_for(self._config, self._named(cluster))
        asked = Ec2Question(
            region=region_of_zone(zone) or place.region,
            account=place.account,
            instance_types=frozenset({instance_type}),
        )
        return app.price_of((await self._shared.ec2.observe_ec2(asked)).facts, instance_type, zone, capacity_type)

    def _named(self, cluster: str) -> ClusterConfig:
        config = self._config.cluster(cluster)
        if config is None:
            raise ClusterUnreachable(f"cluster {cluster} is not configured any more")
        return config

    async def _diagnosis(self, config: ClusterConfig, question: PodQuestion) -> Diagnosis:
        cluster = (await self.connected(config)).cluster
        past = partial(Memory(self._store).with_falls, config.name) if self._store else None
        return await app.diagnosis_of(
            cluster, self._shared, place_for(self._config, config), question, app.wall_clock, past
        )

    def _rendered(self, diagnosis: Diagnosis, language: str) -> Rendered:
        rendered = render(focused(diagnosis), self._playbooks, language or self._config.language)
        for problem in rendered.problems:
            LOG.warning("a playbook could not be used: %s", problem)
        return rendered

    async def _keep(self, diagnosis: Diagnosis, rendered: Mapping[str, Rendered]) -> str:
        answer_id = secrets.token_urlsafe(16)
        self._answers[answer_id] = diagnosis
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        if self._store:
            try:
                await keep_answer(self._store, answer_id, as_evidence(rendered), app.wall_clock())
            except StoreUnavailable as error:
                LOG.warning("the evidence of an answer is kept by this process alone: %s", error)
        return answer_id


def place_for(config: Config, cluster: ClusterConfig) -> app.Place:
    """How a configured cluster is reached."""
    return app.Place(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        in_cluster=cluster.in_cluster,
        eks=cluster.eks,
        region=cluster.region,
        account=Account(role_arn=cluster.assume_role, external_id=cluster.external_id),
        installation=Installation(namespaces=config.karpenter_namespaces),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """What the features are built from: settings, words, the store, and the desk with its connections and caches."""

    config: Config
    playbooks: Playbooks
    store: Store
    desk: Desk
    changes: Service
    alerts: AlertThreads
    leadership: Leadership


def verbs(bot: Bot) -> Mapping[str, Verb]:
    """Every verb of `bot.slack.questions.VERBS` with what answers it."""
    gone = why_gone(bot.desk, Memory(bot.store), bot.config, bot.playbooks)
    return {
        "audit": bot.changes.audit(bot.playbooks),
        **market_verbs(bot.desk),
        "settings": bot.alerts.settings,
        "why-gone": gone,
    }


def parts(bot: Bot) -> Sequence[Part]:
    """The features with listeners, routes or work of their own, in the order in which they start."""
    people = People(bot.config, bot.playbooks, bot.store, bot.desk)
    follow = (Following(bot.playbooks),) if isinstance(bot.playbooks, FollowedPlaybooks) else ()
    keeper = Keeper(bot.desk, bot.config, bot.store, leads=bot.leadership.leads)
    return (Proposals(bot.changes), bot.alerts, keeper, *people.parts(), *follow)


def _changes(config: Config, playbooks: Playbooks, store: Store, desk: Desk, clock: app.Clock) -> Service:
    """Approve-to-apply, on the desk's connections."""
    approvals = config.approvals
    terms = Terms(
        rules=approvals.rules,
        expires_minutes=approvals.expire_minutes,
        verify_minutes=approvals.verify_minutes,
    )
    clusters = WordedClusters(desk.diagnosis, desk.connection, desk.price, playbooks)
    return Service(store, clusters, terms, clock)


@asynccontextmanager
async def built(
    config: Config,
    playbooks: Playbooks,
    *,
    ec2: Ec2 | None = None,
    tokens: Callable[[], SlackConfig] | None = None,
    prepared: Callable[[], None] = lambda: None,
) -> AsyncIterator[serving.Behind]:
    """Everything behind the door, and its tidy end. `ec2` instead of AWS; `tokens`: reads Slack's secrets anew; `prepared` is
    called once what all questions need was read.

    Raises StoreUnavailable.
    """
    async with open_store(config.store.url) as store:
        desk = Desk(config, playbooks, ec2, store=store)
        clock = SharedClock(store, app.wall_clock)
        await clock.agree()
        book = StoreBook(store, clock)
        preparing = asyncio.create_task(desk.prepare())
        preparing.add_done_callback(lambda task: None if task.cancelled() else prepared())
        try:
            changes = _changes(config, playbooks, store, desk, clock)
            desk.offers = changes.offers
            leading = leadership(config, book.owner)
            alerts = alert_threads(config, playbooks, store, desk, clock, leading.leads)
            digest = Digest(store, desk, config, playbooks, clock)
            digest.leads = leading.leads
            desk.noted = digest.waits.noted
            bot = Bot(
                config=config,
                playbooks=playbooks,
                store=store,
                desk=desk,
                changes=changes,
                alerts=alerts,
                leadership=leading,
            )
            yield serving.Behind(
                services=desk,
                verbs=verbs(bot),
                # who watches is settled last and given up last: when the others have ended their rounds
                parts=(Housekeeping(store, clock), *parts(bot), digest, leading),
                watch=operations.watch(config, store, desk, tokens),
                handover=Handover(book),
                languages=playbooks.languages,
            )
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
            await desk.close()


async def serve(
    config: Config,
    playbooks: Playbooks,
    *,
    api_url: str | None = None,
    tokens: Callable[[], SlackConfig] | None = None,
) -> None:
    """Serves Slack until it is told to stop. Raises serving.CannotServe, StoreUnavailable."""
    async with built(config, playbooks, tokens=tokens, prepared=_settle) as behind:
        await serving.serve(config, behind, api_url=api_url)


def _settle() -> None:
    """What is there now stays, so the collector need not go through it again and again: a full look at the clients' modules
    and at EC2's facts holds up every acknowledgement for 0.2 s. What of it is replaced later needs no collector to go.
    """
    gc.collect()
    gc.freeze()


def run(file: str) -> int:
    """The `serve` command: reads the settings, says in one line each what is wrong with them, serves."""
    try:
        config = load_config(os.environ, file=file, serving=True)
    except ConfigError as error:
        for problem in error.problems:
            print(f"karpenter-bot: {problem}", file=sys.stderr)
        return 2

    def tokens() -> SlackConfig:
        return load_config(os.environ, file=file, serving=True).slack

    sys.setswitchinterval(_TURN)
    start_logging(config.log_level, config.log_format)
    start_tracing(__version__)
    playbooks = FollowedPlaybooks([str(folder) for folder in config.playbooks])
    if config.language not in playbooks.languages:
        there = ", ".join(playbooks.languages)
        print(f"karpenter-bot: language: no playbooks in {config.language!r}; there are: {there}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(config, playbooks, api_url=os.environ.get("SLACK_API_URL"), tokens=tokens))
    except (serving.CannotServe, StoreUnavailable) as error:
        print(f"karpenter-bot: {error}", file=sys.stderr)
        return 4
    finally:
        stop_tracing()
    return 0
