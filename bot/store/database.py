"""Opens the database and brings it to the newest shape; hands out transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy
from sqlalchemy import event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from bot.store.migrations import upgrade

T = TypeVar("T")
DRIVERS: Final = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
"""The drivers that this bot comes with, by the scheme that people write."""
BUSY_MILLISECONDS: Final = 10_000
"""How long SQLite waits for another writer of the same file."""
CONNECT_SECONDS: Final = 10.0


class StoreUnavailable(Exception):  # noqa: N818 (reads as what is the case)
    """The database cannot be used; the message is one line without its password."""


class Store:
    """An open database. Rows are read and written inside `reading()` and `writing()`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # SQLite's own waiting is a lottery, which some of many writers lose for as long as BUSY_MILLISECONDS
        self._turn: AbstractAsyncContextManager[object] = asyncio.Lock() if self.kind == "sqlite" else nullcontext()
        self._line: AbstractAsyncContextManager[object] = asyncio.Lock() if self.kind == "sqlite" else nullcontext()
        self._errands: _Errands | None = None

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection to read on. Raises StoreUnavailable where the database does not answer."""
        with _spoken():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: all of it is kept when the block ends, none of it when it raises. Raises StoreUnavailable.

        On SQLite it holds the file's one write lock from its beginning, so what it reads stays true until it ends; writers
        of this process wait for it in the order in which they came.
        """
        with _spoken():
            async with self._line, self._turn, self._engine.execution_options(writing=True).begin() as connection:
                yield connection

    async def write_at_once(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """A short transaction that somebody waits for with an acknowledgement: `work` is done whole, before all that stand in
        line for `writing()`. On SQLite it is one errand to a thread; there and back for each statement takes ten times as
        long while the event loop is busy. Raises StoreUnavailable.
        """
        with _spoken():
            if self.kind != "sqlite":
                async with self._engine.begin() as connection:
                    return await connection.run_sync(work)
            self._errands = self._errands or _Errands(self._engine.url)
            async with self._turn:
                return await self._errands.do(work)

    async def close(self) -> None:
        """Ends every connection."""
        if self._errands is not None:
            await self._errands.close()
        await self._engine.dispose()


class _Errands:
    """A thread with a connection of its own to the same SQLite file."""

    def __init__(self, url: URL) -> None:
        self._engine = sqlalchemy.create_engine(url.set(drivername="sqlite+pysqlite"))
        _as_one_writer(self._engine)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")

    async def do(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """The work in a transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._whole, work)

    def _whole(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        with self._engine.execution_options(writing=True).begin() as connection:
            return work(connection)

    async def close(self) -> None:
        """Ends the connection and the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._engine.dispose)
        self._thread.shutdown(wait=False)


def insert_into(store: Store, table: sqlalchemy.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT in the database's own dialect, which both can say `on_conflict_do_nothing()` on."""
    return sqlite.insert(table) if store.kind == "sqlite" else postgresql.insert(table)


class _spoken:  # noqa: N801 (a context manager that reads as a word)
    """A database that does not answer becomes StoreUnavailable; everything else passes."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError) and not isinstance(error, sqlalchemy.exc.IntegrityError):
            raise StoreUnavailable(_first_line(error.orig or error)) from error
        if isinstance(error, OSError | sqlalchemy.exc.TimeoutError):
            raise StoreUnavailable(_first_line(error)) from error


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """The store at `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`, migrated. Raises StoreUnavailable."""
    engine = _engine(database_url(url))
    store = Store(engine)
    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 6):
                await upgrade(engine)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"{shown(url)}: {_first_line(getattr(error, 'orig', None) or error)}") from error
        yield store
    finally:
        await store.close()


def database_url(url: str) -> URL:
    """The URL with this bot's driver in it. Raises ValueError with the end of a sentence for what is none."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        raise ValueError("must be sqlite:///FILE or postgresql://USER@HOST/DATABASE") from None
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in DRIVERS:
        raise ValueError(f"must be sqlite:///FILE or postgresql://USER@HOST/DATABASE, not {scheme}")
    return parsed.set(drivername=DRIVERS[scheme])


def shown(url: str) -> str:
    """The URL as it may be logged: without its password."""
    try:
        return database_url(url).render_as_string(hide_password=True)
    except ValueError:
        return "the store's URL"


def _engine(url: URL) -> AsyncEngine:
    if url.drivername == DRIVERS["postgresql"]:
        return create_async_engine(url, pool_size=5, max_overflow=5, pool_pre_ping=True, pool_timeout=CONNECT_SECONDS)
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url)
    _as_one_writer(engine.sync_engine)
    return engine


def _as_one_writer(engine: sqlalchemy.Engine) -> None:
    """SQLite with a write-ahead log, full durability, and transactions that take the write lock when they begin.

    Source: SQLAlchemy 2.1, dialects/sqlite, "Serializable isolation / Savepoints / Transactional DDL".
    """

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 (the driver's own)
        connection.isolation_level = None  # the driver opens no transactions by itself
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: sqlalchemy.Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
