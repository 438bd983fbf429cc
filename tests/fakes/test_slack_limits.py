"""Each of Slack's documented limits: kept exactly at the limit, refused one beyond; and slack_sdk's models agree."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block, Option
from slack_sdk.models.views import View as SdkView

from tests.fakes.slack import check_blocks, check_message, check_view

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def x(n: int) -> str:
    return "x" * n


def button(**more: Any) -> Json:  # noqa: ANN401 - a wire value
    return {"type": "button", "action_id": "a", "text": plain("b"), **more}


def actions(*elements: Json) -> list[Json]:
    return [{"type": "actions", "elements": list(elements)}]


def buttons(n: int) -> list[Json]:
    return [button(action_id=f"a{i}") for i in range(n)]


def option(i: int = 0, **more: Any) -> Json:  # noqa: ANN401
    return {"text": plain(f"o{i}"), "value": f"v{i}", **more}


def menu(*options: Json, kind: str = "static_select") -> list[Json]:
    return actions({"type": kind, "action_id": "a", "options": list(options)})


def confirm(**more: Any) -> list[Json]:  # noqa: ANN401
    dialog = {"title": plain("t"), "text": plain("t"), "confirm": plain("y"), "deny": plain("n"), **more}
    return actions(button(confirm=dialog))


def table(rows: int, columns: int, text: str = "c", kind: str = "table") -> list[Json]:
    cells = [[{"type": "raw_text", "text": text} for _ in range(columns)] for _ in range(rows)]
    return [{"type": kind, "rows": cells, **({"caption": "c"} if kind == "data_table" else {})}]


def chart(series: int, categories: int, *, label: str = "", **more: Any) -> list[Json]:  # noqa: ANN401
    names = [f"{label}{i}" for i in range(categories)]
    data = [{"label": name, "value": 1} for name in names]
    lines = [{"name": f"s{i}", "data": data} for i in range(series)]
    drawn = {"type": "line", "series": lines, "axis_config": {"categories": names}}
    return [{"type": "data_visualization", "title": "t", "chart": drawn, **more}]


def pie(segments: int) -> list[Json]:
    slices = [{"label": f"l{i}", "value": 1} for i in range(segments)]
    return [{"type": "data_visualization", "title": "t", "chart": {"type": "pie", "segments": slices}}]


def card(**more: Any) -> Json:  # noqa: ANN401
    return {"type": "card", "title": plain("t"), **more}


def container(*children: Json, **more: Any) -> list[Json]:  # noqa: ANN401
    return [{"type": "container", "title": plain("t"), "child_blocks": list(children), **more}]


DIVIDER: Json = {"type": "divider"}


class Limit(NamedTuple):
    """``build(most)`` is accepted, ``build(most + 1)`` is not, nor ``build(least - 1)``."""

    name: str
    most: int
    build: Callable[[int], list[Json]]
    least: int = 1
    sdk: bool = False  # slack_sdk's models know the upper limit, too


LIMITS = [
    Limit("blocks of a message", 50, lambda n: [DIVIDER] * n, least=0),
    Limit("section text", 3000, lambda n: [{"type": "section", "text": mrkdwn(x(n))}], sdk=True),
    Limit("section fields", 10, lambda n: [{"type": "section", "fields": [plain("f")] * n}], sdk=True),
    Limit("section field text", 2000, lambda n: [{"type": "section", "fields": [mrkdwn(x(n))]}]),
    Limit("header", 150, lambda n: [{"type": "header", "text": plain(x(n))}], sdk=True),
    Limit("context elements", 10, lambda n: [{"type": "context", "elements": [plain("c")] * n}], sdk=True),
    Limit("actions elements", 25, lambda n: actions(*buttons(n)), sdk=True),
    Limit("button text", 75, lambda n: actions(button(text=plain(x(n)))), sdk=True),
    Limit("button value", 2000, lambda n: actions(button(value=x(n))), least=0, sdk=True),
    Limit("button url", 3000, lambda n: actions(button(url=x(n))), least=0, sdk=True),
    Limit("button accessibility_label", 75, lambda n: actions(button(accessibility_label=x(n))), least=0, sdk=True),
    Limit("action_id", 255, lambda n: actions(button(action_id=x(n))), sdk=True),
    Limit("block_id", 255, lambda n: [{"type": "divider", "block_id": x(n)}], least=0, sdk=True),
    Limit("confirm title", 100, lambda n: confirm(title=plain(x(n))), sdk=True),
    Limit("confirm text", 300, lambda n: confirm(text=plain(x(n))), sdk=True),
    Limit("confirm confirm", 30, lambda n: confirm(confirm=plain(x(n))), sdk=True),
    Limit("confirm deny", 30, lambda n: confirm(deny=plain(x(n))), sdk=True),
    Limit("select options", 100, lambda n: menu(*map(option, range(n))), sdk=True),
    Limit("overflow options", 5, lambda n: menu(*map(option, range(n)), kind="overflow"), sdk=True),
    Limit("radio options", 10, lambda n: menu(*map(option, range(n)), kind="radio_buttons")),
    Limit("option text", 75, lambda n: menu(option(text=plain(x(n)))), sdk=True),
    Limit("option value", 150, lambda n: menu(option(value=x(n)))),
    Limit("option description", 75, lambda n: menu(option(description=plain(x(n))))),
    Limit("image alt_text", 2000, lambda n: [{"type": "image", "image_url": "u", "alt_text": x(n)}], sdk=True),
    Limit("markdown text", 12_000, lambda n: [{"type": "markdown", "text": x(n)}], sdk=True),
    Limit("markdown together", 12_000, lambda n: [{"type": "markdown", "text": x(t)} for t in (6000, n - 6000)], 6001),
    Limit("table rows", 100, lambda n: table(n, 1)),
    Limit("table columns", 20, lambda n: table(1, n)),
    Limit("table characters", 10_000, lambda n: table(1, 1, x(n))),
    Limit("data table rows", 201, lambda n: table(n, 1, kind="data_table"), least=2),
    Limit("data table columns", 20, lambda n: table(2, n, kind="data_table")),
    Limit("data table characters", 10_000, lambda n: table(2, 1, x(n), kind="data_table")),
    Limit("chart series", 12, lambda n: chart(n, 3)),
    Limit("chart categories", 20, lambda n: chart(2, n)),
    Limit("chart title", 50, lambda n: chart(1, 1, title=x(n))),
    Limit("chart label", 20, lambda n: chart(1, 1, label=x(n - 1)), least=0),
    Limit("pie segments", 12, pie),
    Limit("charts of a message", 2, lambda n: chart(1, 1) * n, least=0),
    Limit("card title", 150, lambda n: [card(title=mrkdwn(x(n)))], sdk=True),
    Limit("card body", 200, lambda n: [card(body=mrkdwn(x(n)))], sdk=True),
    Limit("card actions", 3, lambda n: [card(actions=buttons(n))]),
    Limit("carousel cards", 10, lambda n: [{"type": "carousel", "elements": [card()] * n}], sdk=True),
    Limit("container children", 10, lambda n: container(*[DIVIDER] * n), sdk=True),
    Limit("container title", 150, lambda n: container(DIVIDER, title=plain(x(n))), sdk=True),
    Limit(
        "context_actions elements",
        5,
        lambda n: [
            {
                "type": "context_actions",
                "elements": [
                    {"type": "icon_button", "action_id": f"a{i}", "icon": "trash", "text": plain("t")} for i in range(n)
                ],
            }
        ],
        sdk=True,
    ),
]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.name)
def test_limit(limit: Limit) -> None:
    assert check_blocks(limit.build(limit.most)) is None
    assert check_blocks(limit.build(limit.least)) is None
    beyond = check_blocks(limit.build(limit.most + 1))
    assert beyond is not None
    assert beyond.error == "invalid_blocks"
    if limit.least:
        assert check_blocks(limit.build(limit.least - 1)) is not None


@pytest.mark.parametrize("limit", [limit for limit in LIMITS if limit.sdk], ids=lambda limit: limit.name)
def test_slack_sdk_agrees(limit: Limit) -> None:
    validate(limit.build(limit.most))
    with pytest.raises(SlackObjectFormationError):
        validate(limit.build(limit.most + 1))


def validate(blocks: list[Json]) -> None:
    """slack_sdk's verdict; it checks an element's parts only when the element itself is asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in Block.parse_all(blocks):
            block.to_dict()
            for element in getattr(block, "elements", None) or []:
                element.to_dict()
                for part in Option.parse_all(getattr(element, "options", None)) or []:
                    part.to_dict()
                dialog = getattr(element, "confirm", None)
                if dialog is not None:
                    dialog.to_dict()


