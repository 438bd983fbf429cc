"""Proposals in Slack: the modal that shows a change, the message that follows it, the patch to copy. Pure.

Words from outside are escaped or stand in rich text, which Slack parses for nothing; a button's value is an opaque id.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

import msgspec

from bot.model.diagnosis import Json
from bot.model.proposals import AuditEntry, Proposal, Purpose, State
from bot.playbooks import Line, Phrases, Span, clean, escape, plain, shortened, value_line
from bot.slack.blocks import Message, button, notice
from bot.slack.budget import MODAL_TITLE, Block, plain_object, section, text_object
from bot.slack.services import Copy, Offered

PROPOSE, PROPOSE_OTHER = "propose", "propose_other"
APPROVE, REJECT, UNDO, POST_THERE = "approve", "reject", "undo", "post_there"
PROPOSAL_VIEW, REJECTION_VIEW, COPY_VIEW = "proposal", "rejection", "copy_patch"
REASON: Final = "reason"
_DIFF: Final = 2_400
"""Characters of a diff in a message; a modal takes a little more."""
_DIFF_IN_MODAL: Final = 9_000
_BOX: Final = 2_900
_OPTION: Final = 75
_WAITING: Final = (State.PROPOSED, State.CONFIRMING)
_LEFT: Final = (State.APPLIED, State.VERIFIED, State.STALLED)
_USER: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
_CHANNEL: Final = re.compile(r"[CGD][A-Z0-9]{2,20}")
_GROUP: Final = re.compile(r"S[A-Z0-9]{2,20}")


# -- under an answer -------------------------------------------------------------------------------------------------


def offer_elements(offers: Sequence[Offered], summaries: Sequence[str], phrases: Phrases) -> list[Block]:
    """The best remedy as a button (primary where it can be applied, red where that deletes), the others in a menu."""
    if not offers:
        return []
    best, *others = offers
    label = phrases.text(f"approvals.{_way(best)}", number=best.number + 1)
    first = button(label, action=PROPOSE, value=best.token)
    styled = {"style": "danger" if best.recreates else "primary"} if best.ready else {}
    elements = [{**first, **styled}]
    if others:
        elements.append(
            {
                "type": "static_select",
                "action_id": PROPOSE_OTHER,
                "placeholder": plain_object(phrases.text("approvals.other"), _OPTION),
                "options": [_option(one, summaries, phrases) for one in others],
            }
        )
    return elements


def _option(one: Offered, summaries: Sequence[str], phrases: Phrases) -> Json:
    summary = summaries[one.number] if one.number < len(summaries) else ""
    label = phrases.text(f"approvals.other-{_way(one)}", number=one.number + 1, summary=summary)
    return {"text": plain_object(label, _OPTION), "value": one.token}


def _way(one: Offered) -> str:
    """What its button does: nothing that deletes is ever called a proposal like any other."""
    if not one.ready:
        return "copy"
    return "recreate" if one.recreates else "propose"


# -- the modals --------------------------------------------------------------------------------------------------------


def proposal_modal(one: Proposal, phrases: Phrases) -> dict[str, Json]:
    """What would be changed, before anybody is asked: submitted, it is posted for approval."""
    blocks = [*_what(one, phrases), *_boxes(one.alteration.diff, phrases, _DIFF_IN_MODAL)]
    blocks.append({"type": "context", "elements": [text_object(phrases.line("approvals.dry-run"))]})
    return {
        "type": "modal",
        "callback_id": PROPOSAL_VIEW,
        "private_metadata": one.id,
        "title": plain_object(phrases.text("approvals.modal-title"), MODAL_TITLE),
        "submit": plain_object(phrases.text("approvals.submit"), MODAL_TITLE),
        "close": plain_object(phrases.text("approvals.cancel"), MODAL_TITLE),
        "blocks": cast("Json", blocks),
    }


def copy_modal(copy: Copy, phrases: Phrases) -> dict[str, Json]:
    """A change that cannot be applied from here: why, and the words to do it by hand."""
    why = phrases.line(f"error.{copy.code}", why=copy.why) if copy.code else value_line(copy.why)
    blocks: list[Block] = [_section([Line((Span(copy.summary, bold=True),)), why], phrases)]
    blocks.append(_section([phrases.line("approvals.changes", object=copy.target, cluster="")], phrases))
    ways = [("repository", copy.repository), ("command", copy.command)]
    for name, words in ways if copy.managed else ways[::-1]:
        if words:
            label = copy.label if name == "repository" else name
            blocks.append(_section([phrases.line(f"approvals.{label}")], phrases))
            blocks += _boxes(words, phrases, _DIFF_IN_MODAL // 2)
    return _plain_modal(COPY_VIEW, phrases.text("approvals.copy-title"), blocks, phrases)


def rejection_modal(metadata: str, phrases: Phrases) -> dict[str, Json]:
    """Asks for a reason. `metadata`: opaque."""
    asked: Block = {
        "type": "input",
        "block_id": REASON,
        "label": plain_object(phrases.text("approvals.reason")),
        "element": {"type": "plain_text_input", "action_id": REASON, "multiline": True, "max_length": 500},
    }
    modal = _plain_modal(REJECTION_VIEW, phrases.text("approvals.reject-title"), [asked], phrases)
    submit = plain_object(phrases.text("approvals.reject"), MODAL_TITLE)
    return {**modal, "private_metadata": metadata, "submit": submit}


def _plain_modal(callback: str, title: str, blocks: Sequence[Block], phrases: Phrases) -> dict[str, Json]:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain_object(title, MODAL_TITLE),
        "close": plain_object(phrases.text("slack.close"), MODAL_TITLE),
        "blocks": cast("Json", list(blocks)),
    }


# -- the message -------------------------------------------------------------------------------------------------------


def proposal_message(one: Proposal, phrases: Phrases) -> Message:
    """The proposal as it stands now."""
    lines = [_headline(one, phrases), *_facts(one, phrases), *_progress(one, phrases)]
    blocks = [_section(lines, phrases)]
    blocks += _boxes(one.alteration.diff, phrases, _DIFF) if one.state in (*_WAITING, State.APPROVED) else []
    if one.place.asked_in and one.state in _WAITING:
        blocks.append({"type": "context", "elements": [text_object(phrases.line("approvals.elsewhere"))]})
    people = list(_people(one, phrases))
    if people:
        blocks.append({"type": "context", "elements": cast("Json", people)})
    actions = _actions(one, phrases)
    if actions:
        blocks.append({"type": "actions", "block_id": f"proposal-{one.state}", "elements": cast("Json", actions)})
    return Message(text=notice(lines, phrases), blocks=tuple(blocks))


def _headline(one: Proposal, phrases: Phrases) -> Line:
    summary, key = _text(one, "summary"), f"approvals.state.{one.state}"
    if one.purpose is Purpose.UNDO and one.state in _WAITING:
        key = "approvals.undo-of.proposed"
    elif one.purpose is Purpose.UNDO and one.state in _LEFT:
        key = "approvals.undo-of.applied"
    return phrases.line(key, summary=summary, reason=_text(one, "reason"))


def _what(one: Proposal, phrases: Phrases) -> list[Block]:
    return [_section([Line((Span(_text(one, "summary"), bold=True),)), *_facts(one, phrases)], phrases)]


def _facts(one: Proposal, phrases: Phrases) -> Iterator[Line]:
    """The object, what it opens, the risks."""
    yield phrases.line("approvals.changes", object=str(one.alteration.target), cluster=one.cluster)
    if opens := _text(one, "opens"):
        yield value_line(opens)
    risks = one.facts.get("risks")
    if one.alteration.creates is not None:
        yield phrases.line("approvals.recreates", object=str(one.alteration.target), stops=one.facts.get("stops", 0))
    for risk in risks if isinstance(risks, list) else ():
        yield phrases.line("approvals.risk", risk=risk)
    if not risks and one.alteration.creates is None:
        yield phrases.line("approvals.no-risk")


def _progress(one: Proposal, phrases: Phrases) -> Iterator[Line]:
    """What has come of it, with times."""
    failure, sight = one.facts.get("failure"), one.facts.get("sight")
    if one.state is State.APPLYING and one.attempt and one.attempt.accepted:
        yield phrases.line("approvals.recreating")
    if isinstance(failure, dict):
        yield phrases.line(f"approvals.failure.{failure['code']}", message=failure["message"], proposal=one.id)
    if one.facts.get("overwritten"):
        yield phrases.line("approvals.overwritten")
    if isinstance(sight, dict):
        yield from _sight(one, sight, phrases)
    waits = one.state in (State.APPLIED, State.STALLED) and one.purpose is Purpose.REMEDY
    cautions = one.facts.get("cautions")
    if waits and isinstance(cautions, list) and "delete-pod-after" in cautions:
        yield phrases.line("approvals.delete-pod", pod=one.pod.name)
    if now := _text(one, "now"):
        yield phrases.line("approvals.now", now=now)
    following = _next(one)
    if following:
        yield phrases.line("approvals.next")
    for offer, summary in following:
        yield phrases.line("approvals.next-fix", number=offer.number + 1, summary=summary)


def _next(one: Proposal) -> list[tuple[Offered, str]]:
    """What is offered under a change that did not suffice."""
    found = one.facts.get("next") if one.state is State.STALLED else None
    fixes = (fix for fix in (found if isinstance(found, list) else ()) if isinstance(fix, dict))
    return [(msgspec.convert(fix, Offered), clean(str(fix.get("summary", "")))) for fix in fixes]


def _sight(one: Proposal, sight: Mapping[str, Any], phrases: Phrases) -> Iterator[Line]:
    def seconds(name: str) -> int | None:
        return round(sight[name]) if isinstance(sight.get(name), int | float) else None

    if sight.get("nodeclaim"):
        named = {name: sight[name] for name in ("nodeclaim", "instance_type", "zone", "capacity_type")}
        price = one.facts.get("price")
        yield phrases.line("approvals.sight.nodeclaim", **named, price=price, seconds=seconds("launched"))
    if seconds("node_ready") is not None:
        yield phrases.line("approvals.sight.node", seconds=seconds("node_ready"))
    if seconds("running") is not None:
        yield phrases.line("approvals.sight.pod", pod=sight["pod"], node=sight["node"], seconds=seconds("running"))
    elif sight.get("pod"):
        yield phrases.line("approvals.sight.waiting", pod=sight["pod"])


def _people(one: Proposal, phrases: Phrases) -> Iterator[Block]:
    """Who and when, as Slack's own mentions and dates; ids of another form are shown as they are, escaped."""

    def said(label: str, who: str) -> Block:
        text = f"{phrases.text(f'approvals.people.{label}')} {who}"
        return {"type": "mrkdwn", "text": text, "verbatim": True}

    yield said("asked", mention(one.requester))
    if one.approvers:
        at = f" {_date(one.approved_at, phrases)}" if one.approved_at else ""
        yield said("approved", ", ".join(map(mention, one.approvers)) + at)
    if decided := _text(one, "decided_by"):
        yield said("decided", mention(decided))
    if one.state in _WAITING:
        yield said("until", _date(one.expires_at, phrases))


