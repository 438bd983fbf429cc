"""Slack's documented limits, one row per block, element and object.

Each row cites its page under docs.slack.dev/reference/block-kit (``blocks/...``, ``block-elements/...``,
``composition-objects/...``), /reference/views or /reference/methods; a figure from elsewhere says so. Where Slack's
page and a newer source differ, both are named.
"""

from __future__ import annotations

from collections.abc import Mapping

from .limit_parts import (
    CELLS,
    CHART_TYPES,
    CONTEXT,
    ELEMENTS,
    IMAGE,
    IN_ACTIONS,
    IN_INPUT,
    IN_SECTION,
    LEAVES,
    OBJECTS,
    PLAIN,
    RICH,
    RICH_TEXT,
    Row,
    block,
    shape,
)
from .rules import container_collapse, data_table_grid, modal_with_inputs_has_submit
from .schema import Anything, Bool, Items, Number, Shape, Shapes, Str, Text, Typed, one_of

# -- whole messages, calls and views ------------------------------------------------------------------------------
MESSAGE_BLOCKS = 50  # reference/block-kit/blocks: "up to 50 blocks in each message"
VIEW_BLOCKS = 100  # reference/views: modals and Home tabs hold up to 100 blocks
ATTACHMENTS = 100  # methods/chat.postMessage, too_many_attachments
POST_TEXT = 40_000  # methods/chat.postMessage: longer text is cut
BEST_TEXT = 4_000  # methods/chat.postMessage: "for best results" no longer than this
UPDATE_TEXT = 4_000  # methods/chat.update, msg_too_long
MARKDOWN_TEXT = 12_000  # blocks/markdown-block: summed over all markdown blocks of one payload
TABLES = 1  # blocks/table-block: only_one_table_allowed
TABLE_TEXT = 10_000  # blocks/table-block: all cells of the message's table
DATA_TABLE_TEXT = 20_000  # blocks/data-table-block: all cells of all data tables of the message
CHARTS = 2  # blocks/data-visualization-block: per message
# Undocumented: msg_blocks_too_long was seen from 13,172 characters on (slackapi/bolt-js#2509). Data tables and charts
# have a budget of their own and are not counted here.
BLOCKS_TEXT = 13_171
VIEW_BYTES = 250_000  # methods/views.open, view_too_large
VIEW_STACK = 3  # methods/views.push, push_limit_reached
RESPONSE_URL_USES = 5  # interactivity/handling-user-interaction
CONNECTIONS = 10  # apis/events-api/using-socket-mode

# -- which blocks may stand where (the "Available in surfaces" line of each block's page) --------------------------
_EVERYWHERE = {"actions", "card", "context", "divider", "header", "image", "input", "rich_text", "section", "video"}
_MESSAGE_AND_HOME = {"carousel", "container", "data_table", "data_visualization", "table"}
SURFACES: Mapping[str, frozenset[str]] = {
    # `alert`: two sources say modals only, one shows it in a message; refused in messages to be on the safe side
    "message": frozenset(
        _EVERYWHERE | _MESSAGE_AND_HOME | {"context_actions", "file", "markdown", "plan", "task_card"}
    ),
    "modal": frozenset(_EVERYWHERE | {"alert"}),
    "home": frozenset(_EVERYWHERE | _MESSAGE_AND_HOME),
}

