"""A short piece of the crash matrix; `make crash-matrix` runs the long one."""

from pathlib import Path

import pytest

from tests.crash.matrix import Tally, migrate, run_once, serving
from tests.postgres import PostgresServer

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


def test_killed_at_a_step_alone_and_racing_a_change_is_applied_once_and_recorded(url: str, tmp_path: Path) -> None:
    tally = Tally()
    migrate(url)
    with serving(tmp_path) as server:
        for number, kills in enumerate([(13,), (16,), (18,), (21,), (16, 19)]):
            run_once(url, server, f"change-{number}", kills, tally)
    assert tally.wrong == []
    assert tally.kills >= 4
    assert tally.states == {"applied": 5}
