"""views.*: modals and the Home tab."""

from __future__ import annotations

from . import limits
from .content import with_ids
from .hub import Hub
from .payloads import check_view
from .present import view_json
from .state import View, Workspace
from .wire import JsonObject, SlackRefusal


def accept_view(hub: Hub, workspace: Workspace, content: object, kind: str = "modal") -> JsonObject:
    """A checked copy of the view with Slack's ids. Raises SlackRefusal (``invalid_arguments``, ...)."""
    refused = check_view(content)
    if refused is None and isinstance(content, dict) and content["type"] != kind:
        raise SlackRefusal("invalid_arguments", messages=(f"view type must be {kind}",), broken=True)
    if refused or not isinstance(content, dict):
        problems = refused.messages() if refused else ()
        raise SlackRefusal(refused.error if refused else "invalid_arguments", messages=problems, broken=True)
    behind = check_view(content, lacking=workspace.lacking_blocks)
    if behind:  # the workspace's fault, not the bot's
        raise SlackRefusal(behind.error, messages=behind.messages())
    external = content.get("external_id")
    if external and any(v.content.get("external_id") == external and v.open for v in workspace.views.values()):
        raise SlackRefusal("duplicate_external_id", broken=True)
    return {**content, "blocks": with_ids(hub, content["blocks"])}


def put(hub: Hub, workspace: Workspace, content: JsonObject, user: str, below: View | None = None) -> View:
    """Show a view, on top of another one or alone."""
    view_id = workspace.next_id("V")
    view = View(
        id=view_id,
        user=user,
        content=content,
        hash=hub.serial("hash."),
        root_id=below.root_id if below else view_id,
        previous_id=below.id if below else None,
    )
    workspace.views[view_id] = view
    return view


def change(hub: Hub, view: View, content: JsonObject) -> None:
    """Replace what a view shows."""
    view.content, view.hash, view.errors = content, hub.serial("hash."), {}


def open_view(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """views.open."""
    content = accept_view(hub, workspace, arguments.get("view"))
    trigger = hub.spend_trigger(arguments.get("trigger_id"))
    return _answer(hub, workspace, put(hub, workspace, content, trigger.user))


def push_view(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """views.push: onto the modal in which the person clicked, at most three high."""
    content = accept_view(hub, workspace, arguments.get("view"))
    trigger = hub.spend_trigger(arguments.get("trigger_id"))
    below = workspace.views.get(trigger.view or "")
    if below is None or not below.open:
        raise SlackRefusal("not_found", broken=True)
    return _answer(hub, workspace, push(hub, workspace, content, below))


def push(hub: Hub, workspace: Workspace, content: JsonObject, below: View) -> View:
    """A view on top of another. Raises SlackRefusal ``push_limit_reached`` above the third."""
    if sum(v.root_id == below.root_id and v.open for v in workspace.views.values()) >= limits.VIEW_STACK:
        raise SlackRefusal("push_limit_reached", broken=True)
    return put(hub, workspace, content, below.user, below)


def update_view(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """views.update, by view_id or external_id; a given hash must be the view's newest."""
    wanted = arguments.get("view_id"), arguments.get("external_id")
    view = next(
        (
            v
            for v in workspace.views.values()
            if v.open and (v.id == wanted[0] or (wanted[1] and v.content.get("external_id") == wanted[1]))
        ),
        None,
    )
    if view is None:
        raise SlackRefusal("not_found")
    if arguments.get("hash") and arguments["hash"] != view.hash:
        raise SlackRefusal("hash_conflict")
    view.open = False  # its own external_id may be kept
    try:
        content = accept_view(hub, workspace, arguments.get("view"), view.type)
    finally:
        view.open = True
    change(hub, view, content)
    return _answer(hub, workspace, view)


def publish_view(hub: Hub, workspace: Workspace, arguments: JsonObject) -> JsonObject:
    """views.publish: the Home tab of one person."""
    user = str(arguments.get("user_id"))
    if user not in workspace.users:
        raise SlackRefusal("user_not_found")
    view = workspace.home(user)
    if view and arguments.get("hash") and arguments["hash"] != view.hash:
        raise SlackRefusal("hash_conflict")
    content = accept_view(hub, workspace, arguments.get("view"), "home")
    if view:
        change(hub, view, content)
    return _answer(hub, workspace, view or put(hub, workspace, content, user))


def _answer(hub: Hub, workspace: Workspace, view: View) -> JsonObject:
    return {"view": view_json(workspace, view, hub.app.id)}
