"""Diagnosis -> Rendered: each cause by its page, each remedy by its sentence, each with a plain summary behind it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Final

from jinja2 import TemplateSyntaxError
from markupsafe import Markup

from bot.model.diagnosis import (
    Cause,
    Constraint,
    Diagnosis,
    Edit,
    Json,
    Patch,
    PoolVerdict,
    Remedy,
    Statement,
    Unevaluated,
)
from bot.model.objects import ObjectRef
from bot.playbooks.ages import render_ages
from bot.playbooks.funnel import render_funnel
from bot.playbooks.gap_words import gap_line
from bot.playbooks.library import Playbooks
from bot.playbooks.markup import Line, Span, clean, mark, parse, parse_line
from bot.playbooks.pages import Page
from bot.playbooks.phrases import Phrases
from bot.playbooks.problems import Problem
from bot.playbooks.rendered import (
    Provenance,
    Rendered,
    RenderedCause,
    RenderedPool,
    RenderedRemedy,
    RenderedStatement,
)
from bot.playbooks.sandbox import FAILURES, failed_line, render_blocks, template, written

_LOG: Final = "log"
_NEW: Final = "create"
"""The patch type of a remedy that is a new object (bot/remediation/patches.py, CREATE)."""
_OPENING: Final = re.compile(r"(?:[Cc]ould not|Failed to) schedule pod[:,] ")


class PageError(Exception):
    """A page did not render. Carries `problem`, which names file and line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def render(diagnosis: Diagnosis, playbooks: Playbooks, language: str) -> Rendered:
    """The whole answer in one language (English where the language lacks a page). Never raises for a broken page:
    the next page for the cause speaks, or a plain summary, and `problems` says so.
    """
    phrases = playbooks.phrases(language)
    remedies = tuple(_remedy(remedy, phrases) for remedy in diagnosis.remedies)
    opening = any(remedy.opens.offerings for remedy in diagnosis.remedies) or not diagnosis.remedies
    problems: list[Problem] = []
    causes: list[RenderedCause] = []
    shared = shared_context(diagnosis, phrases)
    for cause in diagnosis.causes:
        words, wrong = _cause(cause, shared, playbooks, phrases)
        causes.append(words)
        problems += wrong
    return Rendered(
        language=language,
        verdict=diagnosis.verdict.value,
        pod=clean(f"{diagnosis.pod.namespace}/{diagnosis.pod.name}"),
        headline=causes[0].headline if causes else _verdict(diagnosis, phrases),
        about=_about(diagnosis, phrases),
        causes=tuple(causes),
        remedies=remedies,
        remedies_heading=phrases.line("heading.remedies" if opening else "heading.protection"),
        pools=tuple(_pool(pool, playbooks, phrases) for pool in diagnosis.nodepools),
        karpenter_says=tuple(_statement(one, phrases) for one in _said_once(diagnosis.karpenter_says)),
        missing=tuple(gap_line(one, phrases) for one in diagnosis.missing),
        notes=(
            *(_unevaluated(one, phrases) for one in diagnosis.unevaluated),
            *(parse_line(phrases.said("note", note)) for note in diagnosis.notes),
        ),
        ages=render_ages(diagnosis.ec2_ages, phrases),
        funnel=render_funnel(diagnosis, phrases) if diagnosis.causes else None,
        problems=tuple(dict.fromkeys(problems)),
    )


def _verdict(diagnosis: Diagnosis, phrases: Phrases) -> Line:
    reason = phrases.said("reason", diagnosis.reason) if diagnosis.reason else ""
    facts, pod = SimpleNamespace(**diagnosis.facts), SimpleNamespace(**_pod(diagnosis.pod))
    return phrases.line(f"verdict.{diagnosis.verdict.value}", pod=pod, reason=reason, facts=facts)


def _about(diagnosis: Diagnosis, phrases: Phrases) -> Line:
    return phrases.line(
        "about",
        pod=SimpleNamespace(**_pod(diagnosis.pod)),
        verdict=phrases.marked(f"verdict-name.{diagnosis.verdict.value}"),
        cluster=diagnosis.cluster,
        karpenter_version=diagnosis.karpenter_version,
    )


def _pod(pod: ObjectRef) -> dict[str, str]:
    return {"namespace": pod.namespace, "name": pod.name}


# -- causes --------------------------------------------------------------------------------------------------------


def shared_context(diagnosis: Diagnosis, phrases: Phrases) -> Mapping[str, object]:
    """What the template of every page sees of the whole answer: contract.CONTEXT without the cause."""
    return {
        "pod": SimpleNamespace(**_pod(diagnosis.pod)),
        "remedies": [_remedy_context(remedy, phrases) for remedy in diagnosis.remedies],
        "diagnosis": SimpleNamespace(
            verdict=diagnosis.verdict.value,
            cluster=diagnosis.cluster,
            karpenter_version=diagnosis.karpenter_version,
            missing=tuple(map(str, diagnosis.missing)),
            notes=diagnosis.notes,
        ),
    }