def _actions(one: Proposal, phrases: Phrases) -> list[Block]:
    object_, cluster = str(one.alteration.target), one.cluster
    if one.state in _WAITING:
        label = "approvals.approve" if one.state is State.PROPOSED else "approvals.confirm"
        approve = button(phrases.text(label), action=APPROVE, value=one.id)
        sure_of = "approvals.sure" if one.alteration.creates is None else "approvals.sure-recreate"
        asked = phrases.text(sure_of, object=object_, cluster=cluster)
        sure = _confirm(asked, _text(one, "summary"), phrases)
        there = button(phrases.text("approvals.post-there"), action=POST_THERE, value=one.id)
        return [
            {**approve, "style": "danger" if one.recreates else "primary", "confirm": sure},
            button(phrases.text("approvals.reject"), action=REJECT, value=one.id),
            *([there] if one.place.asked_in else ()),
        ]
    if one.undoable and (one.state in _LEFT or one.half_done):
        label = "approvals.put-back" if one.half_done else "approvals.undo"
        undo = button(phrases.text(label), action=UNDO, value=one.id)
        asked = phrases.text("approvals.sure-undo", object=object_, cluster=cluster)
        back = {**undo, "confirm": _confirm(asked, _text(one, "summary"), phrases)}
        return [*_next_elements(one, phrases), back]
    return _next_elements(one, phrases)


