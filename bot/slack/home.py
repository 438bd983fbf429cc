"""The Home tab: what is stuck now by cause and namespace with a button to ask, the NodePools, one's own settings."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, Phrases, Span
from bot.slack.blocks import button
from bot.slack.budget import MODAL, VALUE, Block, Budget, plain_object, section, text_object
from bot.slack.questions import LANGUAGES, Why, question_text

ASK: Final = "home_why"
REFRESH: Final = "home_refresh"
LANGUAGE: Final = "home_language"
AS_SLACK: Final = "slack"
_BLOCKS: Final = 100  # reference/views: a Home tab has at most so many
_NAMES: Final = {"en": "english", "ko": "korean"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckWorkload:
    """Pods that wait for the same: the cause's title, the answer in a sentence, and one of them to ask about."""

    namespace: str
    name: str
    pods: int
    pod: str
    title: str
    headline: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """A NodePool: `ready` None where it does not say; limits as resource, used, limit, full."""

    name: str
    ready: bool | None
    why: str
    limits: tuple[tuple[str, str, str, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHome:
    """One cluster as the tab shows it; `failure` says why it could not be looked at."""

    name: str
    time: str = ""
    failure: str = ""
    workloads: Sequence[StuckWorkload] = ()
    waiting: int = 0
    looked: int = 0
    pools: Sequence[PoolLine] = ()


Look = Callable[[str], Awaitable[Sequence[ClusterHome]]]
"""A language in, every cluster as it is now out."""


def home_view(clusters: Sequence[ClusterHome] | None, phrases: Phrases, chosen: str) -> dict[str, Json]:
    """The view for views.publish; `clusters` is None while they are looked at, `chosen` the person's own language or ""."""
    budget = Budget(blocks=_BLOCKS - 4, characters=MODAL)
    budget.take({"type": "header", "text": plain_object(phrases.text("home.title"), 150)})
    if clusters is None:
        budget.take(_section([phrases.line("home.reading")], phrases))
    for one in clusters or ():
        budget.take_all(_cluster(one, phrases), lambda count: phrases.line("more.lines", count=count))
    return {"type": "home", "blocks": [*budget.taken, *_settings(phrases, chosen)]}


def _section(lines: Sequence[Line], phrases: Phrases) -> Block:
    return section(lines, lambda count: phrases.line("more.lines", count=count))


def _context(line: Line) -> Block:
    return {"type": "context", "elements": [text_object(line)]}


def _bold(text: str) -> Line:
    return Line((Span(text, bold=True),))


def _cluster(one: ClusterHome, phrases: Phrases) -> list[Sequence[Block]]:
    """One group for the cluster, one for each cause, one for the NodePools."""
    if one.failure:
        return [[_section([phrases.line("home.failed", cluster=one.name, why=one.failure)], phrases)]]
    refresh = button(phrases.text("home.refresh"), action=REFRESH, value=one.name or "-")
    groups: list[Sequence[Block]] = [
        [
            _context(phrases.line("home.cluster", cluster=one.name, time=one.time)),
            {**_section([_waiting(one, phrases)], phrases), "accessory": refresh},
        ]
    ]
    ranked = Counter[str]()
    for workload in one.workloads:
        ranked[workload.title] += workload.pods
    ordered = sorted(one.workloads, key=lambda w: (-ranked[w.title], w.title, -w.pods, w.namespace, w.name))
    for title, alike in groupby(ordered, key=lambda w: w.title):
        cause = _section([phrases.line("home.cause", title=title, pods=ranked[title])], phrases)
        groups.append([cause, *(_workload(w, one.name, phrases) for w in alike)])
    if one.waiting > one.looked:
        groups.append([_context(phrases.line("home.more", count=one.waiting - one.looked))])
    if one.workloads:
        groups.append([_teams(one, phrases)])
    groups.append([{"type": "divider"}, _section([_bold(phrases.text("home.pools")), *_pools(one, phrases)], phrases)])
    return groups


def _waiting(one: ClusterHome, phrases: Phrases) -> Line:
    if not one.waiting:
        return phrases.line("home.none")
    return phrases.line("home.waiting", pods=one.waiting, workloads=len(one.workloads))


def _workload(one: StuckWorkload, cluster: str, phrases: Phrases) -> Block:
    what = phrases.line("home.workload", namespace=one.namespace, workload=one.name, pods=one.pods)
    shown = _section([what, one.headline], phrases)
    value = question_text(Why(pod=one.pod, namespace=one.namespace, cluster=cluster))
    if len(value) <= VALUE:
        shown["accessory"] = button(phrases.text("home.ask"), action=ASK, value=value)
    return shown


def _teams(one: ClusterHome, phrases: Phrases) -> Block:
    """How many pods of each namespace wait: on a shared cluster a namespace is a team's."""
    pods = Counter[str]()
    for workload in one.workloads:
        pods[workload.namespace] += workload.pods
    spans = [Span(f"{phrases.text('home.teams')}: ")]
    for index, (team, count) in enumerate(sorted(pods.items(), key=lambda found: (-found[1], found[0]))):
        spans += [*([Span(" · ")] if index else []), *phrases.line("home.team", team=team, pods=count).spans]
    return _context(Line(tuple(spans)))


def _pools(one: ClusterHome, phrases: Phrases) -> Iterator[Line]:
    if not one.pools:
        yield phrases.line("home.no-pools")
    for pool in one.pools:
        if pool.ready is None:
            state = phrases.marked("home.unknown")
        else:
            state = phrases.marked("home.ready") if pool.ready else phrases.marked("home.not-ready", why=pool.why)
        limits = [
            phrases.marked("home.limit", resource=resource, used=used, limit=limit, full=full)
            for resource, used, limit, full in pool.limits
        ] or [phrases.marked("home.no-limits")]
        yield phrases.line("home.pool", name=pool.name, state=state, limits=limits)


def _settings(phrases: Phrases, chosen: str) -> list[Block]:
    options: list[Json] = [_option(phrases.text("home.as-slack"), AS_SLACK)]
    options += [_option(phrases.text(f"home.{_NAMES.get(name, name)}"), name) for name in LANGUAGES]
    picked = next((o for o in options if isinstance(o, dict) and o["value"] == (chosen or AS_SLACK)), options[0])
    menu: Json = {
        "type": "static_select",
        "action_id": LANGUAGE,
        "placeholder": plain_object(phrases.text("home.language"), 150),
        "options": options,
        "initial_option": picked,
    }
    heading = _section([_bold(phrases.text("home.settings"))], phrases)
    return [{"type": "divider"}, heading, {**_section([phrases.line("home.language")], phrases), "accessory": menu}]


def _option(label: str, value: str) -> dict[str, Json]:
    return {"text": plain_object(label, 75), "value": value}
