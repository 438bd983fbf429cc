"""Slack's documented limits of what blocks are made of: elements, objects, cells, charts, rich text.

Rows cite their pages as in ``limits``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from .rules import chart_series_fit_categories, slack_file_or_url
from .schema import Anything, Bool, Check, Items, Number, Object, Rule, Shape, Str, Text, Typed, one_of

PLAIN = ("plain_text",)
_BLOCK_ID = Str(255)  # blocks/*: block_id
_ACTION_ID = Str(255, 1)  # block-elements/*: action_id
_CONFIRM = Object("object", "confirm")
_OPTION = Object("object", "option")
_PLACEHOLDER = Text(150, 1, PLAIN)  # block-elements/*-select-element, inputs: placeholder
_DATE = Str(pattern=r"\d{4}-\d\d-\d\d")
_TIME = Str(pattern=r"\d\d:\d\d")
RICH_TEXT = Typed("block", frozenset({"rich_text"}))
_SELECTS = {
    f"{many}{what}_select"
    for many in ("", "multi_")
    for what in ("static", "external", "users", "conversations", "channels")
}
_CHOICES = {"checkboxes", "radio_buttons", "datepicker", "timepicker"}
IN_ACTIONS = frozenset(_SELECTS | _CHOICES | {"button", "overflow", "datetimepicker", "workflow_button"})
IN_SECTION = frozenset(_SELECTS | _CHOICES | {"button", "overflow", "image", "workflow_button"})
IN_INPUT = frozenset(
    _SELECTS
    | _CHOICES
    | {"datetimepicker", "plain_text_input", "number_input", "url_text_input", "email_text_input", "file_input"}
    | {"rich_text_input"}
)


# A row: its properties' rules, and under `checks` the rules between properties.
Row: TypeAlias = Mapping[str, Rule | tuple[Check, ...]]


def shape(required: tuple[str, ...], row: Row) -> Shape:
    """A row's shape; every object may carry a ``type``."""
    rules = {name: rule for name, rule in row.items() if isinstance(rule, Rule)}
    checks = tuple(check for value in row.values() if isinstance(value, tuple) for check in value)
    return Shape({"type": Str(), **rules}, required, checks)


def block(*required: str, **row: Rule | tuple[Check, ...]) -> Shape:
    """A block's shape: the row and a ``block_id``."""
    return shape(required, {"block_id": _BLOCK_ID, **row})


def _element(*required: str, **row: Rule | tuple[Check, ...]) -> Shape:
    return shape(required, {"action_id": _ACTION_ID, "confirm": _CONFIRM, "focus_on_load": Bool(), **row})


def _select(**row: Rule | tuple[Check, ...]) -> Shape:
    return _element("action_id", placeholder=_PLACEHOLDER, **row)


def _multi(**row: Rule | tuple[Check, ...]) -> Shape:
    return _select(max_selected_items=Number(1, whole=True), **row)


# block-elements/select-menu-element: 1-100 options or 1-100 groups
_STATIC: Row = {
    "options": Items(_OPTION, 100, 1),
    "option_groups": Items(Object("object", "option_group"), 100, 1),
    "checks": (one_of("options", "option_groups"),),
}
_FILTER: Row = {"filter": Anything(), "default_to_current_conversation": Bool(), "response_url_enabled": Bool()}
_QUERY: Row = {"min_query_length": Number(0, whole=True)}
IMAGE: Row = {
    "image_url": Str(3000, 1),
    "alt_text": Str(2000, 1),
    "slack_file": Anything(),
    "checks": (slack_file_or_url,),
}


def _typed_input(**row: Rule | tuple[Check, ...]) -> Shape:
    return _element(placeholder=_PLACEHOLDER, dispatch_action_config=Anything(), **row)


