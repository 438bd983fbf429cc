"""A short piece of the crash matrix; `make crash-matrix` runs the long one."""

from itertools import count
from pathlib import Path

import pytest

from bot.remediation.approvals import TRANSITIONS, Event
from tests.crash.matrix import Run, Tally, matrix
from tests.crash.stories import STORIES
from tests.postgres import PostgresServer

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


def test_killed_at_a_step_alone_and_racing_a_change_is_made_once_and_recorded(url: str, tmp_path: Path) -> None:
    tally, numbers = Tally(), count()
    with matrix(url, tmp_path, tally) as it:
        for story in ("applied and undone", "recreated and put back"):
            steps = it.measure(story, f"{story[:5]}-{next(numbers)}")
            run = Run(story=story, first=(steps // 3, steps // 3 + 5), then=(steps // 4,))
            it.play(run, f"{story[:5]}-{next(numbers)}")
    assert tally.wrong == []
    assert tally.kills >= 4
    assert tally.ends == {"undone": 4}


def test_the_stories_take_every_event_there_is() -> None:
    told = {event for story in STORIES.values() for event in story.events}
    assert {event for events in TRANSITIONS.values() for event in events} - told == {Event.UNDO}, (
        "an undo is told as its apply"
    )
