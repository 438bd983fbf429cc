"""What Slack remembers: workspaces with people and channels, messages, views, files. And the questions tests ask."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from .mrkdwn import Link, Markup, Ping
from .wire import JsonObject

# Everything that this fake checks for; a test takes some away to see `missing_scope`.
ALL_SCOPES = frozenset(
    {"app_mentions:read", "channels:history", "channels:join", "channels:read", "chat:write", "commands"}
    | {"files:write", "groups:history", "groups:read", "im:history", "im:read", "im:write", "reactions:write"}
    | {"team:read", "usergroups:read", "users:read"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a bot user; ``team_id`` differs from the workspace's for people who come in by Slack Connect."""

    id: str
    name: str
    team_id: str = ""
    locale: str = "en-US"
    real_name: str = ""
    tz_offset: int = 0
    is_bot: bool = False
    is_admin: bool = False
    is_restricted: bool = False
    deleted: bool = False


@dataclass(slots=True, kw_only=True)
class Channel:
    """A channel, private channel or direct message."""

    id: str
    name: str
    members: set[str] = field(default_factory=set)
    is_private: bool = False
    is_im: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    read_only: bool = False

    @property
    def type(self) -> str:
        """``channel_type`` as events carry it."""
        return "im" if self.is_im else "group" if self.is_private else "channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserGroup:
    """A user group (``subteam``)."""

    id: str
    handle: str
    users: tuple[str, ...] = ()
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a message said at one time."""

    text: str
    blocks: tuple[JsonObject, ...] = ()


@dataclass(slots=True, kw_only=True)
class Message:
    """A message; ``revisions`` holds every version of it, newest last."""

    channel: str
    ts: str
    text: str = ""
    blocks: list[JsonObject] = field(default_factory=list)
    attachments: list[JsonObject] = field(default_factory=list)
    user: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    subtype: str | None = None
    thread_ts: str | None = None
    metadata: JsonObject | None = None
    files: tuple[str, ...] = ()
    ephemeral_to: str | None = None
    markup: Markup = field(default_factory=Markup)
    edited: str | None = None
    deleted: bool = False
    broadcast: bool = False
    reactions: dict[str, list[str]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)

    def revise(self, text: str, blocks: list[JsonObject], attachments: list[JsonObject], markup: Markup) -> None:
        """Give the message its next version."""
        self.text, self.blocks, self.attachments, self.markup = text, blocks, attachments, markup
        self.revisions.append(Revision(text=text, blocks=tuple(blocks)))


@dataclass(slots=True, kw_only=True)
class View:
    """A modal or a Home tab; ``content`` is what the bot gave."""

    id: str
    user: str
    content: JsonObject
    hash: str
    root_id: str
    previous_id: str | None = None
    errors: dict[str, str] = field(default_factory=dict)
    open: bool = True

    @property
    def type(self) -> str:
        """``modal`` or ``home``."""
        return str(self.content.get("type"))


@dataclass(slots=True, kw_only=True)
class StoredFile:
    """An uploaded file; people see it once it is ``shared``."""

    id: str
    name: str
    title: str = ""
    content: bytes = b""
    length: int = 0
    shared: bool = False


@dataclass(slots=True, kw_only=True)
class Workspace:
    """A team, the bot's identity in it, and all it holds."""

    id: str = "T0TERN"
    name: str = "Tern"
    domain: str = "tern"
    plan: str = "pro"
    bot_token: str = "xoxb-tern"
    bot_user: str = "U0BOT"
    bot_id: str = "B0BOT"
    scopes: frozenset[str] = ALL_SCOPES
    lacking_blocks: frozenset[str] = frozenset()
    users: dict[str, User] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    groups: dict[str, UserGroup] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    _index: dict[tuple[str, str], Message] = field(default_factory=dict)
    _in_channel: dict[str, list[Message]] = field(default_factory=lambda: defaultdict(list))
    _in_thread: dict[tuple[str, str], list[Message]] = field(default_factory=lambda: defaultdict(list))
    _serial: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _last_ts: int = 0

    # -- setting the scene ---------------------------------------------------------------------------------------
    def add_user(self, user: User) -> User:
        """Let a person join the workspace."""
        self.users[user.id] = user if user.team_id else replace(user, team_id=self.id)
        return self.users[user.id]

    def add_channel(self, channel: Channel, *, bot: bool = True) -> Channel:
        """Open a channel with everyone in it, the bot too unless told otherwise."""
        if not channel.members:
            channel.members = {user.id for user in self.users.values() if not user.is_bot}
        if bot:
            channel.members.add(self.bot_user)
        self.channels[channel.id] = channel
        return channel

    def direct(self, user: str) -> Channel:
        """The bot's direct message with this person, opened when there is none."""
        return self.channels.get(f"D{user}") or self.add_channel(
            Channel(id=f"D{user}", name=user, is_im=True, members={user})
        )

    def add_message(self, message: Message) -> Message:
        """Put a message into its channel."""
        self.messages.append(message)
        self._index[message.channel, message.ts] = message
        self._in_channel[message.channel].append(message)
        if message.thread_ts:
            self._in_thread[message.channel, message.thread_ts].append(message)
        message.revisions.append(Revision(text=message.text, blocks=tuple(message.blocks)))
        return message

    # -- identifiers ---------------------------------------------------------------------------------------------
    def next_ts(self, now: float) -> str:
        """A message timestamp: now, and later than every one before it."""
        self._last_ts = max(int(now * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def next_id(self, prefix: str) -> str:
        """An identifier that was not given before."""
        return f"{prefix}{next(self._serial):08d}"

    # -- questions -----------------------------------------------------------------------------------------------
    def message(self, channel: str, ts: str) -> Message | None:
        """The message that Slack shows at this place; deleted and ephemeral ones are not found."""
        found = self._index.get((channel, ts))
        return found if found and not found.deleted and not found.ephemeral_to else None

    def in_channel(self, channel: str) -> list[Message]:
        """What stands in a channel, oldest first, replies included."""
        return [m for m in self._in_channel.get(channel, ()) if not m.deleted and not m.ephemeral_to]

    def replies(self, channel: str, thread_ts: str) -> list[Message]:
        """A thread's replies, oldest first, without its parent."""
        return [m for m in self._in_thread.get((channel, thread_ts), ()) if not m.deleted and not m.ephemeral_to]

    def by_bot(self, channel: str | None = None) -> list[Message]:
        """The bot's own visible messages, oldest first."""
        own = (m for m in self.messages if m.bot_id == self.bot_id and not m.deleted and not m.ephemeral_to)
        return [m for m in own if channel in {None, m.channel}]

    def ephemerals(self, user: str | None = None) -> list[Message]:
        """What was shown to one person only (or to anyone), oldest first."""
        return [m for m in self.messages if m.ephemeral_to and not m.deleted and user in {None, m.ephemeral_to}]

    def last(self, channel: str) -> Message:
        """The channel's newest message, in a thread or not. Raises IndexError when there is none."""
        return self.in_channel(channel)[-1]

    def modals(self, user: str | None = None) -> list[View]:
        """Open modals, the topmost last."""
        return [v for v in self.views.values() if v.type == "modal" and v.open and user in {None, v.user}]

    def home(self, user: str) -> View | None:
        """The Home tab that this person sees."""
        homes = [v for v in self.views.values() if v.type == "home" and v.user == user]
        return homes[-1] if homes else None

    def pings(self) -> list[Ping]:
        """Everyone whom the bot's messages would notify."""
        return list(itertools.chain.from_iterable(m.markup.pings for m in self._sent()))

    def links(self) -> list[Link]:
        """Every link in the bot's messages."""
        return list(itertools.chain.from_iterable(m.markup.links for m in self._sent()))

    def _sent(self) -> Iterable[Message]:
        return (m for m in self.messages if m.bot_id == self.bot_id)
