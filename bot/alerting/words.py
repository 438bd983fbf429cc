"""Answers and incidents -> Slack messages: the answer as `why` gives it, above it what the incident has become."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bot.alerting.answers import NodeStory, PodTrace, WaitingGroup
from bot.playbooks import Line, Phrases, plain
from bot.slack.blocks import WHY, Message, answer, button, note, notice
from bot.slack.budget import MESSAGE_BLOCKS, Block, as_plain, fitting, section, text_object
from bot.slack.proposal_blocks import offer_elements
from bot.slack.services import Answered

_TEXT: Final = 4_000
MOST_GROUPS: Final = 8
_PODS_NAMED: Final = 5


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
    for group, why in groups[:MOST_GROUPS]:
        line = phrases.line("alert.group", count=group.count, owner=f"{group.namespace}/{group.owner}")
        both = Line((*line.spans, *why.spans))
        label = button(phrases.text("slack.why"), action=WHY, value=group.pods[0][:300])
        blocks.append({"type": "section", "text": text_object(both, 1_000), "accessory": label})
        lines.append(both)
    left = sum(group.count for group, _ in groups[MOST_GROUPS:])
    unasked = total - sum(group.count for group, _ in groups) + left
    if unasked > 0:
        rest = phrases.line("alert.group-rest", count=unasked)
        blocks.append({"type": "context", "elements": [text_object(rest)]})
        lines.append(rest)
    return Message(text=notice(lines, phrases), blocks=tuple(blocks))


def nothing_waits(where: Mapping[str, object], phrases: Phrases) -> Message:
    """The alert speaks of pending pods and there are none any more."""
    return note(phrases.lines("alert.nothing-waits", **where), phrases)


def node_answer(story: NodeStory, cluster: str, phrases: Phrases) -> Message:
    """What became of a node and what was said about it."""
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
    lines = [*phrases.lines(f"alert.node-{key}", **values)]
    lines += [phrases.line("alert.said", statement=one) for one in story.said[-5:]]
    return note(lines, phrases)


def gone_pod(asked: str, trace: PodTrace, phrases: Phrases) -> Message:
    """A pod that is there no more: what its events said last, and who took its place."""
    lines = [*phrases.lines("alert.pod-gone", pod=asked, successors=trace.successors[:_PODS_NAMED])]
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
