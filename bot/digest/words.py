"""A week's figures -> one message for a channel: sentences of `_digest.yaml`, everything in them counted."""

from typing import Final

from bot.digest.counting import Figures
from bot.playbooks import Line, LineKind, Phrases, Playbooks, Span
from bot.slack.blocks import Message, notice
from bot.slack.budget import MESSAGE, MESSAGE_BLOCKS, Budget, More, plain_object, section, text_object

_PART: Final = 2_500


def digest_message(found: Figures, playbooks: Playbooks, language: str) -> Message:
    """The digest; where nothing was asked, one sentence that says so."""
    phrases = playbooks.phrases(language)
    title = phrases.line("digest.title", since=found.since.isoformat(), until=found.until.isoformat())
    parts = [part for part in (_waited(found, phrases), *_lists(found, playbooks, phrases)) if part]
    foot = _foot(found, phrases)
    budget = Budget(blocks=MESSAGE_BLOCKS, characters=MESSAGE)
    budget.take({"type": "header", "text": plain_object("".join(span.text for span in title.spans), 150)})
    for part in parts:
        budget.take(section(part, _more(phrases), _PART))
    budget.take({"type": "context", "elements": [text_object(line) for line in foot]})
    return Message(
        text=notice([title, *(line for part in parts for line in part), *foot], phrases), blocks=tuple(budget.taken)
    )


def _more(phrases: Phrases) -> More:
    return lambda count: phrases.line("more.lines", count=count)


def _waited(found: Figures, phrases: Phrases) -> list[Line]:
    if not found.answers:
        return [phrases.line("digest.nothing")]
    lines = [phrases.line("digest.answers", answers=found.answers, workloads=found.workloads)]
    if found.pods:
        pod, seconds = found.longest
        lines.append(
            phrases.line(
                "digest.waited",
                pods=found.pods,
                seconds=found.seconds,
                placed=found.placed,
                gone=found.gone,
                waiting=found.waiting,
            )
        )
        lines.append(phrases.line("digest.longest", pod=pod, seconds=seconds))
    if found.gpu_hours:
        lines.append(phrases.line("digest.gpu-hours", hours=found.gpu_hours))
    return lines


def _lists(found: Figures, playbooks: Playbooks, phrases: Phrases) -> list[list[Line]]:
    """Causes, playbooks that helped, changes that were refused, offerings that EC2 refused: each with a heading."""

    def title(cause: str) -> str:
        return playbooks.title(cause, phrases.language)

    causes = [
        phrases.line("digest.cause", title=title(o.cause), workloads=o.workloads, pods=o.pods, seconds=o.seconds)
        for o in found.causes
    ]
    helped = [
        phrases.line("digest.helped", title=title(o.cause), applied=o.applied, verified=o.verified)
        for o in found.helped
    ]
    refused = [phrases.line("digest.refused", summary=o.summary, reason=o.reason, by=o.by) for o in found.refused]
    if found.expired:
        refused.append(phrases.line("digest.expired", count=found.expired))
    by_ec2 = [phrases.line("digest.by-ec2", offering=offering, count=count) for offering, count in found.by_ec2]
    named = (("causes", causes), ("playbooks", helped), ("refusals", refused), ("ec2", by_ec2))
    return [[_heading(phrases, name), *map(_bullet, lines)] for name, lines in named if lines]


def _heading(phrases: Phrases, name: str) -> Line:
    return Line((Span(phrases.text(f"digest.heading.{name}"), bold=True),))


def _bullet(line: Line) -> Line:
    return Line(line.spans, LineKind.BULLET)


def _foot(found: Figures, phrases: Phrases) -> list[Line]:
    late = found.counted_from > found.since
    return [phrases.line("digest.counted", since=found.counted_from.isoformat() if late else "")]
