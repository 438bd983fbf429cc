"""Every block and element that Slack takes, once, in the shapes that its documentation shows; for the page to draw."""

from typing import Any

Block = dict[str, Any]


def plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


OPTIONS = [{"text": plain(f"Option {n}"), "value": f"option-{n}"} for n in (1, 2, 3)]
CONFIRM = {
    "title": plain("Sure?"),
    "text": mrkdwn("NodePool *gpu*, limit 8 → 12"),
    "confirm": plain("Apply"),
    "deny": plain("Keep"),
}
PIXEL = "https://example.com/pixel.png"


def button(action: str, label: str, **more: object) -> Block:
    return {"type": "button", "action_id": action, "text": plain(label), **more}


def rich(*elements: Block) -> Block:
    return {"type": "rich_text", "elements": list(elements)}


def words(text: str, **style: bool) -> Block:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


TEXTS: list[Block] = [
    {"type": "header", "text": plain("Header of the gallery")},
    {
        "type": "section",
        "text": mrkdwn(
            "*Bold* _italic_ ~struck~ `code` :warning: <https://example.com|a link> <@U0MIN> <#C0OPS> <!here>\n"
            "> a quote\n```\nfenced &lt;b&gt;text&lt;/b&gt;\n``` <!date^1700000000^{date_short_pretty} {time}|14 November>"
        ),
        "accessory": button("beside", "Beside", style="primary"),
    },
    {"type": "section", "fields": [mrkdwn("*Requested*\n16 GPUs"), mrkdwn("*Offered*\n8 GPUs")]},
    {
        "type": "context",
        "elements": [{"type": "image", "image_url": PIXEL, "alt_text": "a pixel"}, plain("Small print")],
    },
    {"type": "divider"},
    {"type": "image", "image_url": PIXEL, "alt_text": "a picture from elsewhere", "title": plain("Picture")},
    {"type": "markdown", "text": "## Markdown\n**bold**, `code`, [link](https://example.com)\n- one\n- two"},
    rich(
        {
            "type": "rich_text_section",
            "elements": [
                words("rich ", bold=True),
                {"type": "link", "url": "https://example.com", "text": "link"},
                {"type": "emoji", "name": "eyes"},
                {"type": "user", "user_id": "U0ANNA"},
                {"type": "usergroup", "usergroup_id": "S0ONCALL"},
                {"type": "channel", "channel_id": "C0OPS"},
                {"type": "broadcast", "range": "here"},
                {"type": "date", "timestamp": 1700000000, "format": "{date_num}", "fallback": "2023-11-14"},
                {"type": "color", "value": "#FF0000"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "ordered",
            "elements": [{"type": "rich_text_section", "elements": [words("first", italic=True)]}],
        },
        {"type": "rich_text_preformatted", "elements": [words("spec.nodeSelector: <b>&amp;</b>")]},
        {"type": "rich_text_quote", "elements": [words("quoted")]},
    ),
]
CHOICES: list[Block] = [
    {
        "type": "actions",
        "elements": [
            button("press", "Press", value="1"),
            button("dangerous", "Delete", style="danger", confirm=CONFIRM),
            {"type": "overflow", "action_id": "more", "options": OPTIONS},
            {"type": "static_select", "action_id": "one", "placeholder": plain("One of"), "options": OPTIONS},
            {"type": "users_select", "action_id": "person", "placeholder": plain("Who")},
            {"type": "datepicker", "action_id": "day", "initial_date": "2026-01-31"},
            {"type": "radio_buttons", "action_id": "radio", "options": OPTIONS},
            {"type": "checkboxes", "action_id": "boxes", "options": OPTIONS},
        ],
    },
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "helped",
                "positive_button": {"text": plain("Helped"), "value": "yes"},
                "negative_button": {"text": plain("Did not"), "value": "no"},
            },
            {"type": "icon_button", "action_id": "bin", "icon": "trash", "text": plain("Remove")},
        ],
    },
]
SECTION: Block = {"type": "rich_text_section", "elements": [words("gpu")]}
CARD: Block = {
    "type": "card",
    "title": plain("p5.48xlarge"),
    "subtitle": plain("8 × H100"),
    "body": mrkdwn("spot in `ap-northeast-2a`"),
    "subtext": plain("price of today"),
    "actions": [button("card", "Ask")],
}
PICTURES: list[Block] = [
    CARD,
    {
        "type": "carousel",
        "elements": [{**CARD, "actions": [button("first", "Ask")]}, {**CARD, "actions": [button("second", "Ask")]}],
    },
    {
        "type": "container",
        "title": plain("Folded"),
        "is_collapsible": True,
        "default_collapsed": True,
        "child_blocks": [{"type": "section", "text": mrkdwn("what is inside")}],
    },
    {
        "type": "data_table",
        "caption": "Offerings",
        "row_header_column_index": 0,
        "rows": [
            [{"type": "raw_text", "text": name} for name in ("Type", "Price")],
            *(
                [{"type": "raw_text", "text": kind}, {"type": "raw_number", "value": price, "text": f"${price}"}]
                for kind, price in (("g6e.8xlarge", 2.35), ("p5.48xlarge", 25.62), ("g5.xlarge", 0.5))
            ),
        ],
    },
    {
        "type": "data_visualization",
        "title": "Offerings left",
        "chart": {
            "type": "bar",
            "series": [{"name": "left", "data": [{"label": "all", "value": 5214}, {"label": "zone", "value": 342}]}],
            "axis_config": {"categories": ["all", "zone"]},
        },
    },
    {
        "type": "data_visualization",
        "title": "By cause",
        "chart": {"type": "pie", "segments": [{"label": "EFA", "value": 3}, {"label": "zone", "value": 1}]},
    },
    {
        "type": "table",
        "rows": [
            [{"type": "raw_text", "text": "NodePool"}],
            [rich({"type": "rich_text_section", "elements": [words("gpu")]})],
        ],
    },
    {
        "type": "plan",
        "title": "Plan",
        "tasks": [{"type": "task_card", "task_id": "1", "title": "Read", "status": "complete"}],
    },
    {"type": "task_card", "task_id": "2", "title": "Alone", "status": "error"},
    {"type": "file", "external_id": "evidence-1", "source": "remote"},
    {
        "type": "video",
        "alt_text": "a film",
        "title": plain("Film"),
        "thumbnail_url": PIXEL,
        "video_url": "https://example.com/film",
    },
]