def _next_elements(one: Proposal, phrases: Phrases) -> list[Block]:
    following = _next(one)
    return offer_elements([offer for offer, _ in following], [summary for _, summary in following], phrases)


def _confirm(title: str, text: str, phrases: Phrases) -> Json:
    """Slack's own "are you sure", with the object, the cluster and the change in it."""
    return {
        "title": plain_object(title, 100),
        "text": plain_object(text, 300),
        "confirm": plain_object(phrases.text("approvals.apply-it"), 30),
        "deny": plain_object(phrases.text("approvals.keep"), 30),
    }


def moved_message(phrases: Phrases, channel: str) -> Message:
    """What is left of a proposal's message that stands in a channel now."""
    lines = [phrases.line("approvals.moved")]
    named: Block = {"type": "mrkdwn", "text": f"<#{channel}>" if _CHANNEL.fullmatch(channel) else "—", "verbatim": True}
    blocks: tuple[Block, ...] = (_section(lines, phrases), {"type": "context", "elements": [named]})
    return Message(text=notice(lines, phrases), blocks=blocks)


def audit_message(entries: Sequence[AuditEntry], phrases: Phrases) -> Message:
    """The newest entries of the audit, the oldest of them first."""
    if not entries:
        lines = [phrases.line("approvals.audit.none")]
        return Message(text=notice(lines, phrases), blocks=(_section(lines, phrases),))
    lines = [phrases.line("approvals.audit.title"), *(_entry(entry, phrases) for entry in entries)]
    lines.append(phrases.line("approvals.audit.hint"))
    return Message(text=notice(lines, phrases), blocks=tuple(_section([line], phrases) for line in lines))


