"""A store and a cluster that takes writes, for each story of a change."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.store import Store, open_store
from tests.approving.stage import DEPLOYMENT
from tests.fakes.writable_kube import WritableKube, writable
from tests.postgres import PostgresServer


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    async with open_store(store_url) as opened:
        yield opened


@pytest.fixture
async def kube() -> AsyncIterator[WritableKube]:
    async with writable([DEPLOYMENT]) as server:
        yield server


@pytest.fixture
async def one_store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store for stories that are not about the database."""
    async with open_store(f"sqlite:///{tmp_path / 'one.sqlite3'}") as opened:
        yield opened
