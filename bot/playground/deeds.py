"""What a person does on the page -> what Slack tells the bot. Each deed is one JSON object with the name of it in `do`."""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from bot.playground.alerts import sample
from bot.playground.sight import PEOPLE
from bot.playground.slack import Delivery, Message, View, scene
from bot.playground.slack.mrkdwn import escape
from bot.playground.stage import Stage

Deed = Mapping[str, Any]
LONGEST: Final = 40_000
_NOT_TAKEN: Final = {
    "operation_timeout": "the bot did not acknowledge within three seconds",
    "dispatch_failed": "the bot could not be reached",
}


class NotPossibleError(Exception):
    """The deed cannot be done; the message says why, for the person."""


async def do(stage: Stage, deed: Deed) -> None:
    """Does it as the person whom `user` names. Raises NotPossibleError."""
    act, user = DEEDS.get(str(deed.get("do"))), deed.get("user")
    if act is None or user not in PEOPLE:
        raise NotPossibleError("no such deed, or no such person")
    if stage.changing:
        raise NotPossibleError("the bot is being started")
    try:
        delivery = await act(stage, deed, str(user))
    except (LookupError, TypeError, ValueError) as error:
        raise NotPossibleError(f"that cannot be done here: {error}") from None
    if delivery and delivery.shown_error:
        raise NotPossibleError(_NOT_TAKEN[delivery.shown_error])


async def _say(stage: Stage, deed: Deed, user: str) -> Delivery | None:
    text = str(deed["text"]).strip()[:LONGEST]
    channel, thread = str(deed["channel"]), deed.get("thread") or None
    app, workspace = stage.slack.app, stage.slack.workspace
    if text.startswith("/"):
        command, _, rest = text.partition(" ")
        if thread:
            raise NotPossibleError("Slack takes no commands in threads; mention the bot instead")
        if command != app.command:
            raise NotPossibleError(f"{command} is no command here; there is {app.command}")
        return await stage.slack.slash_command(rest, channel=channel, user=user)
    if text:
        written = escape(text).replace(f"@{app.name}", f"<@{workspace.bot_user}>")
        await stage.slack.message(written, channel=channel, user=user, thread_ts=thread)
    return None


def _on(stage: Stage, deed: Deed, user: str) -> Message | View:
    """The message or view that was clicked on."""
    return _view(stage, deed, user) if "view" in deed else _message(stage, deed, user)


def _view(stage: Stage, deed: Deed, user: str) -> View:
    """An open view of this person's. Raises LookupError."""
    view = stage.slack.workspace.views[str(deed["view"])]
    if view.user != user or not view.open:
        raise LookupError("that view is closed")
    return view


def _message(stage: Stage, deed: Deed, user: str) -> Message:
    """A message that this person sees. Raises LookupError."""
    for message in stage.slack.workspace.messages:
        if (message.channel, message.ts) == (deed["channel"], deed["ts"]) and message.ephemeral_to in (None, user):
            return message
    raise LookupError("that message is gone")


async def _click(stage: Stage, deed: Deed, user: str) -> Delivery:
    choice = deed.get("choice")
    return await stage.slack.click(
        str(deed["action"]),
        _on(stage, deed, user),
        user=user,
        choice=None if choice is None else str(choice),
        block_id=str(deed.get("block") or ""),
    )


async def _submit(stage: Stage, deed: Deed, user: str) -> Delivery:
    view = _view(stage, deed, user)
    values = {str(name): str(value) for name, value in dict(deed.get("values") or {}).items() if value is not None}
    return await stage.slack.submit(view, values)


async def _close(stage: Stage, deed: Deed, user: str) -> Delivery | None:
    return await stage.slack.close(_view(stage, deed, user))


async def _shortcut(stage: Stage, deed: Deed, user: str) -> Delivery:
    return await stage.slack.message_shortcut(str(deed["id"]), _message(stage, deed, user), user=user)


async def _home(stage: Stage, _deed: Deed, user: str) -> None:
    await stage.slack.open_home(user)


async def _alert(stage: Stage, deed: Deed, _user: str) -> None:
    """One of the samples, or a message event pasted as JSON."""
    channel = str(deed.get("channel") or scene.ALERTS)
    if deed.get("event"):
        event = json.loads(str(deed["event"]))
        if not isinstance(event, dict):
            raise NotPossibleError("an alert is one JSON object: the message event that Slack sends")
        event = event.get("event", event)
        for name in ("channel", "thread_ts"):
            event.pop(name, None)
    else:
        known = stage.recording.question if stage.kind == "recording" else ""
        cluster = "training-on-eks" if stage.kind == "recording" else stage.now_on
        event = sample(str(deed["sample"]), str(deed.get("about") or known or "default/train-0"), cluster)
    await stage.slack.bot_message(event, channel=channel)


async def _show(stage: Stage, deed: Deed, _user: str) -> None:
    await stage.show(str(deed["recording"]))


async def _preview(stage: Stage, deed: Deed, user: str) -> None:
    await stage.preview.choose(user, str(deed["case"]), str(deed["language"]))


async def _clear(stage: Stage, _deed: Deed, _user: str) -> None:
    """An empty Slack again; the bot keeps what it knows."""
    for message in stage.slack.workspace.messages:
        message.deleted = True
    stage.slack.changed()


DEEDS: Final[Mapping[str, Callable[[Stage, Deed, str], Awaitable[Delivery | None]]]] = {
    "say": _say,
    "click": _click,
    "submit": _submit,
    "close": _close,
    "shortcut": _shortcut,
    "home": _home,
    "alert": _alert,
    "show": _show,
    "preview": _preview,
    "clear": _clear,
}
