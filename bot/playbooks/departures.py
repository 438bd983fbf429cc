"""A Departure -> Rendered: cause and remedies by their pages, timeline and protections by the sentences of `_gone.yaml`."""

from dataclasses import replace
from types import SimpleNamespace

from bot.diagnosis.departure import Departure
from bot.diagnosis.shields import Shield
from bot.diagnosis.timeline import Moment
from bot.playbooks.library import Playbooks
from bot.playbooks.markup import Line, LineKind
from bot.playbooks.phrases import Phrases
from bot.playbooks.rendered import Rendered
from bot.playbooks.rendering import render


def render_departure(departure: Departure, playbooks: Playbooks, language: str) -> Rendered:
    """The whole answer in one language."""
    phrases = playbooks.phrases(language)
    rendered = render(departure.diagnosis, playbooks, language)
    return replace(
        rendered,
        verdict=departure.state,
        pod=str(departure.subject),
        headline=rendered.causes[0].headline if rendered.causes else _state(departure, phrases),
        about=_about(departure, phrases),
        timeline=tuple(_moment(one, phrases) for one in departure.timeline),
        shields=tuple(_shield(one, phrases) for one in departure.shields),
    )


def _names(departure: Departure) -> SimpleNamespace:
    return SimpleNamespace(
        subject=departure.subject.name,
        kind=departure.subject.kind,
        node=departure.node,
        nodeclaim=departure.nodeclaim,
        nodepool=departure.nodepool,
        jobs=departure.jobs,
        cluster=departure.diagnosis.cluster,
        karpenter_version=departure.diagnosis.karpenter_version,
    )


def _state(departure: Departure, phrases: Phrases) -> Line:
    return phrases.line(f"gone.{departure.state}", it=_names(departure))


def _about(departure: Departure, phrases: Phrases) -> Line:
    state = phrases.marked(f"gone-name.{departure.state}")
    return phrases.line("gone.about", it=_names(departure), state=state)


def _moment(one: Moment, phrases: Phrases) -> Line:
    facts = {"reason": "", "decision": "", "count": 0, "instead": "", "pods": (), "message": "", **one.facts}
    told = phrases.marked(f"moment.{one.what}", **facts)
    time = phrases.moment(one.time)
    return Line(phrases.line("moment-line", time=time, told=told, times=one.times).spans, LineKind.BULLET)


def _shield(one: Shield, phrases: Phrases) -> Line:
    facts = {"value": "", "names": (), "nodes": (), **one.facts}
    return Line(phrases.line(f"shield.{one.id}.{one.state}", **facts).spans, LineKind.BULLET)
