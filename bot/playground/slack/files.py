"""files.*: the upload in three steps (methods/files.getUploadURLExternal, files.completeUploadExternal)."""

from __future__ import annotations

from .chat import find_channel, plain, say
from .hub import Hub
from .state import StoredFile, Workspace
from .wire import JsonObject, SlackRefusal


def upload_url(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """files.getUploadURLExternal."""
    name, length = str(arguments.get("filename") or ""), int(arguments.get("length") or 0)
    if not name or length <= 0:
        raise SlackRefusal("invalid_arguments", messages=("filename and length are required",), broken=True)
    file = StoredFile(id=workspace.next_id("F"), name=name, length=length)
    workspace.files[file.id] = file
    return {"upload_url": f"{hub.base_url}/upload/{workspace.id}/{file.id}", "file_id": file.id}


def store(workspace: Workspace, file_id: str, content: bytes) -> None:
    """The upload itself. Raises SlackRefusal when the size is not the one that was announced."""
    file = workspace.files.get(file_id)
    if file is None:
        raise SlackRefusal("file_not_found", broken=True)
    if len(content) != file.length:
        raise SlackRefusal("file_upload_size_mismatch", broken=True)
    file.content = content


def complete(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """files.completeUploadExternal: shares the files in a channel or thread, or keeps them private."""
    uploaded = []
    for wanted in arguments.get("files") or []:
        file = workspace.files.get(str(wanted.get("id")))
        if file is None or not file.content:
            raise SlackRefusal("file_not_found", broken=True)
        file.title = str(wanted.get("title") or file.name)
        uploaded.append(file)
    if not uploaded:
        raise SlackRefusal("invalid_arguments", broken=True)
    if arguments.get("channel_id"):
        channel = find_channel(workspace, arguments["channel_id"])
        if workspace.bot_user not in channel.members:
            raise SlackRefusal("not_in_channel")
        thread_ts = str(arguments["thread_ts"]) if arguments.get("thread_ts") else None
        comment = plain(str(arguments.get("initial_comment") or ""))
        message = say(hub, workspace, comment, to=channel, thread_ts=thread_ts)
        message.subtype = "file_share"
        message.files = tuple(file.id for file in uploaded)
        for file in uploaded:
            file.shared = True
    return {"files": [{"id": file.id, "title": file.title, "name": file.name} for file in uploaded]}