REFUSED: dict[str, tuple[list[Json], str]] = {
    "unknown block": ([{"type": "sections"}], "unsupported type: sections [json-pointer:/blocks/0/type]"),
    "unknown property": ([{"type": "divider", "colour": "red"}], "invalid additional property: colour"),
    "markdown in a header": ([{"type": "header", "text": mrkdwn("x")}], "must be one of: plain_text"),
    "markdown on a button": (actions(button(text=mrkdwn("x"))), "must be one of: plain_text"),
    "emoji on mrkdwn": (
        [{"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": True}}],
        "invalid additional property: emoji [json-pointer:/blocks/0/text]",
    ),
    "empty section": ([{"type": "section"}], "must define one of: text, fields"),
    "empty card": ([{"type": "card"}], "must define one of: hero_image, title, actions, body"),
    "alert in a message": ([{"type": "alert", "text": plain("x")}], "unsupported type: alert"),
    "style": (actions(button(style="green")), "must be one of: primary, danger"),
    "input element in actions": (
        actions({"type": "plain_text_input", "action_id": "a"}),
        "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]",
    ),
    "same action_id in a block": (
        actions(button(), button()),
        "action_id `a` already exists [json-pointer:/blocks/0/elements/1/action_id]",
    ),
    "same block_id in the message": (
        container({"type": "divider", "block_id": "b"}, block_id="b"),
        "block_id `b` already exists [json-pointer:/blocks/0/child_blocks/0/block_id]",
    ),
    "options and groups": (
        actions(
            {
                "type": "static_select",
                "action_id": "a",
                "options": [option()],
                "option_groups": [{"label": plain("g"), "options": [option()]}],
            }
        ),
        "cannot define both: options, option_groups",
    ),
    "collapsed but not collapsible": (container(DIVIDER, default_collapsed=True), "requires is_collapsible"),
    "ragged data table": (
        [{**table(2, 2, kind="data_table")[0], "rows": [*table(1, 2)[0]["rows"], *table(1, 3)[0]["rows"]]}],
        "all rows must have the same number of cells [json-pointer:/blocks/0/rows/1]",
    ),
    "points that miss a category": (
        [
            {
                **chart(1, 2)[0],
                "chart": {**chart(1, 2)[0]["chart"], "axis_config": {"categories": ["0", "other"]}},
            }
        ],
        "data labels must match axis_config.categories",
    ),
    "a slice of nothing": (
        [
            {
                "type": "data_visualization",
                "title": "t",
                "chart": {"type": "pie", "segments": [{"label": "l", "value": 0}]},
            }
        ],
        "must be more than 0",
    ),
    "container in a container": (container(*container(DIVIDER)), "unsupported type: container"),
    "not an object": (["section"], "must be an object"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    blocks, message = REFUSED[case]
    refused = check_blocks(blocks)
    assert refused is not None
    assert any(message in line for line in refused.messages()), refused.messages()


def test_one_table_only() -> None:
    refused = check_message(table(1, 1) * 2)
    assert refused is not None
    assert (refused.error, refused.problems[0].message) == ("invalid_attachments", "only_one_table_allowed")


def test_a_whole_message_can_be_too_long() -> None:
    """Four sections of 3,000 and one more: no block breaks a limit, their sum does."""

    def sections(*lengths: int) -> list[Json]:
        return [{"type": "section", "text": mrkdwn(x(n))} for n in lengths]

    assert check_message(sections(3000, 3000, 3000, 3000, 1171)) is None
    refused = check_message(sections(3000, 3000, 3000, 3000, 1172))
    assert refused is not None
    assert refused.error == "msg_blocks_too_long"


def test_the_same_action_id_in_two_blocks_is_fine() -> None:
    assert check_blocks([*actions(button()), *actions(button())]) is None


# -- views --------------------------------------------------------------------------------------------------------
def modal(blocks: list[Json] | None = None, **more: Any) -> Json:  # noqa: ANN401
    return {"type": "modal", "title": plain("t"), "blocks": [DIVIDER] if blocks is None else blocks, **more}


VIEW_LIMITS: list[tuple[str, int, Callable[[int], Json]]] = [
    ("title", 24, lambda n: modal(title=plain(x(n)))),
    ("submit", 24, lambda n: modal(submit=plain(x(n)))),
    ("close", 24, lambda n: modal(close=plain(x(n)))),
    ("private_metadata", 3000, lambda n: modal(private_metadata=x(n))),
    ("callback_id", 255, lambda n: modal(callback_id=x(n))),
    ("blocks", 100, lambda n: modal([DIVIDER] * n)),
    ("blocks of the Home tab", 100, lambda n: {"type": "home", "blocks": [DIVIDER] * n}),
]


@pytest.mark.parametrize(("name", "most", "build"), VIEW_LIMITS, ids=[limit[0] for limit in VIEW_LIMITS])
def test_view_limit(name: str, most: int, build: Callable[[int], Json]) -> None:
    assert check_view(build(most)) is None
    refused = check_view(build(most + 1))
    assert refused is not None
    assert refused.error == "invalid_arguments"
    assert "json-pointer:/view/" in refused.messages()[0]
    SdkView(**build(most)).to_dict()
    if name != "blocks of the Home tab":
        with pytest.raises(SlackObjectFormationError):
            SdkView(**build(most + 1)).to_dict()


def test_inputs_need_a_submit_button() -> None:
    field = {"type": "input", "label": plain("l"), "element": {"type": "plain_text_input", "action_id": "a"}}
    refused = check_view(modal([field]))
    assert refused is not None
    assert refused.messages() == ("missing required field: submit [json-pointer:/view]",)
    assert check_view(modal([field], submit=plain("Save"))) is None


def test_surfaces() -> None:
    """What stands in a message need not be allowed in a modal, and the other way round."""
    assert check_view(modal(table(1, 1))) is not None
    assert check_view({"type": "home", "blocks": table(1, 1)}) is None
    assert check_view(modal([{"type": "alert", "text": plain("x")}])) is None


def test_a_view_can_be_too_large() -> None:
    sections = [{"type": "section", "text": plain(x(3000))} for _ in range(90)]
    refused = check_view(modal(sections))
    assert refused is not None
    assert refused.error == "view_too_large"


# -- anything at all ----------------------------------------------------------------------------------------------
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["table", "card"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "rows"]), inner),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    """The paths to every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


@given(st.sampled_from(LIMITS), st.data())
def test_no_payload_breaks_the_checks(limit: Limit, data: st.DataObject) -> None:
    """A good payload with anything put in anywhere is accepted or refused, and never an exception."""
    blocks = copy.deepcopy(limit.build(max(limit.least, 1)))
    *way, last = data.draw(st.sampled_from(list(places(blocks))))
    place: Any = blocks
    for key in way:
        place = place[key]
    place[last] = data.draw(ANYTHING)
    check_message(blocks)
    check_message([], [{"blocks": blocks}])
    check_view(modal(blocks))


@given(ANYTHING)
def test_nonsense_is_refused_or_accepted(payload: object) -> None:
    check_message(payload, payload)
    check_view(payload)
