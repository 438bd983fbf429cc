"""What the bot says: playbook texts in, checked Playbooks out; a Diagnosis in, a Rendered answer out.

Pure: texts come in as a mapping of paths to contents, nothing is read here. An answer is rendered once, as spans that
know which characters are a value's; `plain` and `mrkdwn` write them for terminals and for Slack.
"""

from bot.playbooks.check import check_playbooks, unusable
from bot.playbooks.contract import CAUSES, REMEDIES
from bot.playbooks.departures import render_departure
from bot.playbooks.explanations import need_lines, render_explanation
from bot.playbooks.library import Playbooks, Shelf, read_playbooks
from bot.playbooks.markup import Line, LineKind, Span, clean, cut, escape, mrkdwn, plain, shortened, value_line
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
from bot.playbooks.rendering import render

__all__ = [
    "CAUSES",
    "REMEDIES",
    "Line",
    "LineKind",
    "Page",
    "Phrases",
    "Playbooks",
    "Problem",
    "Provenance",
    "Rendered",
    "RenderedCause",
    "RenderedPool",
    "RenderedRemedy",
    "RenderedStatement",
    "Shelf",
    "Span",
    "check_playbooks",
    "clean",
    "cut",
    "escape",
    "mrkdwn",
    "need_lines",
    "plain",
    "read_playbooks",
    "render",
    "render_departure",
    "render_explanation",
    "shortened",
    "unusable",
    "value_line",
]
