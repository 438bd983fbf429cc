"""What became of a question -> one message, the same wherever it was asked: a command, a shortcut, the Home tab."""

from bot.playbooks import Phrases, plain
from bot.slack.blocks import Message, answer
from bot.slack.dialogs import choice
from bot.slack.floor import failure
from bot.slack.proposal_blocks import offer_elements
from bot.slack.questions import Why
from bot.slack.services import Answered, Choose, Failed, Reply
from bot.telemetry.requests import current


def worded(reply: Reply, question: Why, phrases: Phrases) -> Message:
    """The answer with its remedies' buttons and the request's reference; a choice among pods; or what went wrong."""
    match reply:
        case Answered(answer_id=answer_id, rendered=rendered):
            summaries = [plain(remedy.summary) for remedy in rendered.remedies]
            buttons = offer_elements(reply.offers, summaries, phrases)
            return answer(rendered, phrases, evidence=answer_id, reference=current(), buttons=buttons)
        case Choose():
            return choice(reply, question, phrases)
        case Failed():
            return failure(reply, phrases)
