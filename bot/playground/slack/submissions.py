"""A modal's values, and what the answer to its submission does to it (surfaces/modals)."""

from __future__ import annotations

from .events import elements, selection
from .hub import Hub
from .state import View, Workspace
from .views import accept_view, change, push
from .wire import JsonObject, SlackRefusal

_INITIAL = ("initial_value", "initial_date", "initial_time", "initial_user", "initial_channel", "initial_conversation")


def state_values(view: View, values: dict[str, str], *, complete: bool = False) -> JsonObject:
    """``state.values``: what was filled in by action_id, else the inputs' initial values.

    ``complete`` raises LookupError for what keeps a person from submitting.
    """
    if complete and not view.content.get("submit"):
        raise LookupError("the modal has no submit button")
    state: JsonObject = {}
    known = set()
    for block, element in elements(view.content["blocks"]):
        if block["type"] != "input" and element["action_id"] not in values:
            continue
        known.add(element["action_id"])
        choice = values.get(element["action_id"], _initial(element))
        if complete and choice is None and block["type"] == "input" and not block.get("optional"):
            raise LookupError(f"{element['action_id']} must be filled in")
        state[block["block_id"]] = {element["action_id"]: {"type": element["type"], **selection(element, choice)}}
    if values.keys() - known:
        raise LookupError(f"no such inputs: {sorted(values.keys() - known)}; there are {sorted(known)}")
    return state


def _initial(element: JsonObject) -> str | None:
    option = element.get("initial_option")
    given = [option["value"]] if option else [element[name] for name in _INITIAL if element.get(name)]
    return given[0] if given else None


def take_submission(hub: Hub, workspace: Workspace, view: View, answer: JsonObject) -> None:
    """Close, clear, replace or cover the modal, or show errors in it; a wrong answer is a violation."""
    try:
        _take(hub, workspace, view, answer)
    except SlackRefusal as refusal:
        hub.record_refusal("view_submission", refusal)


def _take(hub: Hub, workspace: Workspace, view: View, answer: JsonObject) -> None:
    match answer.get("response_action"):
        case None:
            view.open = False
        case "clear":
            for other in workspace.views.values():
                other.open = other.open and other.root_id != view.root_id
        case "errors":
            inputs = {block["block_id"] for block in view.content["blocks"] if block["type"] == "input"}
            errors = {str(block): str(error) for block, error in (answer.get("errors") or {}).items()}
            if not errors or errors.keys() - inputs:
                lines = (f"errors must name input blocks: {sorted(errors.keys() - inputs)}",)
                raise SlackRefusal("invalid_response_action", messages=lines, broken=True)
            view.errors = errors
        case "update":
            view.open = False  # its own external_id may be kept
            try:
                content = accept_view(hub, workspace, answer.get("view"))
            finally:
                view.open = True
            change(hub, view, content)
        case "push":
            push(hub, workspace, accept_view(hub, workspace, answer.get("view")), view)
        case other:
            raise SlackRefusal("invalid_response_action", messages=(str(other),), broken=True)