def field(element: Block, label: str) -> Block:
    return {"type": "input", "label": plain(label), "element": {"action_id": label, **element}, "optional": True}


INPUTS: list[Block] = [
    field({"type": "plain_text_input"}, "words"),
    field({"type": "plain_text_input", "multiline": True}, "lines"),
    field({"type": "number_input", "is_decimal_allowed": False}, "number"),
    field({"type": "url_text_input"}, "url"),
    field({"type": "email_text_input"}, "mail"),
    field({"type": "datepicker"}, "date"),
    field({"type": "timepicker"}, "time"),
    field({"type": "static_select", "options": OPTIONS}, "select"),
    field({"type": "multi_static_select", "options": OPTIONS}, "several"),
    field({"type": "users_select"}, "user"),
    field({"type": "multi_users_select"}, "users"),
    field({"type": "channels_select"}, "channel"),
    field({"type": "conversations_select"}, "conversation"),
    field({"type": "radio_buttons", "options": OPTIONS}, "radio"),
    field({"type": "checkboxes", "options": OPTIONS}, "boxes"),
]
MODAL: Block = {
    "type": "modal",
    "callback_id": "gallery",
    "title": plain("Inputs"),
    "submit": plain("Save"),
    "close": plain("Cancel"),
    "blocks": [{"type": "alert", "text": plain("Said before"), "level": "warning"}, *INPUTS],
}
MESSAGES: list[list[Block]] = [TEXTS, CHOICES, PICTURES]
