"""A Slack that runs on loopback: Web API, Events API, Socket Mode and interactions, with Slack's documented limits.

``async with FakeSlack() as slack`` starts it; ``slack.api_url`` goes into the bot's client; ``slack.slash_command``,
``slack.message``, ``slack.click`` and the like act as people do; ``slack.workspace`` is asked for what they would see.
Whatever the bot did that Slack refuses stands in ``slack.violations``.
"""

from . import scene
from .clock import Clock, Timing
from .deliveries import Attempt, Delivery
from .faults import Fault, Rate
from .hub import App, Call, Violation
from .mrkdwn import Link, Ping
from .payloads import check_blocks, check_message, check_view
from .server import FakeSlack
from .state import Channel, Message, User, UserGroup, View, Workspace

__all__ = [
    "App",
    "Attempt",
    "Call",
    "Channel",
    "Clock",
    "Delivery",
    "FakeSlack",
    "Fault",
    "Link",
    "Message",
    "Ping",
    "Rate",
    "Timing",
    "User",
    "UserGroup",
    "View",
    "Violation",
    "Workspace",
    "check_blocks",
    "check_message",
    "check_view",
    "scene",
]
