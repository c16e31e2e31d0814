"""The local Stripe's state: JSON documents in an SQLite file, so that a killed process loses nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.stripe.documents import Document

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, created INTEGER NOT NULL,
    document TEXT NOT NULL, hidden TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_newest ON objects (kind, created, seq);
CREATE INDEX IF NOT EXISTS objects_by_customer ON objects (kind, json_extract(document, '$.customer'));
CREATE INDEX IF NOT EXISTS objects_by_payment_intent ON objects (kind, json_extract(document, '$.payment_intent'));
CREATE INDEX IF NOT EXISTS objects_by_charge ON objects (kind, json_extract(document, '$.charge'));
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at REAL NOT NULL,
    state TEXT NOT NULL, last_status INTEGER);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at);
CREATE INDEX IF NOT EXISTS deliveries_by_event ON deliveries (event_id);
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, endpoint TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, request_id TEXT NOT NULL, created INTEGER NOT NULL);
"""
_TABLES = ("objects", "deliveries", "answers")


class State:
    """An SQLite file with a lock: one transaction runs at a time, and each is written as a whole or not at all."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the lock until the end of the block; an exception undoes what the block wrote."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Run a statement and return its rows."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def put(self, document: Document, hidden: Document | None = None) -> None:
        """Write a new or changed object; `hidden` is data that the API does not show, and it stays if not given."""
        self.rows(
            "INSERT INTO objects (id, kind, created, document, hidden)"
            " VALUES (?1, ?2, coalesce(?3, 0), ?4, coalesce(?5, '{}'))"
            " ON CONFLICT (id) DO UPDATE SET document = excluded.document, created = coalesce(?3, created),"
            " hidden = coalesce(?5, hidden)",
            (
                document["id"],
                document["object"],
                document.get("created"),
                json.dumps(document),
                None if hidden is None else json.dumps(hidden),
            ),
        )

    def get(self, kind: str, object_id: str) -> Document | None:
        """Return an object of a kind; `None` if there is none of that id."""
        return self._first_json("SELECT document FROM objects WHERE id = ? AND kind = ?", object_id, kind)

    def get_any(self, object_id: str) -> Document | None:
        """Return an object of any kind; `None` if there is none of that id."""
        return self._first_json("SELECT document FROM objects WHERE id = ?", object_id)

    def hidden(self, object_id: str) -> Document:
        """Return the data of an object that the API does not show."""
        return self._first_json("SELECT hidden FROM objects WHERE id = ?", object_id) or {}

    def find(self, kind: str, where: str = "true", values: Sequence[Any] = ()) -> list[Document]:
        """Return the objects of a kind that meet an SQL condition, newest first."""
        query = f"SELECT document FROM objects WHERE kind = ? AND {where} ORDER BY created DESC, seq DESC"
        return [json.loads(document) for (document,) in self.rows(query, (kind, *values))]

    def find_by(self, kind: str, member: str, value: str) -> list[Document]:
        """Return the objects of a kind whose member has a value, newest first."""
        return self.find(kind, f"{member_sql(member)} = ?", (value,))

    def counts(self) -> dict[str, int]:
        """Count the objects of each kind."""
        return dict(self.rows("SELECT kind, count(*) FROM objects GROUP BY kind ORDER BY kind"))

    def reset(self) -> None:
        """Delete everything."""
        with self.transaction():
            for table in _TABLES:
                self.rows(f"DELETE FROM {table}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _first_json(self, statement: str, *values: str) -> Document | None:
        rows = self.rows(statement, values)
        document: Document | None = json.loads(rows[0][0]) if rows else None
        return document


def member_sql(member: str) -> str:
    """Return the SQL expression for a document's member; it is the same text as in the indexes."""
    return f"json_extract(document, '$.{member}')"
