"""Everything the house knows in PostgreSQL: tables, and per aggregate the statements that lock, look and write.

The only place with SQLAlchemy. Operations get a `Store`, one transaction, and pass it on.
"""

from domain.store.database import Database, Reader, Store, UnfitDatabase

__all__ = ["Database", "Reader", "Store", "UnfitDatabase"]