def _cause_context(cause: Cause) -> Mapping[str, object]:
    constraints = [
        SimpleNamespace(object=str(one.object), field=one.field, value=one.value, nodepool=one.nodepool)
        for one in cause.constraints
    ]
    return {
        "facts": SimpleNamespace(**{"nodepools": cause.nodepools, **cause.facts}),
        "cause": SimpleNamespace(
            id=cause.id, constraints=constraints, evidence=cause.evidence, nodepools=cause.nodepools
        ),
    }


def _cause(
    cause: Cause, shared: Mapping[str, object], playbooks: Playbooks, phrases: Phrases
) -> tuple[RenderedCause, list[Problem]]:
    problems: list[Problem] = []
    pages = playbooks.pages_for(cause.id, phrases.language)
    if not pages or pages[0].language != phrases.language:
        message, remedy = f"no page for `{cause.id}`", f"Write `{phrases.language}/{cause.id}.md.j2`."
        problems.append(Problem(file=f"{phrases.language}/", line=0, message=message, remedy=remedy))
    for page in pages:
        words = phrases if page.language == phrases.language else playbooks.phrases(page.language)
        try:
            return render_page(page, cause, shared, words), problems
        except PageError as failure:
            problems.append(failure.problem)
    return _plain_summary(cause, playbooks.title(cause.id, phrases.language), phrases), problems


def render_page(page: Page, cause: Cause, shared: Mapping[str, object], phrases: Phrases) -> RenderedCause:
    """One cause as one page words it; `shared` is the diagnosis's shared_context. Raises PageError."""
    try:
        compiled = template(page.source, page.file)
    except TemplateSyntaxError as error:
        raise PageError(_syntax_problem(page, error)) from error
    try:
        blocks = render_blocks(compiled, {**shared, **_cause_context(cause)}, phrases)
    except FAILURES as error:
        line, what = failed_line(error, compiled), " ".join(str(error).split())
        remedy = "Use only facts that the front matter lists, or ask with `is defined` first."
        raise PageError(Problem(file=page.file, line=line, message=what, remedy=remedy)) from error
    return RenderedCause(
        id=cause.id,
        title=page.title,
        severity=page.severity,
        headline=parse_line(blocks.get("headline", "")) or Line((Span(page.title, bold=True),)),
        because=parse(blocks.get("because", blocks.get("", ""))),
        check=parse(blocks.get("check", "")),
        remedies=parse(blocks.get("remedies", "")),
        constraints=tuple(_provenance(one) for one in cause.constraints),
        evidence=tuple(map(clean, cause.evidence)),
        links=page.links,
    )


def _syntax_problem(page: Page, error: TemplateSyntaxError) -> Problem:
    message = f"the template does not parse: {error.message}"
    return Problem(file=page.file, line=error.lineno, message=message, remedy="Mend the Jinja at this line.")


def _plain_summary(cause: Cause, title: str, phrases: Phrases) -> RenderedCause:
    """What is said when no page can speak: the cause's name and its constraints, as they are."""
    constraints = tuple(_provenance(one) for one in cause.constraints)
    return RenderedCause(
        id=cause.id,
        title=title,
        severity="blocked",
        headline=phrases.line("fallback.headline", title=title),
        because=tuple(
            line
            for one in constraints
            for line in phrases.lines("fallback.constraint", object=one.object, field=one.field, value=one.value)
        ),
        constraints=constraints,
        evidence=tuple(map(clean, cause.evidence)),
    )


def _provenance(constraint: Constraint) -> Provenance:
    where = clean(str(constraint.object)) if constraint.object.kind else ""
    return Provenance(object=where, field=clean(constraint.field), value=clean(constraint.value))


# -- remedies ------------------------------------------------------------------------------------------------------


def _remedy(remedy: Remedy, phrases: Phrases) -> RenderedRemedy:
    patch = remedy.patch
    gpus = {"before": remedy.opens.gpus_meant, "after": remedy.opens.gpus_opened}
    cautions = [parse_line(phrases.said("caution", caution, **gpus)) for caution in remedy.cautions]
    own = f"remedy.{remedy.id}.caution"
    if phrases.has(own):
        cautions += phrases.lines(own, **remedy.facts)
    return RenderedRemedy(
        id=remedy.id,
        summary=parse_line(_summary(remedy, phrases)),
        opens=parse_line(_opens(remedy, phrases)),
        where=phrases.line("remedy-where", object=str(patch.target)) if patch and patch.patch_type != _NEW else None,
        why_not=_why_not(patch, phrases),
        cautions=tuple(cautions),
        applicable=patch.applicable if patch else False,
    )


def _remedy_context(remedy: Remedy, phrases: Phrases) -> SimpleNamespace:
    patch = remedy.patch
    return SimpleNamespace(
        id=remedy.id,
        summary=_summary(remedy, phrases),
        opening=_opens(remedy, phrases),
        opens=remedy.opens,
        facts=SimpleNamespace(**remedy.facts),
        cautions=remedy.cautions,
        target=str(patch.target) if patch else "",
        applicable=patch.applicable if patch else False,
        why_not=patch.why_not if patch else "",
    )


