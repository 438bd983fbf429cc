"""An Explanation of pasted text -> Rendered: causes by their pages, everything else by the sentences of `_explain.yaml`."""

from collections.abc import Iterable
from dataclasses import replace

from bot.diagnosis.pasted import Explanation, Need
from bot.model.diagnosis import Diagnosis, Verdict
from bot.model.objects import ObjectRef
from bot.playbooks.library import Playbooks
from bot.playbooks.markup import Line, LineKind
from bot.playbooks.phrases import Phrases
from bot.playbooks.rendered import Rendered, RenderedCause
from bot.playbooks.rendering import render


def render_explanation(explanation: Explanation, playbooks: Playbooks, language: str) -> Rendered:
    """The whole answer in one language. What to look at next stands with the first cause's checks; where no cause is
    proven, the sentence about the text's topic leads.
    """
    phrases = playbooks.phrases(language)
    rendered = render(_as_diagnosis(explanation, phrases), playbooks, language)
    needs = tuple(need_lines(explanation.needs, phrases))
    pods = explanation.pods
    about = phrases.line("explain.pods", pods=pods) if pods else Line(())
    if not rendered.causes:
        topic = phrases.line(f"topic.{explanation.topic}")
        lacking = (phrases.line("explain.not-enough"),) if explanation.evidence == "not-enough" and needs else ()
        leading = RenderedCause(
            id=explanation.topic, title="", severity="info", headline=topic, because=lacking, check=needs
        )
        return replace(rendered, headline=topic, about=about, causes=(leading,))
    first, *rest = rendered.causes
    first = replace(first, check=(*first.check, *needs))
    return replace(rendered, about=about, causes=(first, *rest))


def need_lines(needs: Iterable[Need], phrases: Phrases) -> Iterable[Line]:
    """One bullet for each thing to look at."""
    for need in needs:
        yield Line(phrases.line(f"need.{need.id}", **need.facts).spans, LineKind.BULLET)


def _as_diagnosis(explanation: Explanation, phrases: Phrases) -> Diagnosis:
    """What pages expect: a pod with a name, if only "the pod"."""
    namespace, _, name = (explanation.pods[0] if explanation.pods else "").rpartition("/")
    pod = ObjectRef(api_version="v1", kind="Pod", namespace=namespace, name=name or phrases.text("explain.unnamed-pod"))
    verdict = Verdict.BLOCKED if explanation.causes else Verdict.UNKNOWN
    blocked = tuple(pool for pool in explanation.nodepools if pool.blocked_by)
    return Diagnosis(pod=pod, uid="", verdict=verdict, causes=explanation.causes, nodepools=blocked)
