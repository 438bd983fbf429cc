"""Answers and incidents -> Slack messages: the answer as `why` gives it, above it what the incident has become."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from bot.alerting.answers import NodeGone, NodeStory, PodTrace, WaitingGroup
from bot.market.nodepools import Limit, NodePoolView
from bot.market.pool_words import nodepools_sheet
from bot.markets import Pooled
from bot.playbooks import Line, Phrases, Span, plain
from bot.slack.blocks import WHY, Message, answer, button, note, notice
from bot.slack.budget import MESSAGE_BLOCKS, Block, as_plain, fitting, section, text_object
from bot.slack.proposal_blocks import offer_elements
from bot.slack.services import Answered
from bot.slack.sheets import sheet_message

_TEXT: Final = 4_000
MOST_GROUPS: Final = 8
_PODS_NAMED: Final = 5
_TIMELINE: Final = 2_400
_MOST_POOLS: Final = 5
_NEARLY: Final = 90
"""Per cent of a limit from which on a NodePool is in trouble."""


def pod_answer(reply: Answered, phrases: Phrases) -> Message:
    """The brief form of the answer to `why`, with the same buttons."""
    summaries = [plain(remedy.summary) for remedy in reply.rendered.remedies]
    buttons = offer_elements(reply.offers, summaries, phrases)
    return answer(reply.rendered, phrases, evidence=reply.answer_id, brief=True, buttons=buttons)


def grouped(
    where: Mapping[str, object], groups: Sequence[tuple[WaitingGroup, Line]], total: int, phrases: Phrases
) -> Message:
    """Causes with the number of pods each, and a button that asks about one of them."""
    headline = phrases.line("alert.grouped", count=total, **where)
    blocks: list[Block] = [{"type": "section", "text": text_object(headline, 600)}]
    lines: list[Line] = [headline]
    causes = _by_cause(groups)
    for same, why in causes[:MOST_GROUPS]:
        both = _cause(same, why, phrases)
        label = button(phrases.text("slack.why"), action=WHY, value=same[0].pods[0][:300])
        blocks.append({"type": "section", "text": text_object(both, 1_000), "accessory": label})
        lines.append(both)
    left = sum(group.count for same, _ in causes[MOST_GROUPS:] for group in same)
    unasked = total - sum(group.count for group, _ in groups) + left
    if unasked > 0:
        rest = phrases.line("alert.group-rest", count=unasked)
        blocks.append({"type": "context", "elements": [text_object(rest)]})
        lines.append(rest)
    return Message(text=notice(lines, phrases), blocks=tuple(blocks))


def _by_cause(groups: Sequence[tuple[WaitingGroup, Line]]) -> list[tuple[list[WaitingGroup], Line]]:
    """Workloads with the same cause together, the most pods first."""
    found: dict[Line, list[WaitingGroup]] = {}
    for group, why in groups:
        found.setdefault(why, []).append(group)
    return sorted(((same, why) for why, same in found.items()), key=lambda one: -sum(g.count for g in one[0]))


def _cause(same: Sequence[WaitingGroup], why: Line, phrases: Phrases) -> Line:
    owners = tuple(f"{group.namespace}/{group.owner}" for group in same)
    line = phrases.line("alert.group", count=sum(group.count for group in same), owners=owners)
    return Line((*line.spans, Span(" "), *why.spans))


def nothing_waits(where: Mapping[str, object], phrases: Phrases) -> Message:
    """The alert speaks of pending pods and there are none any more."""
    return note(phrases.lines("alert.nothing-waits", **where), phrases)


def node_answer(story: NodeStory, gone: NodeGone | None, cluster: str, phrases: Phrases) -> Message:
    """What became of a node, by which rule, in what order; what runs on it, and which of its pods wait now."""
    below = [*_on_it(story, phrases), *_driven_off(gone, phrases)]
    told = gone is not None and (bool(gone.rendered.causes) or (gone.state in ("gone", "going") and not story.exists))
    if gone is None or not told:
        lines = [*_health(story, cluster, phrases), *below]
        lines += [phrases.line("alert.said", statement=one) for one in story.said[-5:]]
        return note(lines, phrases)
    base = answer(gone.rendered, phrases, brief=True)
    more = [*gone.rendered.because, *gone.rendered.timeline, *gone.rendered.shields]
    parts = [section(part, lambda n: phrases.line("more.lines", count=n), _TIMELINE) for part in (more, below) if part]
    blocks = [*base.blocks[:2], *parts]
    text = notice([gone.rendered.headline, gone.rendered.about, *below, *more], phrases)
    return Message(text=text, blocks=(*blocks, *base.blocks[2:]))


def _health(story: NodeStory, cluster: str, phrases: Phrases) -> tuple[Line, ...]:
    values = {
        "node": story.name,
        "cluster": cluster,
        "ready": story.ready,
        "reason": story.reason,
        "message": story.message,
        "since": story.since,
        "nodeclaim": story.nodeclaim,
        "nodepool": story.nodepool,
        "deleting": story.deleting,
        "pods": story.pods,
    }
    key = "gone" if not story.exists else "ready" if story.ready == "True" else "unready"
    return phrases.lines(f"alert.node-{key}", **values)


def _on_it(story: NodeStory, phrases: Phrases) -> list[Line]:
    """The workloads whose pods are on the node, its daemons left out."""
    if not story.workloads:
        return []
    names = tuple(f"{group.namespace}/{group.owner}" for group in story.workloads)
    count = sum(group.count for group in story.workloads)
    return [phrases.line("alert.node-pods", count=count, workloads=names)]


def _driven_off(gone: NodeGone | None, phrases: Phrases) -> list[Line]:
    """What became of the pods that the node took along: which of their workloads wait."""
    if gone is None or not gone.waiting:
        return []
    names = tuple(f"{group.namespace}/{group.owner}" for group in gone.waiting)
    return [phrases.line("alert.node-waiting", count=sum(g.count for g in gone.waiting), workloads=names)]


def nodepool_answer(
    pooled: Pooled, nodepool: str, behind: Sequence[tuple[WaitingGroup, Line]], total: int, phrases: Phrases
) -> Message:
    """A NodePool's limits and their use first, then all that `nodepools` says of it, then the pods that wait.

    Without a name: the NodePools that are in trouble, all of them where none is.
    """
    pools = pooled.answer.pools
    shown = pools if nodepool else (tuple(filter(_in_trouble, pools)) or pools)[:_MOST_POOLS]
    sheet = nodepools_sheet(replace(pooled.answer, pools=shown), phrases, pooled.ages, whole=False)
    if nodepool and shown:
        sheet = replace(sheet, title=_most_used(shown[0], phrases))
    base = sheet_message(sheet, phrases)
    if not total:
        return base
    lines = [phrases.line("alert.behind", count=total)]
    lines += [_cause(same, why, phrases) for same, why in _by_cause(behind)]
    block = section(lines, lambda count: phrases.line("more.lines", count=count), _TIMELINE)
    text = f"{base.text}\n{notice(lines, phrases)}"[:_TEXT]
    return Message(text=text, blocks=(*base.blocks, block)[:MESSAGE_BLOCKS], chart=base.chart)


def _most_used(pool: NodePoolView, phrases: Phrases) -> Line:
    """The limit that is nearest, as a headline."""
    if not pool.limits:
        return phrases.line("alert.nodepool-unlimited", nodepool=pool.name)
    one = max(pool.limits, key=_per_cent)
    facts = {"resource": one.resource, "used": str(one.used), "limit": str(one.limit), "left": str(one.left)}
    return phrases.line("alert.nodepool-limit", nodepool=pool.name, percent=_per_cent(one), **facts)


def _per_cent(limit: Limit) -> int:
    return limit.used.nano * 100 // limit.limit.nano if limit.limit.nano > 0 else 100


def _in_trouble(pool: NodePoolView) -> bool:
    return not pool.ready or bool(pool.problems or pool.marks) or any(_per_cent(one) >= _NEARLY for one in pool.limits)


def gone_pod(asked: str, trace: PodTrace, phrases: Phrases) -> Message:
    """A pod that is there no more: what its owner is doing, what its events said last, and who took its place."""
    lines = list(phrases.lines("alert.pod-gone", pod=asked, successors=trace.successors[:_PODS_NAMED]))
    if trace.owner is not None:
        one = trace.owner
        facts = {"kind": one.kind, "name": one.name, "why": one.why, "wanted": one.wanted, "has": one.has}
        lines.append(phrases.line(f"alert.owner-{one.state}", **facts))
    lines += [phrases.line("alert.said", statement=one) for one in trace.said[-5:]]
    return note(lines, phrases)


def failure(code: str, facts: Mapping[str, object], phrases: Phrases) -> Message:
    """Why there is no answer."""
    key = f"error.{code}" if phrases.has(f"error.{code}") else "error.internal"
    return note(phrases.lines(key, **({"reference": code} if key == "error.internal" else dict(facts))), phrases)


def incident_message(body: Mapping[str, Any], phrases: Phrases) -> dict[str, Any]:
    """The whole message of an incident as plain JSON: how it ended or grew, then the answer."""
    base, above = body["answer"], _above(body, phrases)
    below = [phrases.line("alert.of-webhook", **body["alert"])] if body.get("alert") else []
    text = "\n".join(fitting([*below, *above], lambda n: phrases.line("more.lines", count=n), _TEXT // 2, as_plain))
    blocks: list[Any] = [{"type": "section", "text": text_object(line, 1_000)} for line in below]
    if above:
        blocks.append(section(above, lambda n: phrases.line("more.lines", count=n), 1_500))
    whole = f"{notice([*below, *above], phrases)}\n{base['text']}" if text else base["text"]
    return {"text": whole[:_TEXT], "blocks": [*blocks, *base["blocks"]][:MESSAGE_BLOCKS]}


def _above(body: Mapping[str, Any], phrases: Phrases) -> list[Line]:
    lines: list[Line] = []
    ended = body.get("ended")
    if ended:
        opened = datetime.fromisoformat(body["opened"])
        minutes = max(1, round((datetime.fromisoformat(ended["at"]) - opened).total_seconds() / 60))
        facts = {"node": ended.get("node", ""), "minutes": minutes}
        lines.append(phrases.line(f"alert.ended-{ended['how']}", **facts))
    pods, jobs = len(body.get("pods", ())), len(body.get("jobs", ()))
    if body.get("alerts", 0) > 1:
        lines.append(phrases.line("alert.grown", pods=pods, jobs=jobs, alerts=body["alerts"], ended=bool(ended)))
    return lines
