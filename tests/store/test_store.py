"""The store: migrations reach the shape that the code expects, transactions keep all or nothing, moments keep their zone."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from bot.store import Store, StoreUnavailable, open_store
from bot.store.database import database_url, shown
from bot.store.deliveries import DELIVERIES, KEPT, first_time, forget_old
from bot.store.tables import METADATA

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _differences(connection: sa.Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), METADATA))


async def test_the_migrated_database_is_what_the_code_expects(store: Store) -> None:
    assert await store.read(_differences) == []


async def test_opening_again_changes_nothing_and_keeps_rows(store_url: str) -> None:
    async with open_store(store_url) as store:
        assert await first_time(store, "a", NOW)
    async with open_store(store_url) as store:
        assert not await first_time(store, "a", NOW)


async def test_replicas_that_start_together_migrate_once(store_url: str) -> None:
    async def replica() -> bool:
        async with open_store(store_url) as store:
            return await first_time(store, "the same", NOW)

    assert sorted(await asyncio.gather(*(replica() for _ in range(4)))) == [False, False, False, True]


async def test_of_many_who_claim_a_delivery_exactly_one_gets_it(store: Store) -> None:
    for key in ("Ev1", "Ev2"):
        claims = await asyncio.gather(*(first_time(store, key, NOW) for _ in range(8)))
        assert sum(claims) == 1


async def test_old_deliveries_are_forgotten(store: Store) -> None:
    await first_time(store, "old", NOW - KEPT - timedelta(seconds=1))
    await first_time(store, "new", NOW)
    assert await forget_old(store, NOW) == 1
    assert await first_time(store, "old", NOW)
    assert not await first_time(store, "new", NOW)


async def test_a_moment_comes_back_as_the_same_moment(store: Store) -> None:
    seoul = datetime(2026, 11, 23, 21, 0, tzinfo=timezone(timedelta(hours=9)))
    await first_time(store, "k", seoul)
    assert await store.read(lambda c: c.execute(sa.select(DELIVERIES.c.seen_at)).scalar_one()) == NOW
    with pytest.raises(sa.exc.StatementError, match="needs a zone"):
        await first_time(store, "naive", datetime(2026, 11, 23))  # noqa: DTZ001 (that is the point)


async def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def half(connection: sa.Connection) -> None:
        connection.execute(sa.insert(DELIVERIES).values(key="half", seen_at=NOW))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.write(half)
    assert await first_time(store, "half", NOW)


async def test_a_store_that_cannot_be_opened_says_so_without_its_password(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for url in (f"sqlite:///{tmp_path / 'folder'}", "postgresql://bot:hunter2@127.0.0.1:1/none"):
        with pytest.raises(StoreUnavailable) as caught:
            async with open_store(url):
                pass
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)


def test_urls_that_are_none_are_refused() -> None:
    for url in ("mysql://x/y", "store.sqlite3", ""):
        with pytest.raises(ValueError, match="must be sqlite"):
            database_url(url)
    assert "hunter2" not in shown("postgresql://bot:hunter2@db/bot")
