"""chat.*: sending, changing and taking back messages."""

from __future__ import annotations

from .content import Content, accept_content
from .events import changed_event, message_event
from .hub import Hub, ResponseUrl
from .mrkdwn import Markup
from .present import message_json
from .state import Channel, Message, Workspace
from .wire import JsonObject, SlackRefusal, flag


def find_channel(workspace: Workspace, reference: object) -> Channel:
    """The channel of an id or name; a person's id is the direct message. Raises ``channel_not_found``."""
    name = str(reference or "")
    if name in workspace.users:
        return workspace.direct(name)
    for channel in workspace.channels.values():
        if name in {channel.id, channel.name, f"#{channel.name}"}:
            hidden = (channel.is_private or channel.is_im) and workspace.bot_user not in channel.members
            if not hidden:
                return channel
    raise SlackRefusal("channel_not_found")


def _writable(workspace: Workspace, arguments: JsonObject) -> Channel:
    channel = find_channel(workspace, arguments.get("channel"))
    if channel.is_archived:
        raise SlackRefusal("is_archived")
    if workspace.bot_user not in channel.members and "chat:write.public" not in workspace.scopes:
        raise SlackRefusal("not_in_channel")
    if channel.read_only:
        raise SlackRefusal("restricted_action_read_only_channel")
    return channel


def _parent(workspace: Workspace, channel: Channel, thread_ts: object) -> str | None:
    """The thread to reply in. methods/chat.postMessage: thread_ts is the parent's ts, never a reply's."""
    if not thread_ts:
        return None
    parent = workspace.message(channel.id, str(thread_ts))
    if parent is None or (parent.thread_ts and parent.thread_ts != parent.ts):
        where = "is a reply's ts, not its parent's" if parent else "is no message of this channel"
        raise SlackRefusal("cannot_reply_to_message", messages=(f"thread_ts {thread_ts} {where}",), broken=True)
    return parent.ts


def _own_message(workspace: Workspace, arguments: JsonObject, error: str) -> Message:
    if arguments.get("channel") in workspace.users:
        # methods/chat.update: of a direct message the channel's id (D...), not the person's
        raise SlackRefusal("channel_not_found", broken=True)
    channel = find_channel(workspace, arguments.get("channel"))
    message = workspace.message(channel.id, str(arguments.get("ts")))
    if message is None:
        shown = any(m.ts == arguments.get("ts") and m.ephemeral_to for m in workspace.messages)
        raise SlackRefusal("message_not_found", broken=shown)  # an ephemeral message cannot be changed
    if message.bot_id != workspace.bot_id:
        raise SlackRefusal(error, broken=True)
    return message


def _metadata(arguments: JsonObject) -> JsonObject | None:
    metadata = arguments.get("metadata")
    if not metadata:
        return None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackRefusal("invalid_metadata_format", broken=True)
    if not isinstance(metadata.get("event_type"), str):
        raise SlackRefusal("invalid_metadata_schema", broken=True)
    return metadata


def say(hub: Hub, workspace: Workspace, content: Content, *, to: Channel, thread_ts: str | None = None) -> Message:
    """Put the bot's message into a channel."""
    return workspace.add_message(
        Message(
            channel=to.id,
            ts=workspace.next_ts(hub.clock.now()),
            text=content.text,
            blocks=content.blocks,
            attachments=content.attachments,
            markup=content.markup,
            thread_ts=thread_ts,
            user=workspace.bot_user,
            bot_id=workspace.bot_id,
            app_id=hub.app.id,
        )
    )


def revise(hub: Hub, workspace: Workspace, message: Message, content: Content) -> None:
    """Change the bot's message. methods/chat.update: with blocks no "(edited)" is shown."""
    message.revise(content.text, content.blocks, content.attachments, content.markup)
    message.edited = None if content.blocks else workspace.next_ts(hub.clock.now())


def post_message(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """chat.postMessage."""
    channel = _writable(workspace, arguments)
    content = accept_content(hub, workspace, "chat.postMessage", arguments)
    metadata = _metadata(arguments)
    message = say(
        hub, workspace, content, to=channel, thread_ts=_parent(workspace, channel, arguments.get("thread_ts"))
    )
    message.metadata = metadata
    message.broadcast = flag(arguments, "reply_broadcast")
    hub.emit(workspace, message_event(workspace, channel, message))
    return {"channel": channel.id, "ts": message.ts, "message": message_json(workspace, message)}


def update(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """chat.update: own visible messages only; text without blocks removes the blocks, metadata stays unless given."""
    message = _own_message(workspace, arguments, "cant_update_message")
    if workspace.channels[message.channel].is_archived:
        raise SlackRefusal("is_inactive")
    content = accept_content(hub, workspace, "chat.update", arguments)
    before = message_json(workspace, message)
    if "metadata" in arguments:
        message.metadata = _metadata(arguments)
    revise(hub, workspace, message, content)
    hub.emit(workspace, changed_event(workspace, message, before, workspace.next_ts(hub.clock.now())))
    after = message_json(workspace, message)
    return {"channel": message.channel, "ts": message.ts, "text": message.text, "message": after}


def delete(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """chat.delete."""
    message = _own_message(workspace, arguments, "cant_delete_message")
    message.deleted = True
    return {"channel": message.channel, "ts": message.ts}


def post_ephemeral(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """chat.postEphemeral: only to a person in the channel."""
    channel = _writable(workspace, arguments)
    user = str(arguments.get("user"))
    if user not in channel.members:
        raise SlackRefusal("user_not_in_channel")
    content = accept_content(hub, workspace, "chat.postEphemeral", arguments)
    thread_ts = _parent(workspace, channel, arguments.get("thread_ts"))
    message = say(hub, workspace, content, to=channel, thread_ts=thread_ts)
    message.ephemeral_to = user
    return {"message_ts": message.ts}


def permalink(_hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """chat.getPermalink."""
    channel = find_channel(workspace, arguments.get("channel"))
    message = workspace.message(channel.id, str(arguments.get("message_ts")))
    if message is None:
        raise SlackRefusal("message_not_found")
    link = f"https://{workspace.domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


def respond(hub: Hub, key: str, body: JsonObject) -> JsonObject:
    """One use of a response_url: a new message, or a change of the one it came from."""
    return respond_with(hub, hub.spend_response_url(key), body)


def respond_with(hub: Hub, url: ResponseUrl, body: JsonObject) -> JsonObject:
    """What a response_url's answer does, whether it was posted there or came with the acknowledgement."""
    workspace, channel = url.workspace, url.workspace.channels[url.channel]
    original = next((m for m in workspace.messages if m.ts == url.message_ts and m.channel == url.channel), None)
    if original and body.get("delete_original"):
        original.deleted = True
        return {}
    content = accept_content(hub, workspace, "response_url", body)
    if original and body.get("replace_original") and not original.deleted:
        revise(hub, workspace, original, content)
        return {}
    thread_ts = _parent(workspace, channel, body.get("thread_ts"))
    message = say(hub, workspace, content, to=channel, thread_ts=thread_ts)
    if body.get("response_type", "ephemeral") != "in_channel":
        message.ephemeral_to = url.user
    return {}


def plain(text: str) -> Content:
    """A message without blocks that Slack itself writes."""
    return Content(text=text, blocks=[], attachments=[], markup=Markup())
