"""The Home tab: what is stuck now by cause and team with a button to ask, the NodePools, the last changes, one's own settings."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Final

from bot.model.diagnosis import Json
from bot.playbooks import Line, Phrases, Span, clean
from bot.slack.blocks import button
from bot.slack.budget import MODAL, VALUE, Block, Budget, plain_object, section, text_object
from bot.slack.proposal_blocks import mention
from bot.slack.questions import Why, question_text

ASK: Final = "home_why"
REFRESH: Final = "home_refresh"
LANGUAGE: Final = "home_language"
TEAM: Final = "home_team"
AS_SLACK: Final = "slack"
EVERY_TEAM: Final = "-"
_BLOCKS: Final = 100  # reference/views: a Home tab has at most so many
_TEAMS: Final = 90  # a static_select has at most 100 options


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckWorkload:
    """Pods that wait for the same: the cause's title, the answer in a sentence, one of them to ask about, whose they are."""

    namespace: str
    name: str
    pods: int
    pod: str
    team: str
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """A change that was proposed: what, where it stands (a state of bot.model.proposals), of whom, when."""

    summary: str
    state: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What a person has set for themselves; "" leaves it to Slack, or shows every team."""

    language: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """All that one person's tab shows. `clusters` is None while they are looked at; `languages` can be chosen, with names."""

    clusters: Sequence[ClusterHome] | None
    changes: Sequence[LastChange] = ()
    own: Own = Own()
    languages: Sequence[tuple[str, str]] = ()


Look = Callable[[str], Awaitable[Sequence[ClusterHome]]]
"""A language in, every cluster as it is now out."""


def home_view(tab: Tab, phrases: Phrases) -> dict[str, Json]:
    """The view for views.publish."""
    clusters = tab.clusters
    teams = sorted({workload.team for one in clusters or () for workload in one.workloads} | {tab.own.team} - {""})
    budget = Budget(blocks=_BLOCKS - 14, characters=MODAL)
    budget.take({"type": "header", "text": plain_object(phrases.text("home.title"), 150)})
    if clusters is None:
        budget.take(_section([phrases.line("home.reading")], phrases))
    for one in clusters or ():
        shown = _of_team(one, tab.own.team)
        budget.take_all(_cluster(shown, tab.own.team, phrases), lambda count: phrases.line("more.lines", count=count))
    return {"type": "home", "blocks": [*budget.taken, *_changes(tab.changes, phrases), *_settings(tab, teams, phrases)]}


def _of_team(one: ClusterHome, team: str) -> ClusterHome:
    return replace(one, workloads=[w for w in one.workloads if w.team == team]) if team else one


def _section(lines: Sequence[Line], phrases: Phrases) -> Block:
    return section(lines, lambda count: phrases.line("more.lines", count=count))


def _context(line: Line) -> Block:
    return {"type": "context", "elements": [text_object(line)]}


def _bold(text: str) -> Line:
    return Line((Span(text, bold=True),))


def _cluster(one: ClusterHome, team: str, phrases: Phrases) -> list[Sequence[Block]]:
    """One group for the cluster, one for each cause, one for the NodePools."""
    if one.failure:
        return [[_section([phrases.line("home.failed", cluster=one.name, why=one.failure)], phrases)]]
    refresh = button(phrases.text("home.refresh"), action=REFRESH, value=one.name or "-")
    groups: list[Sequence[Block]] = [
        [
            _context(phrases.line("home.cluster", cluster=one.name, time=one.time)),
            {**_section(_waiting(one, team, phrases), phrases), "accessory": refresh},
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


def _waiting(one: ClusterHome, team: str, phrases: Phrases) -> list[Line]:
    if not one.waiting:
        return [phrases.line("home.none")]
    told = [] if team else [phrases.line("home.waiting", pods=one.waiting, workloads=len(one.workloads))]
    pods = sum(workload.pods for workload in one.workloads)
    return told or [phrases.line("home.of-team", team=team, pods=pods, waiting=one.waiting)]


def _workload(one: StuckWorkload, cluster: str, phrases: Phrases) -> Block:
    what = phrases.line("home.workload", namespace=one.namespace, workload=one.name, pods=one.pods)
    shown = _section([what, one.headline], phrases)
    value = question_text(Why(pod=one.pod, namespace=one.namespace, cluster=cluster))
    if len(value) <= VALUE:
        shown["accessory"] = button(phrases.text("home.ask"), action=ASK, value=value)
    return shown


def _teams(one: ClusterHome, phrases: Phrases) -> Block:
    """How many pods of each team wait."""
    pods = Counter[str]()
    for workload in one.workloads:
        pods[workload.team] += workload.pods
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


def _changes(changes: Sequence[LastChange], phrases: Phrases) -> Iterator[Block]:
    """The last changes: what, how it went, of whom, when."""
    yield {"type": "divider"}
    if not changes:
        yield _section([_bold(phrases.text("home.changes")), phrases.line("home.no-changes")], phrases)
        return
    lines = [
        phrases.line("home.change", summary=clean(one.summary, 200), state=phrases.marked(f"home.state.{one.state}"))
        for one in changes
    ]
    yield _section([_bold(phrases.text("home.changes")), *lines], phrases)
    said = " · ".join(f"{mention(one.by)} {phrases.moment(one.at)}" for one in changes)
    yield {"type": "context", "elements": [{"type": "mrkdwn", "text": said, "verbatim": True}]}


def _settings(tab: Tab, teams: Sequence[str], phrases: Phrases) -> list[Block]:
    languages = [
        _option(phrases.text("home.as-slack"), AS_SLACK),
        *(_option(name, code) for code, name in tab.languages),
    ]
    every = [
        _option(phrases.text("home.every-team"), EVERY_TEAM),
        *(_option(team, team[:75]) for team in teams[:_TEAMS]),
    ]
    heading = _section([_bold(phrases.text("home.settings"))], phrases)
    return [
        {"type": "divider"},
        heading,
        _menu(phrases, "language", LANGUAGE, languages, tab.own.language or AS_SLACK),
        _menu(phrases, "my-team", TEAM, every, tab.own.team[:75] or EVERY_TEAM),
    ]


def _menu(phrases: Phrases, name: str, action: str, options: list[dict[str, Json]], chosen: str) -> Block:
    """One setting with what can be chosen for it."""
    listed: list[Json] = [*options]
    menu: Json = {
        "type": "static_select",
        "action_id": action,
        "placeholder": plain_object(phrases.text(f"home.{name}"), 150),
        "options": listed,
        "initial_option": next((o for o in options if o["value"] == chosen), options[0]),
    }
    return {**_section([phrases.line(f"home.{name}")], phrases), "accessory": menu}


def _option(label: str, value: str) -> dict[str, Json]:
    return {"text": plain_object(label, 75), "value": value}
