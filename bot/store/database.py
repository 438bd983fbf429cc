"""Opens the database and brings it to the newest shape; hands out transactions."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeAlias, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.store.migrations import upgrade

P = ParamSpec("P")
T = TypeVar("T")
AnyEngine: TypeAlias = AsyncEngine | sa.Engine
DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
"""The drivers that this bot comes with, by the scheme that people write."""
BUSY_MILLISECONDS: Final = 10_000
"""How long SQLite waits for another writer of the same file."""
CONNECT_SECONDS: Final = 10.0
_READERS: Final = 4
"""Threads that read from SQLite, so that a long reading holds up no short one."""


class StoreUnavailable(Exception):  # noqa: N818 (reads as what is the case)
    """The database cannot be used; the message is one line without its password."""


class Store:
    """An open database. What reads or writes is a plain function of a connection (see `reads` and `writes`) and is done whole.

    On SQLite it is one errand to a thread: there and back for each statement takes ten times as long while the event loop is
    busy.
    """

    def __init__(self, engine: AnyEngine) -> None:
        self._engine, self._writing = engine, engine.execution_options(writing=True)
        self._readers = ThreadPoolExecutor(_READERS, "store-reader")
        self._writer = ThreadPoolExecutor(1, "store-writer")
        self._line = asyncio.Lock()

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    async def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` makes of a connection to read on. Raises StoreUnavailable where the database does not answer."""
        with _spoken():
            if isinstance(self._engine, AsyncEngine):
                async with self._engine.connect() as connection:
                    return await connection.run_sync(work)
            return await self._errand(self._readers, self._engine.connect, work)

    async def write(self, work: Callable[[sa.Connection], T], *, promptly: bool = False) -> T:
        """What `work` makes of a transaction: all of it is kept when it returns, none of it when it raises. `promptly`: somebody
        waits for it with an acknowledgement, so that it goes before all others. Raises StoreUnavailable.

        On SQLite it holds the file's one write lock from its beginning, so that what it reads stays true until it ends.
        """
        with _spoken():
            if isinstance(self._writing, AsyncEngine):
                async with self._writing.begin() as connection:
                    return await connection.run_sync(work)
            async with nullcontext() if promptly else self._line:
                return await self._errand(self._writer, self._writing.begin, work)

    async def _errand(
        self,
        threads: Executor,
        connected: Callable[[], AbstractContextManager[sa.Connection]],
        work: Callable[[sa.Connection], T],
    ) -> T:
        def whole() -> T:
            with connected() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(threads, whole)

    async def close(self) -> None:
        """Ends every connection, when what is under way is done."""
        if isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            for threads in (self._readers, self._writer):
                await asyncio.to_thread(threads.shutdown)
            self._engine.dispose()


OnConnection: TypeAlias = Callable[Concatenate[sa.Connection, P], T]
OnStore: TypeAlias = Callable[Concatenate[Store, P], Coroutine[Any, Any, T]]


def reads(work: OnConnection[P, T]) -> OnStore[P, T]:
    """Makes of a function of a connection one of a store that reads."""

    @wraps(work)
    async def done(store: Store, /, *given: P.args, **named: P.kwargs) -> T:
        return await store.read(lambda connection: work(connection, *given, **named))

    return done


def writes(work: OnConnection[P, T]) -> OnStore[P, T]:
    """Makes of a function of a connection one of a store: a transaction."""
    return _transaction(work, promptly=False)


def writes_promptly(work: OnConnection[P, T]) -> OnStore[P, T]:
    """The same for what somebody waits for with an acknowledgement."""
    return _transaction(work, promptly=True)


def _transaction(work: OnConnection[P, T], *, promptly: bool) -> OnStore[P, T]:
    @wraps(work)
    async def done(store: Store, /, *given: P.args, **named: P.kwargs) -> T:
        return await store.write(lambda connection: work(connection, *given, **named), promptly=promptly)

    return done


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT in the database's own dialect, which both can say `on_conflict_do_nothing()` on."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


class _spoken:  # noqa: N801 (a context manager that reads as a word)
    """A database that does not answer becomes StoreUnavailable; everything else passes."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError) and not isinstance(error, sa.exc.IntegrityError):
            raise StoreUnavailable(_first_line(error.orig or error)) from error
        if isinstance(error, OSError | sa.exc.TimeoutError):
            raise StoreUnavailable(_first_line(error)) from error


@asynccontextmanager
async def open_store(url: str) -> AsyncIterator[Store]:
    """The store at `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/DATABASE`, migrated. Raises StoreUnavailable."""
    store = Store(_engine(database_url(url)))
    try:
        try:
            async with asyncio.timeout(CONNECT_SECONDS * 6):
                await store.write(upgrade)
        except (SQLAlchemyError, OSError, TimeoutError, StoreUnavailable) as error:
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


def _engine(url: URL) -> AnyEngine:
    if url.drivername == DRIVERS["postgresql"]:
        return create_async_engine(url, pool_size=5, max_overflow=5, pool_pre_ping=True, pool_timeout=CONNECT_SECONDS)
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)
    _as_one_writer(engine)
    return engine


def _as_one_writer(engine: sa.Engine) -> None:
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
    def on_begin(connection: sa.Connection) -> None:
        writing = connection.get_execution_options().get("writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
