"""The time by which leases in the store are told."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from bot.store.database import Store


class SharedClock:
    """The database's time where several processes share one: a machine whose clock jumps takes nothing from the others.

    Between two looks at it, it is carried on by a clock that nobody sets. SQLite has one process, and that one's clock.
    """

    def __init__(self, store: Store, own: Callable[[], datetime], steady: Callable[[], float] = time.monotonic) -> None:
        self._store, self._own, self._steady = store, own, steady
        self._agreed: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Now, in UTC."""
        if self._agreed is None:
            return self._own()
        told, at = self._agreed
        return told + timedelta(seconds=self._steady() - at)

    async def agree(self) -> None:
        """Asks the database. Raises StoreUnavailable."""
        if self._store.kind != "postgresql":
            return
        self._agreed = await self._store.read(self._agree)

    def _agree(self, connection: sa.Connection) -> tuple[datetime, float]:
        began = self._steady()
        told: datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
        return told, (began + self._steady()) / 2
