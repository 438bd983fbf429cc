"""The memory of one Slack: its app, its workspaces, the keys it has handed out, and what the bot did with them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, TypeVar

from .clock import Clock, Timing
from .faults import Faults, RateLimits
from .limits import RESPONSE_URL_USES
from .state import Channel, Workspace
from .wire import JsonObject, SlackRefusal

T = TypeVar("T")
_LOOK_AGAIN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The bot as Slack's administration knows it. ``events`` are the subscriptions of its manifest, ``shortcuts`` its
    message shortcuts: callback_id -> name.
    """

    id: str = "A0APP"
    name: str = "karpenter-bot"
    signing_secret: str = "s3cret"
    app_token: str = "xapp-tern"
    command: str = "/karpenter"
    shortcuts: Mapping[str, str] = field(default_factory=lambda: {"explain_this": "Explain this"})
    events: frozenset[str] = frozenset(
        {"app_home_opened", "app_mention", "message.channels", "message.groups", "message.im"}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A rule of Slack's that the bot broke: in a call (``method``) or in how it took a delivery."""

    method: str
    error: str
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One Web API call and its answer; ``status`` 0 when the connection was cut."""

    method: str
    arguments: JsonObject
    at: float
    status: int
    answer: JsonObject


@dataclass(slots=True, kw_only=True)
class Trigger:
    """A ``trigger_id``: opens one view for one person, soon."""

    user: str
    issued: float
    view: str | None = None
    spent: bool = False


@dataclass(slots=True, kw_only=True)
class ResponseUrl:
    """A ``response_url``: up to five answers to one interaction."""

    workspace: Workspace
    channel: str
    user: str
    issued: float
    message_ts: str | None = None
    uses: int = 0


class Hub:
    """State and its rules; knows nothing of HTTP."""

    def __init__(self, *, app: App | None = None, timing: Timing | None = None) -> None:
        self.app = app or App()
        self.clock = Clock()
        self.timing = timing or Timing()
        self.workspaces: dict[str, Workspace] = {}
        self.faults = Faults()
        self.rate_limits = RateLimits(clock=self.clock)
        self.calls: list[Call] = []
        self.violations: list[Violation] = []
        self.warnings: list[Violation] = []
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.base_url = ""
        self._serial = itertools.count(1)
        self._changed = asyncio.Event()

    # -- workspaces ----------------------------------------------------------------------------------------------
    def add_workspace(self, workspace: Workspace) -> Workspace:
        """Install the app in a workspace."""
        self.workspaces[workspace.id] = workspace
        return workspace

    @property
    def workspace(self) -> Workspace:
        """The first workspace: the only one in most tests."""
        return next(iter(self.workspaces.values()))

    def place(self, channel: str) -> tuple[Workspace, Channel]:
        """The channel of this id or name and its workspace. Raises KeyError."""
        for workspace in self.workspaces.values():
            for found in workspace.channels.values():
                if channel in {found.id, found.name, f"#{found.name}"}:
                    return workspace, found
        raise KeyError(channel)

    def serial(self, prefix: str) -> str:
        """An identifier that this Slack has not given before."""
        return f"{prefix}{next(self._serial):08d}"

    # -- trigger ids and response urls ---------------------------------------------------------------------------
    def issue_trigger(self, user: str, view: str | None = None) -> str:
        """A new trigger_id; ``view`` is the modal in which the person clicked."""
        trigger_id = self.serial("trigger.")
        self.triggers[trigger_id] = Trigger(user=user, issued=self.clock.now(), view=view)
        return trigger_id

    def spend_trigger(self, trigger_id: object) -> Trigger:
        """Exchange a trigger_id. Raises SlackRefusal when it is unknown, used or older than 3 s."""
        trigger = self.triggers.get(str(trigger_id))
        if trigger is None:
            raise SlackRefusal("invalid_trigger_id", broken=True)
        if trigger.spent:
            raise SlackRefusal("exchanged_trigger_id", broken=True)
        trigger.spent = True
        if self.clock.now() - trigger.issued > self.timing.trigger:
            raise SlackRefusal("expired_trigger_id", broken=True)
        return trigger

    def issue_response_url(
        self, workspace: Workspace, *, channel: str, user: str, message_ts: str | None = None
    ) -> str:
        """The absolute URL of a new response_url."""
        key = self.serial("r")
        self.response_urls[key] = ResponseUrl(
            workspace=workspace, channel=channel, user=user, issued=self.clock.now(), message_ts=message_ts
        )
        return f"{self.base_url}/r/{key}"

    def spend_response_url(self, key: str) -> ResponseUrl:
        """Count one use. Raises SlackRefusal after the fifth (``used_url``) and after 30 min (``expired_url``)."""
        url = self.response_urls.get(key)
        if url is None:
            raise SlackRefusal("invalid_url", broken=True)
        if self.clock.now() - url.issued > self.timing.response_url:
            raise SlackRefusal("expired_url", broken=True)
        url.uses += 1
        if url.uses > RESPONSE_URL_USES:
            raise SlackRefusal("used_url", broken=True)
        return url

    # -- what the bot did ----------------------------------------------------------------------------------------
    def record_refusal(self, method: str, refusal: SlackRefusal) -> None:
        """Keep a refusal that was the bot's fault."""
        if refusal.broken:
            self.violations.append(Violation(method=method, error=refusal.error, messages=refusal.messages))

    def warn(self, method: str, warning: str) -> None:
        """Keep something that Slack accepts and advises against."""
        self.warnings.append(Violation(method=method, error=warning))

    @contextmanager
    def expecting(self, error: str) -> Iterator[None]:
        """The bot is meant to break this rule within the block: forget it, and raise AssertionError if it did not."""
        before = len(self.violations)
        yield
        new = self.violations[before:]
        if error not in {violation.error for violation in new}:
            raise AssertionError(f"expected Slack to refuse with {error}, got {new}")
        self.violations[before:] = [violation for violation in new if violation.error != error]

    def calls_of(self, method: str) -> list[Call]:
        """The calls of one method, oldest first."""
        return [call for call in self.calls if call.method == method]

    # -- waiting -------------------------------------------------------------------------------------------------
    def changed(self) -> None:
        """Something happened: those who wait look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait_for(self, predicate: Callable[[Self], T], timeout: float = 5.0) -> T:  # noqa: ASYNC109
        """The predicate's first true value. Raises TimeoutError naming what Slack has seen, after real seconds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + timeout
        while not (found := predicate(self)):
            if loop.time() > due:
                seen = ", ".join(f"{call.method} {call.status}" for call in self.calls[-10:])
                raise TimeoutError(f"not seen within {timeout:g} s; last calls: {seen or 'none'}")
            with suppress(TimeoutError):  # look again now and then: the predicate may ask about the bot, too
                await asyncio.wait_for(self._changed.wait(), _LOOK_AGAIN)
        return found

    def emit(self, workspace: Workspace, event: JsonObject) -> None:
        """Tell the bot of its own doings, if somebody listens; memory alone does not."""
