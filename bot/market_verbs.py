"""`/karpenter offerings TYPE|FAMILY [REGION]` and `/karpenter nodepools [NAME]`: questions in, sheets out."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from bot import app, markets
from bot.config import ClusterConfig
from bot.failures import failed
from bot.market import UnknownName, UnknownNodePool
from bot.market.pool_words import nodepools_sheet
from bot.market.words import offerings_sheet
from bot.playbooks import Phrases
from bot.slack.questions import Ask
from bot.slack.services import Asker, Failed, Shown, Verb
from bot.slack.sheets import sheet_message
from bot.sources.cluster import Cluster
from bot.sources.errors import ClusterUnreachable, SourceError


class Counter(Protocol):
    """Who has the connections, the caches and the words: the Desk."""

    @property
    def shared(self) -> app.Shared: ...
    def named(self, cluster: str, channel: str) -> ClusterConfig | Failed: ...
    def place(self, config: ClusterConfig) -> app.Place: ...
    async def connected(self, config: ClusterConfig) -> app.Connected: ...
    def phrases(self, language: str) -> Phrases: ...


def market_verbs(desk: Counter) -> Mapping[str, Verb]:
    """The two verbs with what answers them."""
    return {"offerings": _guarded(desk, _offerings), "nodepools": _guarded(desk, _nodepools)}


_Answer = Callable[[Counter, ClusterConfig, Ask], Awaitable[Shown | Failed]]


def _guarded(desk: Counter, answer: _Answer) -> Verb:
    async def verb(ask: Ask, asker: Asker) -> Shown | Failed:
        config = desk.named(ask.cluster, asker.channel)
        if isinstance(config, Failed):
            return config
        asked = " ".join(ask.words)
        try:
            return await answer(desk, config, ask)
        except UnknownName as error:
            return Failed(code="unknown-type", facts={"asked": error.asked, "near": error.near})
        except UnknownNodePool as error:
            return Failed(code="unknown-nodepool", facts={"asked": error.asked, "near": error.near})
        except markets.UnknownRegion as error:
            return Failed(code="unknown-region", facts={"asked": error.asked, "near": error.near})
        except SourceError as error:
            return failed(error, asked)

    return verb


async def _offerings(desk: Counter, config: ClusterConfig, ask: Ask) -> Shown | Failed:
    """A cluster that is out of reach costs what it would add, where the region is known without it."""
    if not ask.words:
        return Failed(code="missing-type", facts={})
    name, region = ask.words[0], ask.words[1].lower() if len(ask.words) > 1 else ""
    place, cluster = desk.place(config), None
    try:
        cluster = await _cluster(desk, config)
    except ClusterUnreachable:
        if not (region or place.region):
            raise
    found = await markets.offerings_of(cluster, desk.shared, place, name, region)
    phrases = desk.phrases(ask.language)
    return Shown(message=sheet_message(offerings_sheet(found.table, phrases, found.ages), phrases))


async def _nodepools(desk: Counter, config: ClusterConfig, ask: Ask) -> Shown | Failed:
    name = ask.words[0].lower() if ask.words else ""
    cluster = await _cluster(desk, config)
    found = await markets.nodepools_of(cluster, desk.shared, desk.place(config), name)
    phrases = desk.phrases(ask.language)
    sheet = nodepools_sheet(found.answer, phrases, found.ages, whole=bool(name))
    return Shown(message=sheet_message(sheet, phrases))


async def _cluster(desk: Counter, config: ClusterConfig) -> Cluster:
    return (await desk.connected(config)).cluster