ELEMENTS: Mapping[str, Shape] = {
    # block-elements/button-element (agent_prompt 4000: slackblocks' registry of limits)
    "button": _element(
        "text",
        text=Text(75, 1, PLAIN),
        value=Str(2000),
        url=Str(3000),
        style=Str(choices=("primary", "danger")),
        accessibility_label=Str(75),
        agent_prompt=Str(4000),
        visible_to_user_ids=Items(Str()),
    ),
    # block-elements/workflow-button-element
    "workflow_button": _element(
        "text",
        "workflow",
        text=Text(75, 1, PLAIN),
        workflow=Anything(),
        style=Str(choices=("primary", "danger")),
        accessibility_label=Str(75),
    ),
    # block-elements/feedback-buttons-element, block-elements/icon-button-element
    "feedback_buttons": _element(
        "positive_button",
        "negative_button",
        positive_button=Object("object", "feedback"),
        negative_button=Object("object", "feedback"),
    ),
    "icon_button": _element(
        "icon",
        "text",
        icon=Str(choices=("trash",)),
        text=Text(75, 1, PLAIN),
        value=Str(2000),
        accessibility_label=Str(75),
        visible_to_user_ids=Items(Str(), 10),
    ),
    # block-elements/overflow-menu-element
    "overflow": _element("action_id", "options", options=Items(_OPTION, 5, 1)),
    # block-elements/checkboxes-element, block-elements/radio-button-group-element
    "checkboxes": _element("options", options=Items(_OPTION, 10, 1), initial_options=Items(_OPTION)),
    "radio_buttons": _element("options", options=Items(_OPTION, 10, 1), initial_option=_OPTION),
    # block-elements/select-menu-element
    "static_select": _select(initial_option=_OPTION, **_STATIC),
    "external_select": _select(initial_option=_OPTION, **_QUERY),
    "users_select": _select(initial_user=Str()),
    "conversations_select": _select(initial_conversation=Str(), **_FILTER),
    "channels_select": _select(initial_channel=Str(), response_url_enabled=Bool()),
    # block-elements/multi-select-menu-element
    "multi_static_select": _multi(initial_options=Items(_OPTION), **_STATIC),
    "multi_external_select": _multi(initial_options=Items(_OPTION), **_QUERY),
    "multi_users_select": _multi(initial_users=Items(Str())),
    "multi_conversations_select": _multi(initial_conversations=Items(Str()), **_FILTER),
    "multi_channels_select": _multi(initial_channels=Items(Str())),
    # block-elements/date-picker-element and its kin
    "datepicker": _element(placeholder=_PLACEHOLDER, initial_date=_DATE),
    "timepicker": _element(placeholder=_PLACEHOLDER, initial_time=_TIME, timezone=Str()),
    "datetimepicker": _element(initial_date_time=Number(whole=True)),
    # block-elements/plain-text-input-element and its kin
    "plain_text_input": _typed_input(
        initial_value=Str(),
        multiline=Bool(),
        min_length=Number(0, 3000, whole=True),
        max_length=Number(1, 3000, whole=True),
    ),
    "number_input": _typed_input(
        is_decimal_allowed=Bool(),
        initial_value=Str(),
        min_value=Str(),
        max_value=Str(),
    ),
    "url_text_input": _typed_input(initial_value=Str()),
    "email_text_input": _typed_input(initial_value=Str()),
    "rich_text_input": _typed_input(initial_value=RICH_TEXT),
    "file_input": _element(filetypes=Items(Str()), max_files=Number(1, 10, whole=True)),
    # block-elements/image-element
    "image": shape(("alt_text",), IMAGE),
}

CONTEXT: Mapping[str, Shape] = {
    "image": ELEMENTS["image"],
    "plain_text": shape(("text",), {"text": Str(3000, 1), "emoji": Bool()}),  # composition-objects/text-object
    "mrkdwn": shape(("text",), {"text": Str(3000, 1), "verbatim": Bool()}),
}

CELLS: Mapping[str, Shape] = {
    "raw_text": shape(("text",), {"text": Str(None, 1)}),
    "raw_number": shape(("value", "text"), {"value": Number(), "text": Str(None, 1)}),
    "rich_text": block("elements", elements=Items(Typed("rich"))),
}

