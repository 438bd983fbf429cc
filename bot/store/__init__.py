"""What the serving bot remembers: one database, SQLite in a file or PostgreSQL. Reads and writes rows, decides nothing.

Each module here owns its tables and the functions over them; `migrations/` brings a database to the shape they expect.
"""

from bot.store.database import Store, StoreUnavailable, open_store

__all__ = ["Store", "StoreUnavailable", "open_store"]
