"""What people meet besides commands, wired: the shortcut "Explain this", the Home tab, pictures."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol

from bot import app, explaining
from bot.alerting import words
from bot.alerting.answers import LookupFailed
from bot.alerting.asking import Asking
from bot.alerting.clusters import DeskClusters
from bot.alerting.intake import PASTE
from bot.alerts import recognise
from bot.config import ClusterConfig, Config
from bot.overview import Overview, overview
from bot.playbooks import Playbooks, render, render_explanation
from bot.playbooks.focus import focused
from bot.remembering import Memory
from bot.slack.blocks import Message
from bot.slack.explain_this import Explained, Explaining, ExplainThis
from bot.slack.floor import Floor, Part, Payload
from bot.slack.funnels import Funnels, Kept
from bot.slack.home import ClusterHome, LastChange, Own, PoolLine, StuckWorkload
from bot.slack.home_tab import Choices, Home
from bot.slack.services import Asker
from bot.sources.errors import SourceError
from bot.store import Store
from bot.store.outcomes import newest
from bot.store.people import choose_language, chosen_language, keep_own_settings, own_settings

LAST_CHANGES: Final = 5

_PATIENCE: Final = 15.0


class Desk(Explaining, Kept, Protocol):
    """What is needed of bot.server.Desk: answers, and the way to a cluster."""

    @property
    def shared(self) -> app.Shared: ...

    async def connected(self, config: ClusterConfig) -> app.Connected: ...

    def place(self, config: ClusterConfig) -> app.Place: ...


class People:
    """The functions behind the parts."""

    def __init__(self, config: Config, playbooks: Playbooks, store: Store, desk: Desk) -> None:
        self._config, self._playbooks, self._store, self._desk = config, playbooks, store, desk

    def parts(self) -> Sequence[Part]:
        """The parts, ready for the door."""
        choices = Choices(read=self._chosen, keep=self._choose, changes=self._changes, languages=self._languages)
        return (
            ExplainThis(self._desk, self._explain, self._ask_alert),
            Home(self._desk, self._look, choices),
            Funnels(self._desk),
        )

    async def _explain(self, text: str, language: str) -> Explained | None:
        region = self._desk.place(self._config.clusters[0]).region
        found = await explaining.explained_text(text, self._desk.shared.ec2, region, app.wall_clock)
        if not found.kind:
            return None
        return Explained(rendered=render_explanation(found, self._playbooks, language), pods=found.pods)

    async def _ask_alert(self, event: Payload, asker: Asker, floor: Floor) -> Message | None:
        """The question that the alert asks, put as its thread would put it, resolved alerts included: somebody asks now."""
        alert = recognise(event)
        if alert is None or alert.question is None or alert.sender == PASTE:
            return None
        phrases = floor.phrases(await floor.language_of(asker.user, asker.channel))
        asking = Asking(DeskClusters(self._config, self._desk, self._playbooks, Memory(self._store)), floor.in_time)
        try:
            return (await asking.ask(alert.question, alert.subject, asker, phrases)).message
        except LookupFailed as failed:
            return words.failure(failed.code, failed.facts, phrases)

    async def _look(self, language: str) -> Sequence[ClusterHome]:
        return await asyncio.gather(*(self._cluster(config, language) for config in self._config.clusters))

    async def _cluster(self, config: ClusterConfig, language: str) -> ClusterHome:
        """One cluster of the tab; one that is silent costs the others no more than _PATIENCE."""
        name = config.name or config.context
        try:
            async with asyncio.timeout(_PATIENCE):
                connected = await self._desk.connected(config)
                seen = await overview(connected, self._desk.shared, self._desk.place(config))
        except SourceError as error:
            return ClusterHome(name=name, failure=str(error))
        except TimeoutError:
            return ClusterHome(name=name, failure=f"no answer within {_PATIENCE:.0f} s")
        return self._worded(name, seen, language)

    def _worded(self, name: str, seen: Overview, language: str) -> ClusterHome:
        workloads = []
        for one in seen.workloads:
            rendered = render(focused(one.diagnosis), self._playbooks, language)
            title = rendered.causes[0].title if rendered.causes else ""
            phrases = self._playbooks.phrases(language)
            verdict = phrases.text(f"verdict-name.{one.diagnosis.verdict.value}")
            workloads.append(
                StuckWorkload(
                    namespace=one.namespace,
                    name=one.name,
                    pods=one.pods,
                    pod=one.pod,
                    team=one.labels.get(self._config.team_label) or one.namespace,
                    title=title or verdict,
                    headline=rendered.headline,
                )
            )
        pools = [PoolLine(name=p.name, ready=p.ready, why=p.why, limits=p.limits) for p in seen.pools]
        return ClusterHome(
            name=name,
            time=self._playbooks.phrases(language).moment(seen.at),
            workloads=workloads,
            waiting=seen.waiting,
            looked=seen.looked,
            pools=pools,
        )

    async def _chosen(self, user: str) -> Own:
        more = await own_settings(self._store, user)
        return Own(language=await chosen_language(self._store, user), team=str(more.get("team") or ""))

    async def _choose(self, user: str, own: Own) -> None:
        await choose_language(self._store, user, own.language)
        await keep_own_settings(self._store, user, {"team": own.team})

    async def _changes(self) -> Sequence[LastChange]:
        found = await newest(self._store, LAST_CHANGES)
        return [LastChange(summary=o.summary, state=o.state, by=o.requester, at=o.at) for o in found]

    def _languages(self) -> Sequence[tuple[str, str]]:
        """Every language that there are pages in, by the name that it calls itself."""
        playbooks = self._playbooks
        return [(one, playbooks.phrases(one).text("format.language")) for one in playbooks.languages]
