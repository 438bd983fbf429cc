"""What people meet besides commands, wired: the shortcut "Explain this", the Home tab, pictures."""

from collections.abc import Sequence
from typing import Protocol

from bot import app, explaining
from bot.config import ClusterConfig, Config
from bot.overview import Overview, overview
from bot.playbooks import Playbooks, render, render_explanation
from bot.playbooks.focus import focused
from bot.playbooks.sandbox import moment
from bot.slack.explain_this import Explained, Explaining, ExplainThis
from bot.slack.floor import Part
from bot.slack.funnels import Funnels, Kept
from bot.slack.home import ClusterHome, PoolLine, StuckWorkload
from bot.slack.home_tab import Choices, Home
from bot.sources.errors import SourceError
from bot.store import Store
from bot.store.people import choose_language, chosen_language


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
        choices = Choices(read=self._chosen, keep=self._choose)
        return (ExplainThis(self._desk, self._explain), Home(self._desk, self._look, choices), Funnels(self._desk))

    async def _explain(self, text: str, language: str) -> Explained | None:
        region = self._desk.place(self._config.clusters[0]).region
        found = await explaining.explained_text(text, self._desk.shared.ec2, region, app.wall_clock)
        if not found.kind:
            return None
        return Explained(rendered=render_explanation(found, self._playbooks, language), pods=found.pods)

    async def _look(self, language: str) -> Sequence[ClusterHome]:
        return [await self._cluster(config, language) for config in self._config.clusters]

    async def _cluster(self, config: ClusterConfig, language: str) -> ClusterHome:
        name = config.name or config.context
        try:
            connected = await self._desk.connected(config)
            seen = await overview(connected.cluster, self._desk.shared, self._desk.place(config))
        except SourceError as error:
            return ClusterHome(name=name, failure=str(error))
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
                    pods=len(one.pods),
                    pod=one.pods[0].partition("/")[2],
                    title=title or verdict,
                    headline=rendered.headline,
                )
            )
        pools = [PoolLine(name=p.name, ready=p.ready, why=p.why, limits=p.limits) for p in seen.pools]
        return ClusterHome(
            name=name,
            time=moment(seen.at.isoformat()),
            workloads=workloads,
            waiting=seen.waiting,
            looked=seen.looked,
            pools=pools,
        )

    async def _chosen(self, user: str) -> str:
        return await chosen_language(self._store, user)

    async def _choose(self, user: str, language: str) -> None:
        await choose_language(self._store, user, language)
