"""A Diagnosis as JSON: the contract of `-o json`. PURE. Fields are added, never renamed."""

from collections.abc import Iterable
from typing import Final

from bot.diagnosis.departure import Departure
from bot.diagnosis.pasted import Explanation
from bot.diagnosis.shields import Shield
from bot.diagnosis.timeline import Moment
from bot.karpenter import Signal
from bot.market.contract import ages_as_json
from bot.model.diagnosis import Cause, Constraint, Diagnosis, Edit, Fact, Json, Opens, PoolVerdict, Remedy, Statement
from bot.model.objects import ObjectRef
from bot.model.world import Missing
from bot.playbooks import Rendered, plain

MOST_SIGNALS: Final = 50
LONGEST_MESSAGE: Final = 2_000


def as_json(diagnosis: Diagnosis, rendered: Rendered, elapsed_ms: float) -> dict[str, Json]:
    """The whole answer. `rendered` gives the summaries in its language; `elapsed_ms` is what the answer took."""
    causes = zip(diagnosis.causes, rendered.causes, strict=True)
    remedies = zip(diagnosis.remedies, rendered.remedies, strict=True)
    return {
        "pod": {"namespace": diagnosis.pod.namespace, "name": diagnosis.pod.name, "uid": diagnosis.uid},
        "verdict": str(diagnosis.verdict),
        "reason": diagnosis.reason,
        "summary": rendered.summary,
        "cluster": diagnosis.cluster,
        "karpenterVersion": diagnosis.karpenter_version or None,
        "karpenterSays": [_statement(s) for s in diagnosis.karpenter_says],
        "causes": [_cause(cause, plain(words.headline)) for cause, words in causes],
        "nodepools": [_pool(p) for p in diagnosis.nodepools],
        "remedies": [_remedy(remedy, plain(words.summary)) for remedy, words in remedies],
        "facts": _facts(diagnosis.facts.items()),
        "notes": list(diagnosis.notes),
        "missing": [str(gap) for gap in diagnosis.missing],
        "notEvaluated": [
            {"feature": one.feature, "object": _ref(one.object), "field": one.field, "detail": one.detail or None}
            for one in diagnosis.unevaluated
        ],
        "playbookProblems": [str(problem) for problem in rendered.problems],
        "agesSeconds": ages_as_json(diagnosis.ec2_ages),
        "elapsedMs": round(elapsed_ms, 1),
    }


def explanation_as_json(
    explanation: Explanation, rendered: Rendered, needs: Iterable[str], missing: Iterable[Missing]
) -> dict[str, Json]:
    """The answer of `explain`. `needs` are the sentences that say what to look at next, in `rendered`'s language."""
    causes = zip(explanation.causes, rendered.causes, strict=False)
    return {
        "recognised": explanation.recognised,
        "kind": explanation.kind or None,
        "topic": explanation.topic,
        "evidence": explanation.evidence,
        "summary": rendered.summary,
        "pods": list(explanation.pods),
        "causes": [_cause(cause, plain(words.headline)) for cause, words in causes],
        "needs": list(needs),
        "nodepools": [_pool(p) for p in explanation.nodepools],
        "signals": [_signal(s) for s in explanation.signals[:MOST_SIGNALS]],
        "missing": [str(gap) for gap in missing],
        "playbookProblems": [str(problem) for problem in rendered.problems],
    }


def departure_as_json(departure: Departure, rendered: Rendered) -> dict[str, Json]:
    """The answer of `why-gone`. Times are RFC 3339; `pods` are `namespace/name`."""
    found = departure.diagnosis
    causes = zip(found.causes, rendered.causes, strict=True)
    remedies = zip(found.remedies, rendered.remedies, strict=True)
    return {
        "subject": {"kind": departure.subject.kind, **_named(departure.subject)},
        "node": departure.node or None,
        "nodeclaim": departure.nodeclaim or None,
        "nodepool": departure.nodepool or None,
        "state": departure.state,
        "reason": departure.reason or None,
        "decided": departure.decided.isoformat() if departure.decided else None,
        "summary": rendered.summary,
        "pods": list(departure.pods),
        "jobs": list(departure.jobs),
        "timeline": [
            _moment(one, plain(line)) for one, line in zip(departure.timeline, rendered.timeline, strict=True)
        ],
        "shields": [_shield(one, plain(line)) for one, line in zip(departure.shields, rendered.shields, strict=True)],
        "causes": [_cause(cause, plain(words.headline)) for cause, words in causes],
        "remedies": [_remedy(remedy, plain(words.summary)) for remedy, words in remedies],
        "missing": [str(gap) for gap in found.missing],
        "playbookProblems": [str(problem) for problem in rendered.problems],
    }


