"""All that is stored in PostgreSQL: the tables, and per subject the statements that lock, read and write.

The only place with SQLAlchemy. Operations get a `Store`, one transaction, and pass it on.
"""

from domain.store.database import Database, Reader, Store
from domain.store.session_role import UnfitDatabase

__all__ = ["Database", "Reader", "Store", "UnfitDatabase"]
