"""Tables and charts in Slack: native blocks where the workspace has them, a picture where not, the words always."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image

from bot.market.words import offerings_sheet
from bot.playbooks.sheet import Chart, Series
from bot.slack.pictures import drawn
from bot.slack.questions import Ask, parse_command
from bot.slack.services import Asker, Shown
from bot.slack.serving import Behind, opened
from bot.slack.sheets import sheet_message
from tests.fakes.slack import FakeSlack, Fault, scene
from tests.market.worlds import recorded, spot, table, with_ec2
from tests.playbooks.samples import shipped
from tests.slack.door import Scene, Scripted, config_for, idle

ASKED: list[Ask] = []


async def offerings(ask: Ask, asker: Asker) -> Shown:
    """A day of prices of one type in two zones."""
    ASKED.append(ask)
    now = recorded().now
    rows = tuple(
        spot("g6e.48xlarge", zone, price, now - timedelta(hours=hours))
        for zone, price, hours in (("a", "15.0", 30), ("a", "17.5", 4), ("b", "19.0", 30))
    )
    phrases = shipped().phrases(ask.language)
    found = table(with_ec2(recorded(), spot_prices=rows), "g6e.48xlarge")
    return Shown(message=sheet_message(offerings_sheet(found, phrases, {}), phrases))


@pytest.fixture
async def at(slack: FakeSlack) -> AsyncIterator[Scene]:
    services = Scripted()
    behind = Behind(services=services, verbs={"offerings": offerings})
    async with opened(config_for(slack), behind, api_url=slack.api_url) as bot:
        await slack.wait_for(lambda s: s.sockets.connections)
        yield Scene(slack=slack, services=services, bot=bot)


async def test_a_table_and_a_chart_are_slacks_own_blocks(at: Scene) -> None:
    await at.slack.slash_command("offerings g6e.48xlarge")
    message = await at.only_message()
    kinds = [block["type"] for block in message.blocks]
    assert kinds[:4] == ["section", "data_visualization", "section", "table"]
    chart = message.blocks[1]["chart"]
    assert [(s["name"], s["data"][0]["value"], s["data"][-1]["value"]) for s in chart["series"]] == [
        ("ap-northeast-2a", 15.0, 17.5), ("ap-northeast-2b", 19.0, 19.0),
    ]  # fmt: skip
    assert "ap-northeast-2a`: $17.50 an hour now, from $15.00 to $17.50 in 1 change" in message.text
    assert not at.slack.workspace.files


async def test_where_charts_are_refused_the_rest_stays_and_a_picture_follows(at: Scene) -> None:
    at.slack.workspace.lacking_blocks = frozenset({"data_visualization"})
    mention = await at.slack.mention("offerings g6e.48xlarge --lang ko")
    await idle(at.slack, at.bot)
    replies = at.slack.workspace.replies(scene.OPS, mention.ts)
    answer, picture = replies[0], replies[-1]
    assert [block["type"] for block in answer.blocks][:3] == ["section", "section", "table"]
    [file] = at.slack.workspace.files.values()
    assert picture.files == (file.id,)
    assert file.shared
    assert Image.open(BytesIO(file.content)).size == (1200, 900)
    assert ASKED[-1].language == "ko"


async def test_without_the_right_to_upload_the_words_are_enough(at: Scene) -> None:
    at.slack.workspace.lacking_blocks = frozenset({"data_visualization", "table"})
    at.slack.faults.add(Fault(method="files.getUploadURLExternal", error="missing_scope"))
    await at.slack.slash_command("offerings g6e.48xlarge")
    message = await at.only_message()
    assert {block["type"] for block in message.blocks} == {"section"}
    assert "refused until 11:23" in message.text


def test_a_region_may_stand_behind_the_name_or_be_an_option() -> None:
    for text in ("offerings p5 us-west-2", "offerings p5 --region us-west-2", "오퍼링 p5 --region=us-west-2"):
        heard = parse_command(text)
        assert isinstance(heard, Ask)
        assert (heard.verb, heard.words) == ("offerings", ("p5", "us-west-2"))


def test_lines_can_be_told_apart_without_colour() -> None:
    """In grey, six flat lines at six heights still have six different patterns."""
    names = tuple(f"ap-northeast-2{letter}" for letter in "abcdef")
    chart = Chart(
        title="p5: spot price",
        y_label="$",
        x_label="UTC",
        categories=tuple(f"28. {hour:02}:00" for hour in range(17)),
        series=tuple(Series(name=name, values=(float(10 + n),) * 17) for n, name in enumerate(names)),
    )
    picture = Image.open(BytesIO(drawn(chart))).convert("L")
    patterns = set()
    for n in range(6):
        share = (10 + n - 9.5) / 6.0
        y = round(900 - 110 - (900 - 220) * share)
        inside = picture.crop((200, y, 840, y + 1)).tobytes()
        patterns.add(sum(abs(a - b) > 60 for a, b in pairwise(inside)))
    assert len(patterns) >= 5
    flat = replace(chart, series=chart.series[:1])
    assert drawn(flat) == drawn(flat)