def _why_not(patch: Patch | None, phrases: Phrases) -> Line | None:
    """Why the change is to be made by hand, in the language's words where it has some for this reason."""
    if patch is None or patch.applicable or not patch.why_not:
        return None
    key = f"why-not.{patch.why_not_code}"
    known = phrases.has(key)
    why = phrases.marked(key, **patch.why_not_facts) if known else phrases.said("why-not", patch.why_not)
    if patch.kept:
        kept = phrases.said("why-not", patch.kept, **patch.kept_facts)
        why = Markup("{} {}").format(why, kept)
    return phrases.line("remedy-by-hand", why=why)


def _summary(remedy: Remedy, phrases: Phrases) -> Markup:
    """What to change. A remedy of several parts is worded part by part; an unknown one by its edits."""
    if len(remedy.parts) == len(remedy.edits) > 1:
        parts = zip(remedy.parts, remedy.edits, strict=True)
        said = [_worded(part, facts, phrases) or _edit(edit, phrases) for (part, facts), edit in parts]
        return phrases.marked("remedy-several", parts=said)
    worded = _worded(remedy.id, remedy.facts, phrases)
    if worded is not None:
        return worded
    edits = [_edit(edit, phrases) for edit in remedy.edits] or [mark(remedy.id)]
    return phrases.marked("remedy-several", parts=edits) if len(edits) > 1 else edits[0]


def _worded(remedy: str, facts: Mapping[str, object], phrases: Phrases) -> Markup | None:
    """The remedy's own sentence, or None when there is none or its facts do not fit."""
    for sentence in phrases.sentences.get(f"remedy.{remedy}.summary", ()):
        try:
            return phrases.attempt(sentence, facts)
        except FAILURES:
            continue
    return None


def _edit(edit: Edit, phrases: Phrases) -> Markup:
    return phrases.marked(
        f"edit.{edit.change.value}",
        object=str(edit.object),
        field=edit.field,
        subject=edit.subject,
        old=_value(edit.old),
        new=_value(edit.new),
    )


def _value(value: Json) -> str | tuple[str, ...]:
    if isinstance(value, list):
        return tuple(map(written, value))
    if isinstance(value, dict):
        return tuple(f"{key}: {written(one)}" for key, one in value.items())
    return written(value)


def _opens(remedy: Remedy, phrases: Phrases) -> Markup:
    """What the remedy makes launchable; one that keeps a node says what it keeps."""
    opens, own = remedy.opens, f"remedy.{remedy.id}.opens"
    if not opens.offerings and phrases.has(own):
        return phrases.marked(own, **remedy.facts)
    return phrases.marked(
        "opens",
        offerings=opens.offerings,
        instance_types=opens.instance_types,
        zones=opens.zones,
        cheapest=opens.cheapest,
        compared=opens.compared,
    )


# -- the rest ------------------------------------------------------------------------------------------------------


def _pool(pool: PoolVerdict, playbooks: Playbooks, phrases: Phrases) -> RenderedPool:
    titles = tuple(dict.fromkeys(playbooks.title(cause, phrases.language) for cause in pool.blocked_by))
    key = "pool.blocked" if titles else "pool.open" if pool.offerings else "pool.unknown"
    return RenderedPool(
        name=clean(pool.name),
        line=phrases.line(key, name=pool.name, titles=titles, offerings=pool.offerings, intended=pool.intended),
        karpenter_message=clean(pool.karpenter_message, 4_000),
        intended=pool.intended,
    )


def _unevaluated(one: Unevaluated, phrases: Phrases) -> Line:
    return phrases.line(f"unevaluated.{one.feature}", object=str(one.object), field=one.field, detail=one.detail)


def _said_once(statements: Sequence[Statement]) -> list[Statement]:
    """Each refusal once: its log line and its event differ in their opening words only. The log's words stay, they are whole."""
    told: dict[str, Statement] = {}
    for one in sorted(statements, key=lambda s: s.source != _LOG):
        words = _OPENING.sub("", one.message).rstrip(".… ")
        known = next((key for key in told if key.startswith(words)), None)
        if known is None:
            told[words] = one
        elif told[known].source != one.source:
            times = [s.time for s in (told[known], one) if s.time]
            told[known] = replace(told[known], source="both", time=max(times, default=None))
    return sorted(told.values(), key=lambda s: s.time.timestamp() if s.time else 0.0, reverse=True)


def _statement(statement: Statement, phrases: Phrases) -> RenderedStatement:
    at = phrases.moment(statement.time)
    key = f"says.{statement.source}" if phrases.has(f"says.{statement.source}") else "says.log"
    return RenderedStatement(label=phrases.line(key, time=at), message=clean(statement.message, 4_000))