def _entry(entry: AuditEntry, phrases: Phrases) -> Line:
    return phrases.line(
        "approvals.audit.line",
        at=phrases.moment(entry.at),
        event=entry.event,
        actor=entry.actor or "karpenter-bot",
        proposal=entry.proposal,
        state=entry.state,
    )


def may_message(failed: Message, users: Sequence[str], groups: Sequence[str], phrases: Phrases) -> Message:
    """A refusal, with who may instead."""
    named = [*map(mention, users), *(f"<!subteam^{g}>" for g in groups if _GROUP.fullmatch(g))]
    if not named:
        return failed
    text = f"{phrases.text('approvals.people.may')} {', '.join(named)}"
    context: Block = {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}
    return Message(text=failed.text, blocks=(*failed.blocks, context))


def mention(user: str) -> str:
    """A person's name as Slack draws it; nothing that Slack would read is made of any other text."""
    return f"<@{user}>" if _USER.fullmatch(user) else re.sub(r"[^\w-]", "", user)[:30] or "—"


def _date(moment: datetime, phrases: Phrases) -> str:
    return f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} {{time}}|{escape(phrases.moment(moment))}>"


def _text(one: Proposal, name: str) -> str:
    said = one.facts.get(name)
    return clean(said) if isinstance(said, str) else ""


def _section(lines: Sequence[Line], phrases: Phrases) -> Block:
    return section(lines, lambda count: phrases.line("more.lines", count=count))


def _boxes(words: str, phrases: Phrases, most: int) -> list[Block]:
    """Lines of fixed width, whole lines only; what does not fit is counted."""
    kept: list[str] = []
    room = most
    lines = words.splitlines()
    for index, raw in enumerate(lines):
        line = shortened(raw, 400)
        if len(line) + 1 > room:
            kept.append(plain(phrases.line("approvals.more-lines", count=len(lines) - index)))
            break
        kept.append(line)
        room -= len(line) + 1
    return list(_boxed(kept))


def _boxed(lines: Sequence[str]) -> Iterator[Block]:
    chunk: list[str] = []
    for line in (*lines, None):
        if line is None or sum(map(len, chunk)) + len(chunk) + len(line) > _BOX:
            text: Json = {"type": "text", "text": "\n".join(chunk) or "—"}
            yield {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": [text]}]}
            chunk = []
        if line is not None:
            chunk.append(line)