BLOCKS: Mapping[str, Shape] = {
    # blocks/actions-block
    "actions": block("elements", elements=Items(Typed("element", IN_ACTIONS), 25, 1)),
    # blocks/alert-block (200: slack-types and slackblocks; the page gives no figure)
    "alert": block("text", text=Text(200), level=Str(choices=("default", "info", "warning", "error", "success"))),
    # blocks/card-block (3 actions, subtext 200: slackblocks' registry of limits)
    "card": block(
        hero_image=Typed("element", frozenset({"image"})),
        icon=Typed("element", frozenset({"image"})),
        slack_icon=Anything(),
        title=Text(150),
        subtitle=Text(150),
        body=Text(200),
        subtext=Text(200),
        actions=Items(Typed("element", frozenset({"button"})), 3, 1),
        checks=(one_of("hero_image", "title", "actions", "body", at_most_one=False),),
    ),
    # blocks/carousel-block
    "carousel": block("elements", elements=Items(Typed("block", frozenset({"card"})), 10, 1)),
    # blocks/container-block
    "container": block(
        "child_blocks",
        title=Text(150, 1, PLAIN),
        rich_text_title=RICH_TEXT,
        subtitle=Text(150),
        child_blocks=Items(
            Typed(
                "block",
                frozenset({"actions", "context", "divider", "file", "header", "image", "input", "rich_text", "section"})
                | {"table", "video"},
            ),
            10,
            1,
        ),
        width=Str(choices=("narrow", "standard", "wide", "full")),
        icon=Typed("element", frozenset({"image"})),
        is_collapsible=Bool(),
        default_collapsed=Bool(),
        has_header_divider=Bool(),
        checks=(one_of("title", "rich_text_title", at_most_one=False), container_collapse),
    ),
    # blocks/context-block
    "context": block("elements", elements=Items(Typed("context"), 10, 1)),
    # blocks/context-actions-block
    "context_actions": block(
        "elements", elements=Items(Typed("element", frozenset({"feedback_buttons", "icon_button"})), 5, 1)
    ),
    # blocks/data-table-block: 2-201 rows of 1-20 cells (an older reading says 101 rows), page_size 1-100
    "data_table": block(
        "rows",
        "caption",
        rows=Items(Items(Typed("cell"), 20, 1), 201, 2),
        caption=Str(None, 1),
        page_size=Number(1, 100, whole=True),
        row_header_column_index=Number(0, 19, whole=True),
        checks=(data_table_grid,),
    ),
    # blocks/data-visualization-block
    "data_visualization": block("title", "chart", title=Str(50, 1), chart=Typed("chart")),
    "divider": block(),
    # blocks/file-block
    "file": block("external_id", "source", external_id=Str(), source=Str(choices=("remote",))),
    # blocks/header-block
    "header": block("text", text=Text(150, 1, PLAIN), level=Number(1, 6, whole=True)),
    # blocks/image-block
    "image": block("alt_text", title=Text(2000, 1, PLAIN), **IMAGE),
    # blocks/input-block
    "input": block(
        "label",
        "element",
        label=Text(2000, 1, PLAIN),
        element=Typed("element", IN_INPUT),
        hint=Text(2000, 1, PLAIN),
        optional=Bool(),
        dispatch_action=Bool(),
    ),
    # blocks/markdown-block
    "markdown": block("text", text=Str(MARKDOWN_TEXT, 1)),
    # blocks/plan-block, blocks/task-card-block (50 tasks: slackblocks' registry of limits)
    "plan": block("title", title=Str(None, 1), tasks=Items(Typed("block", frozenset({"task_card"})), 50)),
    "task_card": block(
        "task_id",
        "title",
        task_id=Str(),
        title=Str(None, 1),
        details=RICH_TEXT,
        output=RICH_TEXT,
        sources=Anything(),
        status=Str(choices=("pending", "in_progress", "complete", "error")),
    ),
    # blocks/rich-text-block
    "rich_text": block("elements", elements=Items(Typed("rich"))),
    # blocks/section-block
    "section": block(
        text=Text(3000),
        fields=Items(Text(2000), 10, 1),
        accessory=Typed("element", IN_SECTION),
        expand=Bool(),
        checks=(one_of("text", "fields", at_most_one=False),),
    ),
    # blocks/table-block: 100 rows of 20 cells, 20 column settings
    "table": block("rows", rows=Items(Items(Typed("cell"), 20, 1), 100, 1), column_settings=Items(Anything(), 20)),
    # blocks/video-block
    "video": block(
        "alt_text",
        "title",
        "thumbnail_url",
        "video_url",
        alt_text=Str(2000, 1),
        title=Text(200, 1, PLAIN),
        thumbnail_url=Str(3000),
        video_url=Str(3000),
        author_name=Str(50),
        description=Text(200, 1, PLAIN),
        provider_icon_url=Str(2000),
        provider_name=Str(50),
        title_url=Str(2000),
    ),
}

# reference/views/modal-views, reference/views/home-tab-views
_VIEW: Row = {
    "blocks": Items(Typed("block"), VIEW_BLOCKS),
    "private_metadata": Str(3000),
    "callback_id": Str(255),
    "external_id": Str(255),
}
VIEWS: Mapping[str, Shape] = {
    "modal": shape(
        ("type", "title", "blocks"),
        {
            **_VIEW,
            "title": Text(24, 1, PLAIN),
            "submit": Text(24, 1, PLAIN),
            "close": Text(24, 1, PLAIN),
            "clear_on_close": Bool(),
            "notify_on_close": Bool(),
            "submit_disabled": Bool(),
            "checks": (modal_with_inputs_has_submit,),
        },
    ),
    "home": shape(("type", "blocks"), _VIEW),
}

# Elements that people can use: those that have an action_id.
INTERACTIVE = frozenset(name for name, element in ELEMENTS.items() if "action_id" in element.properties)

SHAPES: Shapes = {
    "block": BLOCKS,
    "element": ELEMENTS,
    "context": CONTEXT,
    "cell": CELLS,
    "chart": CHART_TYPES,
    "rich": RICH,
    "leaf": LEAVES,
    "object": OBJECTS,
    "view": VIEWS,
}
