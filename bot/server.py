"""The serving bot's composition root: settings in, Slack's door open, one shared set of connections and caches behind it."""

import asyncio
import logging
import os
import secrets
import sys
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from bot import app, packaged
from bot.catalogues import Catalogues
from bot.config import ClusterConfig, Config, ConfigError, load_config
from bot.model.diagnosis import Diagnosis
from bot.playbooks import Phrases, Playbooks, Rendered, check_playbooks, render
from bot.playbooks.focus import focused
from bot.slack import serving
from bot.slack.floor import Part
from bot.slack.questions import Why
from bot.slack.services import Answered, Asker, Candidate, Choose, Failed, Reply, Verb
from bot.sources.aws import Account
from bot.sources.ec2 import Ec2
from bot.sources.errors import (
    ClusterUnreachable,
    CredentialsExpired,
    NotPermitted,
    PodNotFound,
    SeveralPods,
    SourceError,
)
from bot.sources.karpenter_side import Installation
from bot.sources.pod_search import PodQuestion
from bot.store import Store, StoreUnavailable, open_store

LOG: Final = logging.getLogger(__name__)
KEPT_ANSWERS: Final = 500
"""Answers whose evidence can still be opened; older buttons say that theirs is gone."""
_CODES: Final[tuple[tuple[type[SourceError], str], ...]] = (
    (CredentialsExpired, "credentials-expired"),
    (NotPermitted, "not-permitted"),
    (ClusterUnreachable, "cluster-unreachable"),
)


class Desk:
    """Answers the questions that come in from Slack (bot.slack.services.Services)."""

    def __init__(self, config: Config, playbooks: Playbooks, ec2: Ec2 | None = None) -> None:
        self._config = config
        self._playbooks = playbooks
        self._shared = app.Shared(ec2=ec2 or Ec2(), catalogues=Catalogues())
        self._answers: OrderedDict[str, Diagnosis] = OrderedDict()
        self._connected: dict[str, app.Connected] = {}
        self._connecting = asyncio.Lock()

    async def why(self, question: Why, asker: Asker) -> Reply:  # noqa: ARG002 (who asks matters to proposals)
        """Answers, offers the pods that fit, or says in a code why there is no answer."""
        config = self._config.cluster(question.cluster)
        if config is None:
            known = tuple(filter(None, (c.name or c.context for c in self._config.clusters)))
            return Failed(code="unknown-cluster", facts={"asked": question.cluster, "known": known})
        try:
            diagnosis = await self._diagnosis(config, PodQuestion(name=question.pod, namespace=question.namespace))
        except PodNotFound as error:
            if error.fits:
                return Failed(code="no-pending-pods", facts={"asked": question.asked, "others": error.fits})
            return Failed(code="pod-not-found", facts={"asked": question.asked, "near": error.nearest})
        except SeveralPods as error:
            candidates = (Candidate(namespace=n, name=p) for n, _, p in (c.partition("/") for c in error.candidates))
            return Choose(candidates=tuple(candidates), asked=question.asked, total=error.total)
        except SourceError as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), "cluster-unreachable")
            return Failed(code=code, facts={"asked": question.asked, "why": str(error)})
        return Answered(answer_id=self._keep(diagnosis), rendered=self._rendered(diagnosis, question.language))

    async def evidence(self, answer_id: str, language: str) -> Rendered | None:
        """A kept answer once more."""
        diagnosis = self._answers.get(answer_id)
        return self._rendered(diagnosis, language) if diagnosis is not None else None

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
        for config in self._config.clusters:
            try:
                connected = await self.connected(config)
                await app.prepare(connected.cluster, self._shared, _place(self._config, config))
            except SourceError as error:
                LOG.warning("cluster %s: %s", config.name or config.context or "(current context)", error)

    async def connected(self, config: ClusterConfig) -> app.Connected:
        """The cluster's connection, made at its first use. Raises ClusterUnreachable."""
        async with self._connecting:
            if config.name not in self._connected:
                place = _place(self._config, config)
                self._connected[config.name] = await app.stay_connected(place, config.name)
        return self._connected[config.name]

    async def _diagnosis(self, config: ClusterConfig, question: PodQuestion) -> Diagnosis:
        cluster = (await self.connected(config)).cluster
        return await app.diagnosis_of(cluster, self._shared, _place(self._config, config), question)

    def _rendered(self, diagnosis: Diagnosis, language: str) -> Rendered:
        rendered = render(focused(diagnosis), self._playbooks, language or self._config.language)
        for problem in rendered.problems:
            LOG.warning("a playbook could not be used: %s", problem)
        return rendered

    def _keep(self, diagnosis: Diagnosis) -> str:
        answer_id = secrets.token_urlsafe(16)
        self._answers[answer_id] = diagnosis
        while len(self._answers) > KEPT_ANSWERS:
            self._answers.popitem(last=False)
        return answer_id


def _place(config: Config, cluster: ClusterConfig) -> app.Place:
    return app.Place(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        in_cluster=cluster.in_cluster,
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


def verbs(bot: Bot) -> Mapping[str, Verb]:  # noqa: ARG001 (until the first verb is here)
    """Every verb of `bot.slack.questions.VERBS` with what answers it."""
    return {}


def parts(bot: Bot) -> Sequence[Part]:  # noqa: ARG001 (until the first part is here)
    """The features with listeners, routes or work of their own, in the order in which they start."""
    return ()


@asynccontextmanager
async def built(config: Config, playbooks: Playbooks) -> AsyncIterator[serving.Behind]:
    """Everything behind the door, and its tidy end. Raises StoreUnavailable."""
    async with open_store(config.store.url) as store:
        desk = Desk(config, playbooks)
        preparing = asyncio.create_task(desk.prepare())
        try:
            bot = Bot(config=config, playbooks=playbooks, store=store, desk=desk)
            yield serving.Behind(services=desk, verbs=verbs(bot), parts=parts(bot))
        finally:
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
            await desk.close()


async def serve(config: Config, playbooks: Playbooks, *, api_url: str | None = None) -> None:
    """Serves Slack until it is told to stop. Raises serving.CannotServe, StoreUnavailable."""
    async with built(config, playbooks) as behind:
        await serving.serve(config, behind, api_url=api_url)


def run(file: str) -> int:
    """The `serve` command: reads the settings, says in one line each what is wrong with them, serves."""
    try:
        config = load_config(os.environ, file=file, serving=True)
    except ConfigError as error:
        for problem in error.problems:
            print(f"karpenter-bot: {problem}", file=sys.stderr)
        return 2
    logging.basicConfig(
        level=config.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr
    )
    playbooks = packaged.load_playbooks(tuple(str(folder) for folder in config.playbooks))
    for broken in check_playbooks(playbooks):
        LOG.warning("playbook: %s", broken)
    try:
        asyncio.run(serve(config, playbooks, api_url=os.environ.get("SLACK_API_URL")))
    except (serving.CannotServe, StoreUnavailable) as error:
        print(f"karpenter-bot: {error}", file=sys.stderr)
        return 4
    return 0