def _named(subject: ObjectRef) -> dict[str, str]:
    return {"namespace": subject.namespace, "name": subject.name}


def _moment(one: Moment, words: str) -> Json:
    time = one.time.isoformat() if one.time else None
    facts = _facts(one.facts.items())
    return {"time": time, "what": one.what, "source": one.source, "times": one.times, "words": words, "facts": facts}


def _shield(one: Shield, words: str) -> Json:
    return {"id": one.id, "state": one.state, "words": words, "facts": _facts(one.facts.items())}


def _signal(signal: Signal) -> Json:
    return {
        "kind": str(signal.kind),
        "time": signal.time.isoformat() if signal.time else None,
        "objects": dict(signal.objects),
        "message": signal.message[:LONGEST_MESSAGE],
        "truncated": signal.truncated,
    }


def _statement(said: Statement) -> Json:
    return {"source": said.source, "time": said.time.isoformat() if said.time else None, "message": said.message}


def _cause(cause: Cause, summary: str) -> Json:
    return {
        "id": cause.id,
        "playbook": cause.id,
        "summary": summary,
        "nodepools": list(cause.nodepools),
        "constraints": [_constraint(c) for c in cause.constraints],
        "facts": _facts(cause.facts.items()),
        "evidence": list(cause.evidence),
    }


def _constraint(constraint: Constraint) -> Json:
    return {
        "id": constraint.id,
        "kind": str(constraint.kind),
        "object": _ref(constraint.object),
        "field": constraint.field,
        "value": constraint.value,
    }


def _ref(ref: ObjectRef) -> Json:
    return {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _pool(pool: PoolVerdict) -> Json:
    return {
        "name": pool.name,
        "blockedBy": list(pool.blocked_by),
        "karpenterMessage": pool.karpenter_message,
        "offerings": pool.offerings,
        "intended": pool.intended,
        "funnel": [{"constraint": step, "offerings": left} for step, left in pool.funnel],
    }


def _remedy(remedy: Remedy, summary: str) -> Json:
    patch = remedy.patch
    return {
        "id": remedy.id,
        "summary": summary,
        "nodepool": remedy.nodepool,
        "relaxes": [c.id for c in remedy.relaxes],
        "edits": [_edit(e) for e in remedy.edits],
        "target": _ref(patch.target) if patch else None,
        "patchType": patch.patch_type if patch else None,
        "patch": patch.patch if patch else None,
        "opens": _opens(remedy.opens),
        "applicable": patch.applicable if patch else False,
        "whyNot": (patch.why_not or None) if patch else "no patch could be worked out",
        "whyNotCode": (patch.why_not_code or None) if patch else None,
        "recreate": patch.recreate if patch else False,
        "recreateWhyNotCode": (patch.kept or None) if patch else None,
        "cautions": list(remedy.cautions),
    }


def _edit(edit: Edit) -> Json:
    return {
        "object": _ref(edit.object),
        "field": edit.field,
        "change": str(edit.change),
        "subject": edit.subject,
        "old": edit.old,
        "new": edit.new,
    }


def _opens(opens: Opens) -> Json:
    best = opens.cheapest
    cheapest: Json = None
    if best is not None:
        cheapest = {
            "instanceType": best.instance_type,
            "zone": best.zone,
            "capacityType": best.capacity_type,
            "pricePerHour": best.price_per_hour,
            "onDemandPricePerHour": best.on_demand_price_per_hour,
            "asOf": best.as_of or None,
            "onDemandAsOf": best.on_demand_as_of or None,
        }
    return {
        "offerings": opens.offerings,
        "instanceTypes": list(opens.instance_types),
        "zones": list(opens.zones),
        "cheapest": cheapest,
        "comparedWith": _compared(opens),
        "gpusMeant": list(opens.gpus_meant),
        "gpusOpened": list(opens.gpus_opened),
    }


def _compared(opens: Opens) -> Json:
    asked = opens.compared
    if asked is None:
        return None
    return {
        "instanceType": asked.instance_type,
        "capacityType": asked.capacity_type,
        "pricePerHour": asked.price_per_hour,
        "asOf": asked.as_of or None,
        "difference": asked.difference,
    }


def _facts(facts: Iterable[tuple[str, Fact]]) -> dict[str, Json]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts}