# blocks/data-visualization-block: charts (the page's first edition said 6 series; the newer figure is 12 by 20)
_SERIES: Row = {
    "series": Items(Object("object", "series"), 12, 1),
    "axis_config": Object("object", "axis"),
    "checks": (chart_series_fit_categories,),
}
CHART_TYPES: Mapping[str, Shape] = {
    "pie": shape(("segments",), {"segments": Items(Object("object", "segment"), 12, 1)}),
    **{kind: shape(("series", "axis_config"), _SERIES) for kind in ("bar", "area", "line")},
}

_STYLE: Row = {"style": Anything()}
_LEAVES = Items(Typed("leaf"))
RICH: Mapping[str, Shape] = {
    "rich_text_section": shape(("elements",), {"elements": _LEAVES}),
    "rich_text_list": shape(
        ("elements", "style"),
        {
            "elements": Items(Typed("rich", frozenset({"rich_text_section"}))),
            "style": Str(choices=("bullet", "ordered")),
            "indent": Number(0, 8, whole=True),
            "offset": Number(0, whole=True),
            "border": Number(0, 1, whole=True),
        },
    ),
    "rich_text_preformatted": shape(
        ("elements",), {"elements": _LEAVES, "border": Number(0, 1, whole=True), "language": Str()}
    ),
    "rich_text_quote": shape(("elements",), {"elements": _LEAVES, "border": Number(0, 1, whole=True)}),
}
LEAVES: Mapping[str, Shape] = {
    "text": shape(("text",), {"text": Str(None, 1), **_STYLE}),
    "link": shape(("url",), {"url": Str(None, 1), "text": Str(), "unsafe": Bool(), **_STYLE}),
    "emoji": shape(("name",), {"name": Str(None, 1), "unicode": Str(), "skin_tone": Number()}),
    "user": shape(("user_id",), {"user_id": Str(), **_STYLE}),
    "usergroup": shape(("usergroup_id",), {"usergroup_id": Str(), **_STYLE}),
    "channel": shape(("channel_id",), {"channel_id": Str(), **_STYLE}),
    "broadcast": shape(("range",), {"range": Str(choices=("here", "channel", "everyone"))}),
    "date": shape(
        ("timestamp", "format"), {"timestamp": Number(whole=True), "format": Str(), "url": Str(), "fallback": Str()}
    ),
    "color": shape(("value",), {"value": Str()}),
}

OBJECTS: Mapping[str, Shape] = {
    # composition-objects/confirmation-dialog-object
    "confirm": shape(
        ("title", "text", "confirm", "deny"),
        {
            "title": Text(100, 1, PLAIN),
            "text": Text(300),
            "confirm": Text(30, 1, PLAIN),
            "deny": Text(30, 1, PLAIN),
            "style": Str(choices=("primary", "danger")),
        },
    ),
    # composition-objects/option-object, option-group-object
    "option": shape(
        ("text", "value"), {"text": Text(75), "value": Str(150, 1), "description": Text(75), "url": Str(3000)}
    ),
    "option_group": shape(("label", "options"), {"label": Text(75, 1, PLAIN), "options": Items(_OPTION, 100, 1)}),
    # block-elements/feedback-buttons-element
    "feedback": shape(
        ("text", "value"), {"text": Text(75, 1, PLAIN), "value": Str(2000), "accessibility_label": Str(75)}
    ),
    # blocks/data-visualization-block
    "segment": shape(("label", "value"), {"label": Str(20, 1), "value": Number(above=0)}),
    "series": shape(("name", "data"), {"name": Str(20, 1), "data": Items(Object("object", "point"), 20, 1)}),
    "point": shape(("label", "value"), {"label": Str(20, 1), "value": Number()}),
    "axis": shape(("categories",), {"categories": Items(Str(20, 1), 20, 1), "x_label": Str(50), "y_label": Str(50)}),
}
