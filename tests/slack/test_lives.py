"""A job's nodes over time: Slack's own blocks within its limits, a picture read without colours, the words always."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from PIL import Image

from bot import packaged
from bot.app import wall_clock
from bot.departing import departed
from bot.diagnosis.lives import NodeLife, lives_of
from bot.playbooks import render_departure
from bot.playground.slack import check_message
from bot.slack.blocks import Message, answer
from bot.slack.dialogs import simpler
from bot.slack.lives import lives_chart, lives_lines, with_lives
from bot.slack.pictures import drawn
from bot.slack.sheets import has_chart, without_chart
from bot.sources.snapshot import read_snapshot
from tests.recorded import CASES

PLAYBOOKS = packaged.load_playbooks()
EN = PLAYBOOKS.phrases("en")
NOW = datetime(2025, 12, 28, 9, tzinfo=UTC)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_nodes_of_a_job_that_was_consolidated_away(language: str) -> None:
    world = read_snapshot(CASES / "consolidation-under-training", wall_clock())
    found = departed(world, "ip-10-0-152-19", "")
    lives = lives_of(world, found)
    assert {life.node.partition(".")[0] for life in lives if life.reason == "Underutilized"} >= {"ip-10-0-152-19"}
    phrases = PLAYBOOKS.phrases(language)
    rendered = replace(render_departure(found, PLAYBOOKS, language), nodes=lives_lines(lives, phrases))
    message = with_lives(answer(rendered, phrases), lives, world.now, phrases, EN)
    for version in (message, without_chart(message), simpler(message)):
        assert check_message(list(version.blocks)) is None
        for life in lives:
            assert life.node.partition(".")[0] in version.text
    assert has_chart(message)
    assert message.blocks[-1]["type"] == "table"
    assert message.chart is not None
    assert all(note.isascii() for note in message.chart.notes)


def _life(name: str, began: int, ended: int | None) -> NodeLife:
    end = None if ended is None else NOW + timedelta(minutes=ended)
    state = "gone" if end else "here"
    return NodeLife(node=name, began=NOW + timedelta(minutes=began), ended=end, state=state, reason="Drifted")


def test_a_band_ends_in_a_dark_edge_only_where_the_node_ended() -> None:
    chart = lives_chart([_life("ip-10-0-0-1.local", -100, -50), _life("ip-10-0-0-2.local", -40, None)], NOW, EN)
    assert chart.bands == ((0.0, 0.5), (0.6, 1.0))
    assert chart.series[0].values == (50.0, 40.0)
    assert chart.notes == ("gone: Drifted", "there")
    grey = Image.open(BytesIO(drawn(chart))).convert("L")
    assert grey.size == (1200, 900)
    at = grey.tobytes()
    first, second = (1200 * (110 + step * 120 + 95) for step in (0, 1))
    edge, inside, outside = (at[first + x] for x in (60 + 540 - 4, 300, 900))
    assert edge < 60 < inside < outside - 60  # told apart in grey
    assert at[second + 1136] > 60


def test_what_is_not_known_of_an_end_is_not_made_up() -> None:
    life = replace(_life("ip-10-0-0-1.local", -100, -50), since_before=True, until_after=True)
    assert lives_chart([life], NOW, EN).notes == (
        "gone: Drifted, before 2025-12-28 07:20 UTC, after 2025-12-28 08:10 UTC",
    )
    world = replace(read_snapshot(CASES / "consolidation-under-training", wall_clock()), node_claims=())
    lives = lives_of(world, departed(world, "ip-10-0-152-19", ""))
    assert all(life.ended is None or life.began < life.ended for life in lives)


def test_twelve_nodes_of_one_long_name_fit_slack_and_the_picture() -> None:
    lives = [_life(f"a-very-long-name-of-a-host-{n}", -n, None) for n in range(1, 13)]
    chart = lives_chart(lives, NOW, EN)
    assert len(set(chart.categories)) == 12
    base = Message(text="gone")
    assert check_message(list(with_lives(base, lives, NOW, EN, EN).blocks)) is None
    assert drawn(chart).startswith(b"\x89PNG")
